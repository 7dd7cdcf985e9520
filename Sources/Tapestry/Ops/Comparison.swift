// Comparisons and choices: results without gradients, and `where`, which has them.
import Kernels

/// `condition ? a : b`. da = dy where the condition holds, db where it does not.
struct Where: Primitive {
    let condition: Tensor
    func forward(_ x: [Tensor]) -> Tensor { select(condition, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let zero = Tensor.number(0, dy.dtype)
        return [
            saved.needs(0) ? Where(condition: condition)(dy, zero, at: nil) : nil,
            saved.needs(1) ? Where(condition: condition)(zero, dy, at: nil) : nil,
        ]
    }
}

extension Tensor {
    private func compare(_ op: CompareOp, _ other: Tensor, _ name: StaticString, _ site: SourceSite) -> Tensor {
        let (a, b) = Tapestry.promoted(detach(), other.detach(), name, site)
        return elementwise(op, a, b)
    }
    private func compare(_ op: CompareOp, _ number: Scalar) -> Tensor {
        let a = detach().promoted(with: number)
        return elementwise(op, a, .number(number, a.dtype))
    }

    /// Element by element `self == other`, a bool tensor. Mirrors `torch.eq`.
    public func eq(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        compare(.eq, other, "eq", SourceSite(file, line))
    }
    /// `self != other`. Mirrors `torch.ne`.
    public func ne(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        compare(.ne, other, "ne", SourceSite(file, line))
    }
    /// `self < other`. Mirrors `torch.lt`.
    public func lt(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        compare(.lt, other, "lt", SourceSite(file, line))
    }
    /// `self <= other`. Mirrors `torch.le`.
    public func le(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        compare(.le, other, "le", SourceSite(file, line))
    }
    /// `self > other`. Mirrors `torch.gt`.
    public func gt(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        compare(.gt, other, "gt", SourceSite(file, line))
    }
    /// `self >= other`. Mirrors `torch.ge`.
    public func ge(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        compare(.ge, other, "ge", SourceSite(file, line))
    }
    /// The comparisons with a number.
    public func eq(_ number: some TensorElement) -> Tensor { compare(.eq, number.scalar) }
    public func ne(_ number: some TensorElement) -> Tensor { compare(.ne, number.scalar) }
    public func lt(_ number: some TensorElement) -> Tensor { compare(.lt, number.scalar) }
    public func le(_ number: some TensorElement) -> Tensor { compare(.le, number.scalar) }
    public func gt(_ number: some TensorElement) -> Tensor { compare(.gt, number.scalar) }
    public func ge(_ number: some TensorElement) -> Tensor { compare(.ge, number.scalar) }

    /// Both non-zero, as bool. Mirrors `torch.logical_and`.
    public func logicalAnd(_ other: Tensor) -> Tensor {
        elementwise(.mul, detach().to(.bool), other.detach().to(.bool))
    }
    /// Either non-zero, as bool. Mirrors `torch.logical_or`.
    public func logicalOr(_ other: Tensor) -> Tensor { elementwise(.add, detach().to(.bool), other.detach().to(.bool)) }

    /// `condition ? a : b` for each element, broadcast. Mirrors `torch.where`.
    public static func `where`(
        _ condition: Tensor, _ a: Tensor, _ b: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(condition.dtype == .bool, "where: the condition is \(condition.dtype), not bool", site)
        let (a, b) = Tapestry.promoted(a, b, "where", site)
        require(
            Layout.broadcast(condition.shape, Layout.broadcast(a.shape, b.shape)!) != nil,
            "where: shapes do not broadcast: \(condition.shape), \(a.shape) and \(b.shape)", site)
        return Where(condition: condition.detach())(a, b, at: site)
    }

    /// Whether two tensors have one shape and all elements are within `atol + rtol · |other|`. Mirrors `torch.allclose`.
    public func isClose(to other: Tensor, rtol: Double = 1e-5, atol: Double = 1e-8) -> Bool {
        guard shape == other.shape else { return false }
        return zip(array(Double.self), other.array(Double.self)).allSatisfy {
            $0 == $1 || Swift.abs($0 - $1) <= atol + rtol * Swift.abs($1)
        }
    }
}
