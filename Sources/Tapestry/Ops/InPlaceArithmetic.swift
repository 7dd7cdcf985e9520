// Arithmetic that changes a tensor's own elements, on the tape. Names end in `_`, as torch's do.

extension Tensor {
    /// `self += other`. Mirrors `Tensor.add_`.
    @discardableResult
    public func add_(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("add_", SourceSite(file, line)) { $0.add(other, file: file, line: line) }
        return self
    }
    /// `self += number`.
    @discardableResult
    public func add_<S: TensorElement>(_ number: S, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("add_", SourceSite(file, line)) { $0 + number }
        return self
    }
    /// `self −= other`. Mirrors `Tensor.sub_`.
    @discardableResult
    public func sub_(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("sub_", SourceSite(file, line)) { $0.sub(other, file: file, line: line) }
        return self
    }
    /// `self −= number`.
    @discardableResult
    public func sub_<S: TensorElement>(_ number: S, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("sub_", SourceSite(file, line)) { $0 - number }
        return self
    }
    /// `self ·= other`. Mirrors `Tensor.mul_`.
    @discardableResult
    public func mul_(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("mul_", SourceSite(file, line)) { $0.mul(other, file: file, line: line) }
        return self
    }
    /// `self ·= number`.
    @discardableResult
    public func mul_<S: TensorElement>(_ number: S, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("mul_", SourceSite(file, line)) { $0 * number }
        return self
    }
    /// `self = max(self, 0)`. Mirrors `Tensor.relu_`.
    @discardableResult
    public func relu_(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("relu_", SourceSite(file, line)) { $0.relu(file: file, line: line) }
        return self
    }
    /// All elements 0. Mirrors `Tensor.zero_`.
    @discardableResult
    public func zero_(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        fill_(0, file: file, line: line)
    }
    /// All elements `value`. Mirrors `Tensor.fill_`.
    @discardableResult
    public func fill_<S: TensorElement>(_ value: S, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("fill_", SourceSite(file, line)) { Tensor.full(like: $0, value) }
        return self
    }
    /// The elements of `source`, which broadcasts to this shape and is converted to this dtype. Mirrors `Tensor.copy_`.
    @discardableResult
    public func copy_(_ source: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        changeInPlace("copy_", SourceSite(file, line)) { source.to($0.dtype).expand($0.shape, file: file, line: line) }
        return self
    }
}
