// An operation of random programs: how it is drawn, what it should do, how it is called, how it is written.
import Foundation
import Tapestry

/// Numbers drawn from a seed.
struct Draw {
    let generator: Tapestry.Generator
    init(seed: UInt64) { generator = Tapestry.Generator(seed: seed) }

    /// A number in `0 ..< count`.
    func below(_ count: Int) -> Int { Int(generator.random64() % UInt64(count)) }
    func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * generator.uniform() }
    func chance(_ share: Double) -> Bool { generator.uniform() < share }
    func element<T>(_ items: [T]) -> T { items[below(items.count)] }
    /// Some of `0 ..< count`, at least one unless `count` is 0.
    func some(of count: Int) -> [Int] {
        let chosen = (0..<count).filter { _ in chance(0.5) }
        return chosen.isEmpty && count > 0 ? [below(count)] : chosen
    }
    /// An order of `0 ..< count`.
    func order(_ count: Int) -> [Int] { generator.permutation(count) }
}

struct Operation: Sendable {
    enum Kind: Sendable { case fresh, view, inPlace }

    let name: String
    /// How many operands it takes.
    let arity: Int
    var kind = Kind.fresh
    /// Whether its gradient reads its operands or its result, so that they must not be changed later.
    var saves = true
    /// Whether its result may be the operand itself, which `noGrad` then does not take off the tape.
    var mayReturnOperand = false
    /// Parameters for the operands; nil where the operation is not defined, not smooth, or pointless.
    let draw: @Sendable (Draw, [Reference]) -> Parameters?
    let reference: @Sendable ([Reference], Parameters) -> Reference
    let tensor: @Sendable ([Tensor], Parameters) -> Tensor
    let script: @Sendable ([String], Parameters) -> String

    var isInPlace: Bool { kind == .inPlace }

    /// All, with the families that matter most several times, so that they are drawn more often.
    static let all: [Operation] =
        elementwise + pairs + pairs + shapes + shapes + arrangements + reductions + reductions + products + products
        + layers + layers + inPlace + inPlace + inPlace
    static let named = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }
}

/// No parameters, if the operands suit.
func plain(_ suits: Bool) -> Parameters? { suits ? Parameters() : nil }

/// An elementwise function of one operand, smooth where `domain` holds.
private func unary(
    _ name: String, saves: Bool = true, where domain: @escaping @Sendable (Double) -> Bool = { _ in true },
    _ f: @escaping @Sendable (Double) -> Double, _ tensor: @escaping @Sendable (Tensor) -> Tensor
) -> Operation {
    Operation(
        name: name, arity: 1, saves: saves, draw: { plain($1[0].values.allSatisfy(domain)) },
        reference: { x, _ in x[0].map(f) }, tensor: { x, _ in tensor(x[0]) },
        script: { x, _ in name == "-" ? "-\(x[0])" : "\(x[0]).\(name)()" })
}

/// An operand and a number.
private func scalar(
    _ name: String, _ range: ClosedRange<Double>, saves: Bool = false,
    where domain: @escaping @Sendable (Double) -> Bool = { _ in true },
    _ f: @escaping @Sendable (Double, Double) -> Double, _ tensor: @escaping @Sendable (Tensor, Double) -> Tensor,
    script: @escaping @Sendable (String, Double) -> String
) -> Operation {
    Operation(
        name: name, arity: 1, saves: saves,
        draw: { draw, x in
            guard x[0].values.allSatisfy(domain) else { return nil }
            return Parameters(number: (draw.uniform(range.lowerBound, range.upperBound) * 8).rounded() / 8)
        },
        reference: { x, p in x[0].map { f($0, p.number) } }, tensor: { x, p in tensor(x[0], p.number) },
        script: { x, p in script(x[0], p.number) })
}

/// Two operands that broadcast.
private func pair(
    _ name: String, saves: Bool = true, where domain: @escaping @Sendable (Double, Double) -> Bool = { _, _ in true },
    _ f: @escaping @Sendable (Double, Double) -> Double, _ tensor: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    script: @escaping @Sendable (String, String) -> String
) -> Operation {
    Operation(
        name: name, arity: 2, saves: saves,
        draw: { _, x in
            guard let shape = broadcast(x[0].shape, x[1].shape), product(shape) <= Generation.largest else {
                return nil
            }
            let (a, b) = (x[0].expanded(to: shape).values, x[1].expanded(to: shape).values)
            return plain(zip(a, b).allSatisfy(domain))
        },
        reference: { x, _ in x[0].combine(x[1], f) }, tensor: { x, _ in tensor(x[0], x[1]) },
        script: { x, _ in script(x[0], x[1]) })
}

private let isAwayFromZero: @Sendable (Double) -> Bool = { abs($0) > 0.3 }
private let isNoKink: @Sendable (Double) -> Bool = { abs($0) > 0.01 }
private let isPositive: @Sendable (Double) -> Bool = { $0 > 0.1 }
private let isInsideOne: @Sendable (Double) -> Bool = { abs($0) < 0.8 }
private let isNoInteger: @Sendable (Double) -> Bool = { abs($0 - $0.rounded()) > 0.01 && abs($0 - $0.rounded()) < 0.49 }

extension Operation {
    static let elementwise: [Operation] = [
        unary("exp", exp) { $0.exp() },
        unary("expm1", expm1) { $0.expm1() },
        unary("exp2", exp2) { $0.exp2() },
        unary("log", where: isPositive, log) { $0.log() },
        unary("log1p", where: { $0 > -0.8 }, log1p) { $0.log1p() },
        unary("log2", where: isPositive, log2) { $0.log2() },
        unary("log10", where: isPositive, log10) { $0.log10() },
        unary("sqrt", where: isPositive, { $0.squareRoot() }) { $0.sqrt() },
        unary("rsqrt", where: isPositive, { 1 / $0.squareRoot() }) { $0.rsqrt() },
        unary("reciprocal", where: isAwayFromZero, { 1 / $0 }) { $0.reciprocal() },
        unary("sin", sin) { $0.sin() },
        unary("cos", cos) { $0.cos() },
        unary("tan", where: { abs(cos($0)) > 0.3 }, tan) { $0.tan() },
        unary("asin", where: isInsideOne, asin) { $0.asin() },
        unary("acos", where: isInsideOne, acos) { $0.acos() },
        unary("atan", atan) { $0.atan() },
        unary("sinh", sinh) { $0.sinh() },
        unary("cosh", cosh) { $0.cosh() },
        unary("tanh", tanh) { $0.tanh() },
        unary("sigmoid", { 1 / (1 + exp(-$0)) }) { $0.sigmoid() },
        unary("erf", erf) { $0.erf() },
        unary("erfc", erfc) { $0.erfc() },
        unary("square", { $0 * $0 }) { $0.square() },
        unary("softplus", { log(1 + exp($0)) }) { $0.softplus() },
        unary("logSigmoid", { -log(1 + exp(-$0)) }) { $0.logSigmoid() },
        unary("silu", { $0 / (1 + exp(-$0)) }) { $0.silu() },
        unary("gelu", { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) }) { $0.gelu() },
        unary("mish", { $0 * tanh(log(1 + exp($0))) }) { $0.mish() },
        unary("-", saves: false, { -$0 }) { -$0 },
        unary("abs", where: isNoKink, abs) { $0.abs() },
        unary("relu", where: isNoKink, { max($0, 0) }) { $0.relu() },
        unary("relu6", where: { isNoKink($0) && abs($0 - 6) > 0.01 }, { min(max($0, 0), 6) }) { $0.relu6() },
        unary("leakyRelu", where: isNoKink, { $0 > 0 ? $0 : 0.01 * $0 }) { $0.leakyRelu() },
        unary("elu", where: isNoKink, { $0 > 0 ? $0 : exp($0) - 1 }) { $0.elu() },
        unary("softsign", where: isNoKink, { $0 / (1 + abs($0)) }) { $0.softsign() },
        unary("sign", where: isNoKink, { $0 > 0 ? 1 : -1 }) { $0.sign() },
        unary("floor", where: isNoInteger, { $0.rounded(.down) }) { $0.floor() },
        unary("round", where: isNoInteger, { $0.rounded(.toNearestOrEven) }) { $0.round() },
        unary("clone", saves: false, { $0 }) { $0.clone() },
        scalar("+ s", -2...2, +, { $0 + $1 }) { "\($0) + \($1)" },
        scalar("- s", -2...2, -, { $0 - $1 }) { "\($0) - \($1)" },
        scalar("s -", -2...2, { $1 - $0 }, { $1 - $0 }) { "\($1) - \($0)" },
        scalar("* s", -2...2, *, { $0 * $1 }) { "\($0) * \($1)" },
        scalar("/ s", 0.5...2, /, { $0 / $1 }) { "\($0) / \($1)" },
        scalar("s /", -2...2, saves: true, where: isAwayFromZero, { $1 / $0 }, { $1 / $0 }) { "\($1) / \($0)" },
        scalar("pow s", -2...3, saves: true, where: isPositive, pow, { $0.pow($1) }) { "\($0).pow(\($1))" },
        scalar("square cube", 2...3, saves: true, { pow($0, $1.rounded()) }, { $0.pow(Int($1.rounded())) }) {
            "\($0).pow(\(Int($1.rounded())))"
        },
        scalar(
            "clamp", -1...1, saves: true, where: { abs($0 * 8 - ($0 * 8).rounded()) > 0.02 }, max, { $0.clamp(min: $1) }
        ) {
            "\($0).clamp(min: \($1))"
        },
    ]

    static let pairs: [Operation] = [
        pair("+", saves: false, +, { $0 + $1 }) { "\($0) + \($1)" },
        pair("-b", saves: false, -, { $0 - $1 }) { "\($0) - \($1)" },
        pair("*", *, { $0 * $1 }) { "\($0) * \($1)" },
        pair("/", where: { isAwayFromZero($1) }, /, { $0 / $1 }) { "\($0) / \($1)" },
        pair("pow", where: { a, _ in isPositive(a) }, pow, { $0.pow($1) }) { "\($0).pow(\($1))" },
        pair("maximum", where: { isNoKink($0 - $1) }, max, { $0.maximum($1) }) { "\($0).maximum(\($1))" },
        pair("minimum", where: { isNoKink($0 - $1) }, min, { $0.minimum($1) }) { "\($0).minimum(\($1))" },
        pair("atan2", where: { isAwayFromZero($1) && ($1 > 0 || isNoKink($0)) }, atan2, { $0.atan2($1) }) {
            "\($0).atan2(\($1))"
        },
        pair("lerp", { $0 + ($1 - $0) * 0.3 }, { $0.lerp($1, weight: 0.3) }) { "\($0).lerp(\($1), weight: 0.3)" },
        pair("where", where: { a, _ in isNoKink(a) }, { $0 > 0 ? $0 : $1 }, { Tensor.where($0.gt(0), $0, $1) }) {
            "Tensor.where(\($0).gt(0), \($0), \($1))"
        },
        pair(
            "maskedFill", where: { _, b in isNoKink(b) }, { $1 > 0 ? 0.5 : $0 },
            {
                $0.expand(broadcast($0.shape, $1.shape)!).maskedFill($1.gt(0), 0.5)
            }
        ) { "\($0).maskedFill(\($1).gt(0), 0.5)" },
    ]
}
