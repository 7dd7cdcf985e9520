// Copies of elements: between layouts, between dtypes, and into gradients.
import Foundation
import Kernels

extension Tensor {
    /// A contiguous copy off the tape.
    func copied() -> Tensor {
        let result = Tensor(uninitializedLike: self)
        result.copyElements(from: self)
        return result
    }

    /// Overwrites the elements with those of `source`, which broadcasts to this shape and may have another dtype.
    /// A view of the same memory, as in `x.copy_(x.transpose(0, 1))`, is copied first: it would change while it is read.
    func copyElements(from source: Tensor) {
        if source.storage === storage { return copyElements(from: source.copied()) }
        let size = dtype.size
        if source.dtype == dtype, source.shape == shape, source.isContiguous, isContiguous {
            let (from, to) = (source.pointer, pointer)
            Parallel.forRanges(of: count, size: 1 << 16, work: count / 2) { _, range in
                (to + range.lowerBound * size).copyMemory(
                    from: from + range.lowerBound * size, byteCount: range.count * size)
            }
            return
        }
        let loop = StridedLoop([source.layout.expanded(to: shape)!, layout])
        let (from, to, steps) = (source.storage.pointer, storage.pointer, loop.runStrides)
        if source.dtype != dtype {
            let sourceSize = source.dtype.size
            let convert = Tensor.converter(source.dtype, dtype)
            loop.forEachRun(cost: 1) { count, at in
                convert(count, from + at[0] * sourceSize, steps[0], to + at[1] * size, steps[1])
            }
            return
        }
        loop.forEachRun(cost: 1) { count, at in
            let (p, q) = (from + at[0] * size, to + at[1] * size)
            switch size {
            case _ where steps[0] == 1 && steps[1] == 1: q.copyMemory(from: p, byteCount: count * size)
            case 8:
                moveRun(count, p.assumingMemoryBound(to: UInt64.self), q.assumingMemoryBound(to: UInt64.self), steps)
            case 4:
                moveRun(count, p.assumingMemoryBound(to: UInt32.self), q.assumingMemoryBound(to: UInt32.self), steps)
            default: moveRun(count, p.assumingMemoryBound(to: UInt8.self), q.assumingMemoryBound(to: UInt8.self), steps)
            }
        }
    }

    /// `self += gradient`, same shape and dtype; this tensor is contiguous and nobody else's.
    func accumulate(_ gradient: Tensor) {
        let kernels = Engine.kernels(dtype)
        let size = dtype.size
        let loop = StridedLoop([gradient.layout, layout])
        let (from, to, steps) = (gradient.storage.pointer, storage.pointer, loop.runStrides)
        loop.forEachRun { count, at in
            let target = to + at[1] * size
            kernels.binary(
                .add, count, UnsafeRawPointer(target), steps[1], UnsafeRawPointer(from + at[0] * size), steps[0],
                target, steps[1])
        }
    }

    /// The same where places of this layout may coincide: one element after another.
    func accumulateSerially(_ gradient: Tensor) {
        let loop = StridedLoop([gradient.layout, layout])
        let (from, to, steps) = (gradient.storage.pointer, storage.pointer, loop.runStrides)
        func run<T: BinaryFloatingPoint>(_: T.Type) {
            let (source, target) = (from.assumingMemoryBound(to: T.self), to.assumingMemoryBound(to: T.self))
            loop.forEachRun(parallel: false) { count, at in
                for index in 0..<count { target[at[1] + index * steps[1]] += source[at[0] + index * steps[0]] }
            }
        }
        if dtype == .float64 { run(Double.self) } else { run(Float.self) }
    }

    /// Whether any element is NaN.
    var containsNaN: Bool {
        guard dtype.isFloatingPoint else { return false }
        let plain = packed()
        return dtype == .float64
            ? UnsafeBufferPointer(start: plain.pointer(as: Double.self), count: count).contains { $0.isNaN }
            : UnsafeBufferPointer(start: plain.pointer(as: Float.self), count: count).contains { $0.isNaN }
    }

    private typealias Converter = (Int, UnsafeMutableRawPointer, Int, UnsafeMutableRawPointer, Int) -> Void

    /// A run's conversion between two dtypes.
    private static func converter(_ from: DType, _ to: DType) -> Converter {
        switch from {
        case .float32: converter(Float.self, to)
        case .float64: converter(Double.self, to)
        case .int64: converter(Int.self, to)
        case .int32: converter(Int32.self, to)
        case .uint8: converter(UInt8.self, to)
        case .bool: converter(Bool.self, to)
        }
    }

    private static func converter<From: Convertible>(_: From.Type, _ to: DType) -> Converter {
        func run<To: Convertible>(_: To.Type) -> Converter {
            { count, from, fromStep, to, toStep in
                let (p, q) = (from.assumingMemoryBound(to: From.self), to.assumingMemoryBound(to: To.self))
                for index in 0..<count { q[index * toStep] = To(converting: p[index * fromStep]) }
            }
        }
        return switch to {
        case .float32: run(Float.self)
        case .float64: run(Double.self)
        case .int64: run(Int.self)
        case .int32: run(Int32.self)
        case .uint8: run(UInt8.self)
        case .bool: run(Bool.self)
        }
    }
}

private func moveRun<T>(_ count: Int, _ from: UnsafeMutablePointer<T>, _ to: UnsafeMutablePointer<T>, _ steps: [Int]) {
    for index in 0..<count { to[index * steps[1]] = from[index * steps[0]] }
}

/// Conversion between element types as torch's casts do it: fractions cut off, integers wrap, non-zero is true.
protocol Convertible {
    var real: Double { get }
    var integer: Int { get }
    var isReal: Bool { get }
    init<T: Convertible>(converting value: T)
}

extension Float: Convertible {
    var real: Double { Double(self) }
    var integer: Int { Int(saturating: Double(self)) }
    var isReal: Bool { true }
    init<T: Convertible>(converting value: T) { self = value.isReal ? Float(value.real) : Float(value.integer) }
}
extension Double: Convertible {
    var real: Double { self }
    var integer: Int { Int(saturating: self) }
    var isReal: Bool { true }
    init<T: Convertible>(converting value: T) { self = value.isReal ? value.real : Double(value.integer) }
}
extension Int: Convertible {
    var real: Double { Double(self) }
    var integer: Int { self }
    var isReal: Bool { false }
    init<T: Convertible>(converting value: T) { self = value.integer }
}
extension Int32: Convertible {
    var real: Double { Double(self) }
    var integer: Int { Int(self) }
    var isReal: Bool { false }
    init<T: Convertible>(converting value: T) { self = Int32(truncatingIfNeeded: value.integer) }
}
extension UInt8: Convertible {
    var real: Double { Double(self) }
    var integer: Int { Int(self) }
    var isReal: Bool { false }
    init<T: Convertible>(converting value: T) { self = UInt8(truncatingIfNeeded: value.integer) }
}
extension Bool: Convertible {
    var real: Double { self ? 1 : 0 }
    var integer: Int { self ? 1 : 0 }
    var isReal: Bool { false }
    init<T: Convertible>(converting value: T) { self = value.isReal ? value.real != 0 : value.integer != 0 }
}
