// Ops by torch's names: one line each, calling what a user calls.
import Foundation
import Tapestry
import nn

/// An op's tensors and arguments by torch's names.
struct Call {
    let tensors: [String: Tensor]
    let args: Args

    /// The first argument, whatever it is called.
    var x: Tensor { get throws { try self["input"] } }
    subscript(_ name: String) -> Tensor {
        get throws {
            guard let tensor = tensors[name] else { throw CaseError.unsupported("no tensor \(name)") }
            return tensor
        }
    }
    func optional(_ name: String) -> Tensor? { tensors[name] }
    /// `name[0]`, `name[1]`, …
    func list(_ name: String) -> [Tensor] {
        var result: [Tensor] = []
        while let tensor = tensors["\(name)[\(result.count)]"] { result.append(tensor) }
        return result
    }
    /// The op with another tensor or a number.
    func with(
        _ name: String = "other", _ tensor: (Tensor, Tensor) throws -> Tensor,
        _ number: (Tensor, any TensorElement) throws -> Tensor
    ) throws -> Tensor {
        if let other = optional(name) { return try tensor(try x, other) }
        let value = args[name]
        if let flag = value.bool { return try number(try x, flag) }
        if value.raw is Int, let int = value.int, value.double == Double(int), !value.isFloat {
            return try number(try x, int)
        }
        guard let double = value.double else { throw CaseError.unsupported("\(name) is neither tensor nor number") }
        return try number(try x, double)
    }
    var dims: [Int]? { args["dim"].ints }
    var keepdim: Bool { args.bool("keepdim", false) }
}

extension Value {
    /// A number written with a point.
    var isFloat: Bool {
        guard let number = raw as? NSNumber else { return false }
        return ["d", "f"].contains(String(cString: number.objCType))
    }
}

typealias OpFunction = (Call) throws -> [Tensor]
private func one(_ body: @escaping (Call) throws -> Tensor) -> OpFunction { { [try body($0)] } }
private func unary(_ body: @escaping (Tensor) -> Tensor) -> OpFunction { { [body(try $0.x)] } }

func runOp(_ item: Case) throws {
    let (leaves, named) = try item.inputs()
    let outputs = try callOp(item.json["op"].string ?? "", named, item.json["args"])
    try item.check(outputs, leaves)
}

func callOp(_ name: String, _ tensors: [String: Tensor], _ args: Value) throws -> [Tensor] {
    guard let function = opTable[name] else { throw CaseError.unsupported(name) }
    let call = Call(tensors: tensors, args: Args(args))
    let outputs = try function(call)
    try call.args.finish()
    return outputs
}

nonisolated(unsafe) let opTable: [String: OpFunction] = elementwiseOps.merging(reductionOps) { $1 }
    .merging(shapeOps) { $1 }.merging(linearOps) { $1 }.merging(convolutionOps) { $1 }.merging(lossOps) { $1 }

nonisolated(unsafe) private let elementwiseOps: [String: OpFunction] = [
    "abs": unary { $0.abs() }, "ceil": unary { $0.ceil() }, "cos": unary { $0.cos() }, "erf": unary { $0.erf() },
    "exp": unary { $0.exp() }, "expm1": unary { $0.expm1() }, "floor": unary { $0.floor() }, "log": unary { $0.log() },
    "log10": unary { $0.log10() }, "log1p": unary { $0.log1p() }, "log2": unary { $0.log2() },
    "neg": unary { $0.neg() },
    "reciprocal": unary { $0.reciprocal() }, "relu": unary { F.relu($0) }, "relu6": unary { $0.relu6() },
    "round": unary { $0.round() }, "rsqrt": unary { $0.rsqrt() }, "selu": unary { $0.selu() },
    "sigmoid": unary { $0.sigmoid() }, "sign": unary { $0.sign() }, "silu": unary { $0.silu() },
    "sin": unary { $0.sin() },
    "softsign": unary { $0.softsign() }, "sqrt": unary { $0.sqrt() }, "square": unary { $0.square() },
    "tan": unary { $0.tan() }, "tanh": unary { $0.tanh() }, "mish": unary { $0.mish() },
    "logsigmoid": unary { $0.logSigmoid() },
    "hardsigmoid": unary { $0.hardsigmoid() }, "hardswish": unary { $0.hardswish() },
    "isfinite": unary { $0.isFinite() },
    "isinf": unary { $0.isInf() }, "isnan": unary { $0.isNaN() }, "logical_not": unary { $0.logicalNot() },
    "asin": unary { $0.asin() }, "acos": unary { $0.acos() }, "atan": unary { $0.atan() }, "sinh": unary { $0.sinh() },
    "cosh": unary { $0.cosh() }, "exp2": unary { $0.exp2() }, "erfc": unary { $0.erfc() },
    "trunc": unary { $0.trunc() },
    "clone": unary { $0.clone() },
    "add": one { c in
        let alpha = c.args["alpha"]
        if let other = c.optional("other") {
            return alpha.isFloat
                ? try c.x.add(other, alpha: alpha.double ?? 1) : try c.x.add(other, alpha: alpha.int ?? 1)
        }
        return try c.with("other", { $0 + $1 }, { plus($0, $1, alpha) })
    },
    "sub": one { c in
        let alpha = c.args["alpha"]
        if let other = c.optional("other") {
            return alpha.isFloat
                ? try c.x.sub(other, alpha: alpha.double ?? 1) : try c.x.sub(other, alpha: alpha.int ?? 1)
        }
        return try c.with("other", { $0 - $1 }, { minus($0, $1) })
    },
    "mul": one { c in try c.with("other", { $0 * $1 }, { times($0, $1) }) },
    "div": one { c in
        guard let mode = c.args["rounding_mode"].string else {
            return try c.with("other", { $0 / $1 }, { over($0, $1) })
        }
        guard let rounding = Tensor.Rounding(rawValue: mode) else {
            throw CaseError.unsupported("rounding_mode \(mode)")
        }
        return try c.with("other", { $0.div($1, rounding: rounding) }, { divided($0, $1, rounding) })
    },
    "rsub": one { c in try c.with("other", { $1 - $0 }, { reversedMinus($1, $0) }) },
    "rdiv": one { c in try c.with("other", { $1 / $0 }, { reversedOver($1, $0) }) },
    "pow": one { c in try c.with("exponent", { $0.pow($1) }, { power($0, $1) }) },
    "rpow": one { c in
        let base = c.args["self"]
        return base.isFloat ? Tensor.pow(base.double!, try c["exponent"]) : Tensor.pow(base.int!, try c["exponent"])
    },
    "remainder": one { c in try c.with("other", { $0.remainder($1) }, { rest($0, $1) }) },
    "fmod": one { c in try c.with("other", { $0.fmod($1) }, { truncatedRest($0, $1) }) },
    "maximum": one { c in try c.x.maximum(try c["other"]) }, "minimum": one { c in try c.x.minimum(try c["other"]) },
    "atan2": one { c in try c.x.atan2(try c["other"]) },
    "eq": one { c in try c.with("other", { $0.eq($1) }, { $0.eq($1) }) },
    "ne": one { c in try c.with("other", { $0.ne($1) }, { $0.ne($1) }) },
    "lt": one { c in try c.with("other", { $0.lt($1) }, { $0.lt($1) }) },
    "le": one { c in try c.with("other", { $0.le($1) }, { $0.le($1) }) },
    "gt": one { c in try c.with("other", { $0.gt($1) }, { $0.gt($1) }) },
    "ge": one { c in try c.with("other", { $0.ge($1) }, { $0.ge($1) }) },
    "logical_and": one { c in try c.x.logicalAnd(try c["other"]) },
    "logical_or": one { c in try c.x.logicalOr(try c["other"]) },
    "logical_xor": one { c in try c.x.logicalXor(try c["other"]) },
    "where": one { c in Tensor.where(try c["condition"], try c.x, try c["other"]) },
    "lerp": one { c in
        if let weight = c.optional("weight") { return try c.x.lerp(try c["end"], weight: weight) }
        return try c.x.lerp(try c["end"], weight: c.args.double("weight", 0))
    },
    "clamp": one { c in
        if c.optional("min") != nil || c.optional("max") != nil {
            return try c.x.clamp(min: c.optional("min"), max: c.optional("max"))
        }
        return try c.x.clamp(min: c.args["min"].double, max: c.args["max"].double)
    },
    "elu": one { c in try c.x.elu(alpha: c.args.double("alpha", 1)) },
    "celu": one { c in try c.x.celu(alpha: c.args.double("alpha", 1)) },
    "gelu": one { c in try c.x.gelu(tanh: c.args["approximate"].string == "tanh") },
    "glu": one { c in try c.x.glu(dim: c.args.int("dim", -1)) },
    "hardtanh": one { c in try c.x.hardtanh(minVal: c.args.double("min_val", -1), maxVal: c.args.double("max_val", 1))
    },
    "leaky_relu": one { c in try c.x.leakyRelu(negativeSlope: c.args.double("negative_slope", 0.01)) },
    "prelu": one { c in try c.x.prelu(try c["weight"]) },
    "softplus": one { c in try c.x.softplus(beta: c.args.double("beta", 1), threshold: c.args.double("threshold", 20))
    },
    "to": one { c in try c.x.to(try dtype(c.args["dtype"].string)) },
]

// Numbers of any type beside tensors.
private func plus<S: TensorElement>(_ x: Tensor, _ s: S, _ alpha: Value) -> Tensor {
    alpha.exists ? x.add(Tensor(s).to(x.dtype), alpha: alpha.double ?? 1) : x + s
}
private func minus<S: TensorElement>(_ x: Tensor, _ s: S) -> Tensor { x - s }
private func times<S: TensorElement>(_ x: Tensor, _ s: S) -> Tensor { x * s }
private func over<S: TensorElement>(_ x: Tensor, _ s: S) -> Tensor { x / s }
private func divided<S: TensorElement>(_ x: Tensor, _ s: S, _ r: Tensor.Rounding) -> Tensor { x.div(s, rounding: r) }
private func reversedMinus<S: TensorElement>(_ s: S, _ x: Tensor) -> Tensor { s - x }
private func reversedOver<S: TensorElement>(_ s: S, _ x: Tensor) -> Tensor { s / x }
private func power<S: TensorElement>(_ x: Tensor, _ s: S) -> Tensor { x.pow(s) }
private func rest<S: TensorElement>(_ x: Tensor, _ s: S) -> Tensor { x.remainder(s) }
private func truncatedRest<S: TensorElement>(_ x: Tensor, _ s: S) -> Tensor { x.fmod(s) }

nonisolated(unsafe) private let reductionOps: [String: OpFunction] = [
    "sum": one { c in try c.x.sum(dims: c.dims, keepdim: c.keepdim) },
    "mean": one { c in try c.x.mean(dims: c.dims, keepdim: c.keepdim) },
    "amax": one { c in try c.x.amax(dims: c.dims, keepdim: c.keepdim) },
    "amin": one { c in try c.x.amin(dims: c.dims, keepdim: c.keepdim) },
    "max": { c in
        guard let dim = c.args["dim"].int else { return [try c.x.max()] }
        let (values, indices) = try c.x.max(dim: dim, keepdim: c.keepdim)
        return [values, indices]
    },
    "min": { c in
        guard let dim = c.args["dim"].int else { return [try c.x.min()] }
        let (values, indices) = try c.x.min(dim: dim, keepdim: c.keepdim)
        return [values, indices]
    },
    "argmax": one { c in try c.x.argmax(dim: c.args["dim"].int, keepdim: c.keepdim) },
    "argmin": one { c in try c.x.argmin(dim: c.args["dim"].int, keepdim: c.keepdim) },
    "all": one { c in try c.x.all(dim: c.args["dim"].int, keepdim: c.keepdim) },
    "any": one { c in try c.x.any(dim: c.args["dim"].int, keepdim: c.keepdim) },
    "prod": one { c in
        guard let dim = c.args["dim"].int else { return try c.x.prod() }
        return try c.x.prod(dim: dim, keepdim: c.keepdim)
    },
    "var": one { c in try c.x.variance(dims: c.dims, correction: c.args.double("correction", 1), keepdim: c.keepdim) },
    "std": one { c in try c.x.std(dims: c.dims, correction: c.args.double("correction", 1), keepdim: c.keepdim) },
    "norm": one { c in try c.x.norm(p: c.args.double("p", 2), dims: c.dims, keepdim: c.keepdim) },
    "normalize": one { c in
        try c.x.normalize(p: c.args.double("p", 2), dim: c.args.int("dim", 1), eps: c.args.double("eps", 1e-12))
    },
    "logsumexp": one { c in try c.x.logsumexp(dims: c.dims ?? [], keepdim: c.keepdim) },
    "cumsum": one { c in try c.x.cumsum(dim: c.args.int("dim", 0)) },
    "cumprod": one { c in try c.x.cumprod(dim: c.args.int("dim", 0)) },
    "count_nonzero": one { c in try c.x.countNonzero(dim: c.args["dim"].int) },
    "softmax": one { c in try c.x.softmax(dim: c.args.int("dim", -1)) },
    "log_softmax": one { c in try c.x.logSoftmax(dim: c.args.int("dim", -1)) },
    "argsort": one { c in
        _ = c.args["stable"]
        return try c.x.argsort(dim: c.args.int("dim", -1), descending: c.args.bool("descending", false))
    },
    "sort": { c in
        _ = c.args["stable"]
        let (values, indices) = try c.x.sort(dim: c.args.int("dim", -1), descending: c.args.bool("descending", false))
        return [values, indices]
    },
    "topk": { c in
        _ = c.args["sorted"]
        let (values, indices) = try c.x.topk(
            c.args.int("k", 1), dim: c.args.int("dim", -1), largest: c.args.bool("largest", true))
        return [values, indices]
    },
]

/// Entries of a subscript as FORMAT.md writes them.
func indexEntries(_ value: Value) -> [IndexEntry] {
    (value.list ?? [value]).map { entry in
        if let index = entry.int { return .at(index) }
        if entry.string == "..." { return .ellipsis }
        if let slice = entry["slice"].list { return .slice(slice[0].int, slice[1].int, slice[2].int ?? 1) }
        return .newAxis
    }
}

nonisolated(unsafe) private let shapeOps: [String: OpFunction] = [
    "cat": one { c in Tensor.cat(c.list("tensors"), dim: c.args.int("dim", 0)) },
    "stack": one { c in Tensor.stack(c.list("tensors"), dim: c.args.int("dim", 0)) },
    "chunk": { c in try c.x.chunk(c.args.int("chunks", 1), dim: c.args.int("dim", 0)) },
    "split": { c in
        let sizes = c.args["split_size_or_sections"]
        let x = try c["tensor"]
        if let size = sizes.int { return x.split(size, dim: c.args.int("dim", 0)) }
        return x.split(sizes.ints ?? [], dim: c.args.int("dim", 0))
    },
    "unbind": { c in try c.x.unbind(dim: c.args.int("dim", 0)) },
    "diag": one { c in try c.x.diag(c.args.int("diagonal", 0)) },
    "diagonal": one { c in
        try c.x.diagonal(offset: c.args.int("offset", 0), dim1: c.args.int("dim1", 0), dim2: c.args.int("dim2", 1))
    },
    "expand": one { c in try c.x.expand(c.args["size"].ints ?? []) },
    "flatten": one { c in try c.x.flatten(startDim: c.args.int("start_dim", 0), endDim: c.args.int("end_dim", -1)) },
    "flip": one { c in try c.x.flip(c.args["dims"].ints ?? []) },
    "gather": one { c in try c.x.gather(dim: c.args.int("dim", 0), index: try c["index"]) },
    "getitem": one { c in try c.x.indexed(indexEntries(c.args["index"])) },
    "index_tensor": one { c in try c.x[try c["index"]] },
    "index_add": one { c in
        try c.x.indexAdd(
            dim: c.args.int("dim", 0), index: try c["index"], try c["source"], alpha: c.args.double("alpha", 1))
    },
    "index_select": one { c in try c.x.indexSelect(dim: c.args.int("dim", 0), index: try c["index"]) },
    "masked_fill": one { c in try c.x.maskedFill(try c["mask"], c.args.double("value", 0)) },
    "masked_select": one { c in try c.x.maskedSelect(try c["mask"]) },
    "movedim": one { c in try c.x.movedim(c.args.int("source", 0), c.args.int("destination", 0)) },
    "narrow": one { c in
        try c.x.narrow(dim: c.args.int("dim", 0), start: c.args.int("start", 0), length: c.args.int("length", 0))
    },
    "one_hot": one { c in try c.x.oneHot(c.args.int("num_classes", -1)) },
    "pad": one { c in
        guard let mode = Tensor.PadMode(rawValue: c.args["mode"].string ?? "constant") else {
            throw CaseError.unsupported("mode")
        }
        return try c.x.pad(c.args["pad"].ints ?? [], mode: mode, value: c.args.double("value", 0))
    },
    "permute": one { c in try c.x.permute(c.args["dims"].ints ?? []) },
    "pixel_shuffle": one { c in try c.x.pixelShuffle(c.args.int("upscale_factor", 1)) },
    "repeat": one { c in try c.x.repeat(c.args["repeats"].ints ?? []) },
    "repeat_interleave": one { c in try c.x.repeatInterleave(c.args.int("repeats", 1), dim: c.args["dim"].int) },
    "reshape": one { c in try c.x.reshape(c.args["shape"].ints ?? []) },
    "view": one { c in try c.x.view(c.args["size"].ints ?? []) },
    "roll": one { c in try c.x.roll(c.args["shifts"].ints ?? [], dims: c.args["dims"].ints ?? []) },
    "scatter": one { c in
        if let source = c.optional("src") {
            return try c.x.scatter(dim: c.args.int("dim", 0), index: try c["index"], source)
        }
        return try c.x.scatter(dim: c.args.int("dim", 0), index: try c["index"], c.args.double("value", 0))
    },
    "scatter_add": one { c in try c.x.scatterAdd(dim: c.args.int("dim", 0), index: try c["index"], try c["src"]) },
    "select": one { c in try c.x.select(dim: c.args.int("dim", 0), index: c.args.int("index", 0)) },
    "squeeze": one { c in
        let dim = c.args["dim"]
        if dim.list != nil { return try c.x.squeeze(dims: dim.ints ?? []) }
        return try c.x.squeeze(dim.int)
    },
    "swapaxes": one { c in try c.x.transpose(c.args.int("axis0", 0), c.args.int("axis1", 0)) },
    "transpose": one { c in try c.x.transpose(c.args.int("dim0", 0), c.args.int("dim1", 0)) },
    "take_along_dim": one { c in try c.x.takeAlongDim(try c["indices"], dim: c.args["dim"].int) },
    "tril": one { c in try c.x.tril(c.args.int("diagonal", 0)) },
    "triu": one { c in try c.x.triu(c.args.int("diagonal", 0)) },
    "unflatten": one { c in try c.x.unflatten(dim: c.args.int("dim", 0), c.args["sizes"].ints ?? []) },
    "unsqueeze": one { c in try c.x.unsqueeze(c.args.int("dim", 0)) },
    "unfold": one { c in
        try c.x.unfold(
            kernelSize: c.args.pair("kernel_size")!, dilation: c.args.pair("dilation") ?? 1,
            padding: c.args.pair("padding") ?? 0, stride: c.args.pair("stride") ?? 1)
    },
    "fold": one { c in
        try c.x.fold(
            outputSize: c.args.pair("output_size")!, kernelSize: c.args.pair("kernel_size")!,
            dilation: c.args.pair("dilation") ?? 1, padding: c.args.pair("padding") ?? 0,
            stride: c.args.pair("stride") ?? 1)
    },
]

nonisolated(unsafe) private let linearOps: [String: OpFunction] = [
    "matmul": one { c in try c.x.matmul(try c["other"]) }, "mm": one { c in try c.x.mm(try c["mat2"]) },
    "bmm": one { c in try c.x.bmm(try c["mat2"]) }, "mv": one { c in try c.x.mv(try c["vec"]) },
    "dot": one { c in try c.x.dot(try c["tensor"]) }, "outer": one { c in try c.x.outer(try c["vec2"]) },
    "trace": unary { $0.trace() },
    "addmm": one { c in
        try c.x.addmm(try c["mat1"], try c["mat2"], beta: c.args.double("beta", 1), alpha: c.args.double("alpha", 1))
    },
    "baddbmm": one { c in
        try c.x.baddbmm(
            try c["batch1"], try c["batch2"], beta: c.args.double("beta", 1), alpha: c.args.double("alpha", 1))
    },
    "einsum": one { c in Tensor.einsum(c.args["equation"].string ?? "", c.list("operands")) },
    "linear": one { c in F.linear(try c.x, try c["weight"], bias: c.optional("bias")) },
    "scaled_dot_product_attention": one { c in
        Tensor.scaledDotProductAttention(
            try c["query"], try c["key"], try c["value"], attnMask: c.optional("attn_mask"),
            isCausal: c.args.bool("is_causal", false), scale: c.args["scale"].double)
    },
]
