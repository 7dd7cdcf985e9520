// The manifest's values, the case's tensors, and what can go wrong with them.
import Foundation
import Tapestry

/// Where MNIST lies. Safe: set once before any case runs.
nonisolated(unsafe) var mnistFolder = ""

/// A case that does not match, cannot be run, or names something that is missing.
enum CaseError: Error {
    /// The library does not offer an op, argument or mode.
    case unsupported(String)
    /// It runs and gives something else.
    case mismatch(String)
    /// The folder is not what FORMAT.md says.
    case broken(String)
}

/// A JSON value of the manifest.
struct Value {
    let raw: Any?
    init(_ raw: Any?) { self.raw = raw is NSNull ? nil : raw }

    subscript(_ key: String) -> Value { Value((raw as? [String: Any])?[key]) }
    var exists: Bool { raw != nil }
    var isNumber: Bool { raw is NSNumber && !isBool }
    var isBool: Bool { (raw as? NSNumber).map { CFBoolean.is($0) } ?? false }
    var string: String? { raw as? String }
    var int: Int? { isBool ? nil : (raw as? NSNumber)?.intValue }
    var bool: Bool? { isBool ? (raw as? NSNumber)?.boolValue : nil }
    var list: [Value]? { (raw as? [Any])?.map { Value($0) } }
    var keys: [String] { (raw as? [String: Any])?.keys.sorted() ?? [] }
    /// A number, or one of the strings that stand for floats.
    var double: Double? {
        switch raw as? String {
        case "inf": .infinity
        case "-inf": -.infinity
        case "nan": .nan
        default: isBool ? nil : (raw as? NSNumber)?.doubleValue
        }
    }
    var ints: [Int]? {
        if let int { return [int] }
        return list?.compactMap(\.int)
    }
    var doubles: [Double]? {
        if let double { return [double] }
        return list?.compactMap(\.double)
    }
}

/// Telling JSON's true from its 1.
enum CFBoolean {
    static func `is`(_ number: NSNumber) -> Bool {
        let type = String(cString: number.objCType)
        return type == "c" || type == "B"
    }
}

func dtype(_ name: String?) throws -> DType {
    guard let found = DType.allCases.first(where: { $0.description == name }) else {
        throw CaseError.unsupported("dtype \(name ?? "nil")")
    }
    return found
}

/// Arguments by name; those that nobody asks for are unsupported.
final class Args {
    let values: Value
    private var used: Set<String> = []
    init(_ values: Value) { self.values = values }

    subscript(_ name: String) -> Value {
        used.insert(name)
        return values[name]
    }
    func has(_ name: String) -> Bool { self[name].exists }
    func double(_ name: String, _ fallback: Double) -> Double { self[name].double ?? fallback }
    func int(_ name: String, _ fallback: Int) -> Int { self[name].int ?? fallback }
    func bool(_ name: String, _ fallback: Bool) -> Bool { self[name].bool ?? fallback }
    func pair(_ name: String) -> Pair? {
        guard let numbers = self[name].ints else { return nil }
        return numbers.count == 1 ? Pair(numbers[0]) : Pair(numbers[0], numbers[1])
    }
    func padding(_ name: String) throws -> Padding {
        switch self[name].string {
        case "same": return .same
        case "valid": return .valid
        case let text?: throw CaseError.unsupported("padding \(text)")
        case nil: return .both(pair(name) ?? 0)
        }
    }
    func reduction() throws -> Tensor.Reduction {
        let name = self["reduction"].string ?? "mean"
        guard let found = Tensor.Reduction(rawValue: name) else { throw CaseError.unsupported("reduction \(name)") }
        return found
    }
    /// Throws if an argument was given that the call did not look at.
    func finish() throws {
        if let rest = values.keys.first(where: { !used.contains($0) }) {
            throw CaseError.unsupported("argument \(rest)")
        }
    }
}

/// Compares as FORMAT.md section 4 says; throws a mismatch naming the tensor, the count, the first place and both values.
func compare(_ name: String, _ got: Tensor?, _ expected: Tensor, rtol: Double, atol: Double) throws {
    guard let got else { throw CaseError.mismatch("\(name): there is none") }
    if got.dtype != expected.dtype {
        throw CaseError.mismatch("\(name): dtype \(got.dtype), expected \(expected.dtype)")
    }
    if got.shape != expected.shape {
        throw CaseError.mismatch("\(name): shape \(got.shape), expected \(expected.shape)")
    }
    func report<T>(_ wrong: [Int], _ a: [T], _ b: [T]) throws {
        guard let first = wrong.first else { return }
        throw CaseError.mismatch(
            "\(name): \(wrong.count) of \(a.count) entries, first at \(first): got \(a[first]), expected \(b[first])")
    }
    if expected.dtype.isFloatingPoint {
        let (a, b) = (got.array(Double.self), expected.array(Double.self))
        try report(
            a.indices.filter { index in
                let (x, y) = (a[index], b[index])
                if x == y || (x.isNaN && y.isNaN) { return false }
                return !(x.isFinite && y.isFinite && abs(x - y) <= atol + rtol * abs(y))
            }, a, b)
    } else {
        let (a, b) = (got.array(Int.self), expected.array(Int.self))
        try report(a.indices.filter { a[$0] != b[$0] }, a, b)
    }
}

/// A case and the tensors of its group.
struct Case {
    let json: Value
    let tensors: [String: Tensor]

    var id: String { json["id"].string ?? "?" }
    var rtol: Double { json["rtol"].double ?? 0 }
    var atol: Double { json["atol"].double ?? 0 }
    var gradRtol: Double { json["grad_rtol"].double ?? rtol }
    var gradAtol: Double { json["grad_atol"].double ?? atol }

    /// A tensor of the group, in memory of its own.
    func tensor(_ key: String?) throws -> Tensor {
        guard let key, let tensor = tensors[key] else { throw CaseError.broken("tensor \(key ?? "nil") is missing") }
        return tensor.clone()
    }
    func expect(_ name: String, _ got: Tensor?, _ key: String?) throws {
        try compare(name, got?.detach(), try tensor(key), rtol: rtol, atol: atol)
    }
    func expectGradient(_ name: String, _ got: Tensor?, _ key: String?) throws {
        let expected = try tensor(key)
        try compare(
            "gradient of \(name)", got?.detach() ?? Tensor.zeros(like: expected), expected, rtol: gradRtol,
            atol: gradAtol)
    }

    /// The inputs: leaves, and the views of them that the op gets.
    func inputs() throws -> (leaves: [(name: String, leaf: Tensor)], named: [String: Tensor]) {
        var leaves: [(String, Tensor)] = []
        var named: [String: Tensor] = [:]
        for input in json["inputs"].list ?? [] {
            let name = input["name"].string ?? ""
            let leaf = try tensor(input["tensor"].string)
            if input["requires_grad"].bool == true { leaf.requiresGrad() }
            leaves.append((name, leaf))
            named[name] = try (input["view"].list ?? []).reduce(leaf) { x, step in
                switch step["op"].string {
                case "transpose": return x.transpose(step["dim0"].int!, step["dim1"].int!)
                case "permute": return x.permute(step["dims"].ints!)
                case "expand": return x.expand(step["size"].ints!)
                case "slice":
                    return x.slice(
                        dim: step["dim"].int!, start: step["start"].int, end: step["end"].int,
                        step: step["step"].int ?? 1)
                default: throw CaseError.unsupported("view \(step["op"].string ?? "")")
                }
            }
        }
        return (leaves, named)
    }

    /// Compares outputs, backpropagates the cotangents, compares gradients.
    func check(_ outputs: [Tensor], _ leaves: [(name: String, leaf: Tensor)]) throws {
        let keys = json["outputs"].list ?? []
        if outputs.count != keys.count { throw CaseError.mismatch("\(outputs.count) outputs, expected \(keys.count)") }
        for (index, key) in keys.enumerated() { try expect("output \(index)", outputs[index], key.string) }
        try backward(outputs)
        for name in json["grads"].keys {
            try expectGradient(name, leaves.first { $0.name == name }?.leaf.grad, json["grads"][name].string)
        }
    }

    /// L = Σ output · cotangent, then backward.
    func backward(_ outputs: [Tensor]) throws {
        var loss: Tensor?
        for (output, key) in zip(outputs, json["cotangents"].list ?? []) {
            guard let key = key.string else { continue }
            let term = (output * (try tensor(key))).sum()
            loss = loss.map { $0 + term } ?? term
        }
        if let loss, loss.requiresGrad { loss.backward() }
    }
}
