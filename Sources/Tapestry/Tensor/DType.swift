// Element types of tensors, their promotion, and the Swift types that stand for them.

/// The type of a tensor's elements. The order of the cases is the order of promotion.
public enum DType: UInt8, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    case bool, uint8, int32, int64, float32, float64

    /// Size of an element in bytes.
    public var size: Int {
        switch self {
        case .bool, .uint8: 1
        case .int32, .float32: 4
        case .int64, .float64: 8
        }
    }

    /// Whether the type is `float32` or `float64`: only such tensors can require gradients.
    public var isFloatingPoint: Bool { self >= .float32 }

    /// Name as torch has it, without its prefix: `float32`, `int64`, …
    public var description: String {
        switch self {
        case .bool: "bool"
        case .uint8: "uint8"
        case .int32: "int32"
        case .int64: "int64"
        case .float32: "float32"
        case .float64: "float64"
        }
    }

    public static func < (a: DType, b: DType) -> Bool { a.rawValue < b.rawValue }

    /// bool, integer, floating: a wider category wins over any size. Mirrors torch's promotion.
    var category: Int { self == .bool ? 0 : isFloatingPoint ? 2 : 1 }

    /// The dtype of `a op b`, as `torch.result_type`: 0-d tensors only count when their category is higher.
    static func promoted(_ a: Tensor, _ b: Tensor) -> DType {
        if a.dtype == b.dtype { return a.dtype }
        if (a.rank == 0) != (b.rank == 0) {
            let (dimensioned, scalar) = a.rank == 0 ? (b.dtype, a.dtype) : (a.dtype, b.dtype)
            return scalar.category > dimensioned.category ? Swift.max(scalar, dimensioned) : dimensioned
        }
        return Swift.max(a.dtype, b.dtype)
    }

    /// The dtype of `a op number`: a Swift number only counts when its category is higher.
    static func promoted(_ a: DType, _ number: Scalar) -> DType {
        switch number {
        case .double: a.isFloatingPoint ? a : .float32
        case .int: a == .bool ? .int64 : a
        case .bool: a
        }
    }
}

/// A Swift number beside a tensor: `x * 2`, `x.pow(0.5)`.
public enum Scalar: Sendable, Equatable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral
{
    case double(Double), int(Int), bool(Bool)

    public init(floatLiteral value: Double) { self = .double(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// The number as a Double.
    public var double: Double {
        switch self {
        case .double(let value): value
        case .int(let value): Double(value)
        case .bool(let value): value ? 1 : 0
        }
    }

    /// The number as an Int; fractions are cut off, what does not fit saturates.
    public var int: Int {
        switch self {
        case .double(let value): Int(saturating: value)
        case .int(let value): value
        case .bool(let value): value ? 1 : 0
        }
    }
}

/// A Swift type that a tensor's elements can be read and written as.
public protocol TensorElement: Sendable {
    /// The dtype whose elements are stored as this type.
    static var dtype: DType { get }
    /// This value as a number beside a tensor.
    var scalar: Scalar { get }
    /// The number converted as torch's casts do: fractions cut off, non-zero is true.
    init(_ scalar: Scalar)
}

extension Float: TensorElement {
    public static var dtype: DType { .float32 }
    public var scalar: Scalar { .double(Double(self)) }
    public init(_ scalar: Scalar) { self = Float(scalar.double) }
}
extension Double: TensorElement {
    public static var dtype: DType { .float64 }
    public var scalar: Scalar { .double(self) }
    public init(_ scalar: Scalar) { self = scalar.double }
}
extension Int: TensorElement {
    public static var dtype: DType { .int64 }
    public var scalar: Scalar { .int(self) }
    public init(_ scalar: Scalar) { self = scalar.int }
    /// Cuts off the fraction; what does not fit becomes the nearest Int, NaN becomes `Int.min` (as x86 does).
    init(saturating value: Double) {
        self = Int(exactly: value.rounded(.towardZero)) ?? (value > 0 ? Int.max : Int.min)
    }
}
extension Int32: TensorElement {
    public static var dtype: DType { .int32 }
    public var scalar: Scalar { .int(Int(self)) }
    public init(_ scalar: Scalar) { self = Int32(truncatingIfNeeded: scalar.int) }
}
extension UInt8: TensorElement {
    public static var dtype: DType { .uint8 }
    public var scalar: Scalar { .int(Int(self)) }
    public init(_ scalar: Scalar) { self = UInt8(truncatingIfNeeded: scalar.int) }
}
extension Bool: TensorElement {
    public static var dtype: DType { .bool }
    public var scalar: Scalar { .bool(self) }
    public init(_ scalar: Scalar) {
        switch scalar {
        case .double(let value): self = value != 0
        case .int(let value): self = value != 0
        case .bool(let value): self = value
        }
    }
}
