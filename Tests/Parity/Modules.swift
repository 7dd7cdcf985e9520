// Modules by torch's names: one line each.
import Foundation
import Tapestry
import nn

typealias ModuleMaker = (Args) throws -> Module

nonisolated(unsafe) let moduleTable: [String: ModuleMaker] = [
    "nn.Linear": { nn.Linear($0.int("in_features", 0), $0.int("out_features", 0), bias: $0.bool("bias", true)) },
    "nn.Conv2d": {
        nn.Conv2d(
            $0.int("in_channels", 0), $0.int("out_channels", 0), kernelSize: $0.pair("kernel_size")!,
            stride: $0.pair("stride") ?? 1, padding: try $0.padding("padding"), dilation: $0.pair("dilation") ?? 1,
            groups: $0.int("groups", 1), bias: $0.bool("bias", true),
            paddingMode: Tensor.PadMode(rawValue: $0["padding_mode"].string ?? "") ?? .constant)
    },
    "nn.MaxPool2d": {
        nn.MaxPool2d(
            $0.pair("kernel_size")!, stride: $0.pair("stride"), padding: try $0.padding("padding"),
            ceilMode: $0.bool("ceil_mode", false))
    },
    "nn.AvgPool2d": {
        nn.AvgPool2d(
            $0.pair("kernel_size")!, stride: $0.pair("stride"), padding: try $0.padding("padding"),
            ceilMode: $0.bool("ceil_mode", false), countIncludePad: $0.bool("count_include_pad", true))
    },
    "nn.ReLU": { _ in nn.ReLU() },
    "nn.Flatten": { nn.Flatten(startDim: $0.int("start_dim", 1), endDim: $0.int("end_dim", -1)) },
    "nn.Dropout": { nn.Dropout($0.double("p", 0.5)) },
    "nn.Sequential": { try sequential($0["modules"]) },
    "nn.Identity": { _ in nn.Identity() }, "nn.Sigmoid": { _ in nn.Sigmoid() }, "nn.Tanh": { _ in nn.Tanh() },
    "nn.SiLU": { _ in nn.SiLU() }, "nn.Hardswish": { _ in nn.Hardswish() }, "nn.Mish": { _ in nn.Mish() },
    "nn.ReLU6": { _ in nn.ReLU6() }, "nn.SELU": { _ in nn.SELU() },
    "nn.GELU": { nn.GELU(tanh: $0["approximate"].string == "tanh") },
    "nn.ELU": { nn.ELU(alpha: $0.double("alpha", 1)) },
    "nn.LeakyReLU": { nn.LeakyReLU(negativeSlope: $0.double("negative_slope", 0.01)) },
    "nn.Hardtanh": { nn.Hardtanh(minVal: $0.double("min_val", -1), maxVal: $0.double("max_val", 1)) },
    "nn.Softplus": { nn.Softplus(beta: $0.double("beta", 1), threshold: $0.double("threshold", 20)) },
    "nn.Softmax": { nn.Softmax(dim: $0.int("dim", -1)) }, "nn.LogSoftmax": { nn.LogSoftmax(dim: $0.int("dim", -1)) },
    "nn.PReLU": { nn.PReLU(numParameters: $0.int("num_parameters", 1), initial: $0.double("init", 0.25)) },
    "nn.BatchNorm1d": {
        try batchNorm($0) { nn.BatchNorm1d($0, eps: $1, momentum: $2, affine: $3, trackRunningStats: $4) }
    },
    "nn.BatchNorm2d": {
        try batchNorm($0) { nn.BatchNorm2d($0, eps: $1, momentum: $2, affine: $3, trackRunningStats: $4) }
    },
    "nn.LayerNorm": {
        nn.LayerNorm(
            $0["normalized_shape"].ints ?? [], eps: $0.double("eps", 1e-5),
            elementwiseAffine: $0.bool("elementwise_affine", true), bias: $0.bool("bias", true))
    },
    "nn.RMSNorm": {
        nn.RMSNorm(
            $0["normalized_shape"].ints ?? [], eps: $0["eps"].double,
            elementwiseAffine: $0.bool("elementwise_affine", true))
    },
    "nn.GroupNorm": {
        nn.GroupNorm(
            $0.int("num_groups", 1), $0.int("num_channels", 1), eps: $0.double("eps", 1e-5),
            affine: $0.bool("affine", true))
    },
    "nn.InstanceNorm2d": {
        nn.InstanceNorm2d(
            $0.int("num_features", 1), eps: $0.double("eps", 1e-5), momentum: $0.double("momentum", 0.1),
            affine: $0.bool("affine", false), trackRunningStats: $0.bool("track_running_stats", false))
    },
    "nn.LocalResponseNorm": {
        nn.LocalResponseNorm(
            $0.int("size", 1), alpha: $0.double("alpha", 1e-4), beta: $0.double("beta", 0.75), k: $0.double("k", 1))
    },
    "nn.Conv1d": {
        nn.Conv1d(
            $0.int("in_channels", 0), $0.int("out_channels", 0), kernelSize: $0["kernel_size"].ints?[0] ?? 1,
            stride: $0["stride"].ints?[0] ?? 1, padding: try $0.padding("padding"),
            dilation: $0["dilation"].ints?[0] ?? 1, groups: $0.int("groups", 1), bias: $0.bool("bias", true))
    },
    "nn.ConvTranspose2d": {
        nn.ConvTranspose2d(
            $0.int("in_channels", 0), $0.int("out_channels", 0), kernelSize: $0.pair("kernel_size")!,
            stride: $0.pair("stride") ?? 1, padding: try $0.padding("padding"),
            outputPadding: $0.pair("output_padding") ?? 0, groups: $0.int("groups", 1), bias: $0.bool("bias", true),
            dilation: $0.pair("dilation") ?? 1)
    },
    "nn.AdaptiveAvgPool2d": {
        let size = $0["output_size"]
        if let both = size.int { return nn.AdaptiveAvgPool2d(both) }
        return nn.AdaptiveAvgPool2d((size.list?[0].int, size.list?[1].int))
    },
    "nn.ZeroPad2d": { nn.ZeroPad2d($0["padding"].ints ?? []) },
    "nn.ReflectionPad2d": { nn.ReflectionPad2d($0["padding"].ints ?? []) },
    "nn.Upsample": {
        nn.Upsample(
            size: $0["size"].ints, scaleFactor: $0["scale_factor"].doubles,
            mode: F.InterpolationMode(rawValue: $0["mode"].string ?? "nearest") ?? .nearest,
            alignCorners: $0.bool("align_corners", false))
    },
    "nn.Unflatten": { nn.Unflatten($0.int("dim", 1), $0["unflattened_size"].ints ?? []) },
    "nn.Unfold": {
        nn.Unfold(
            $0.pair("kernel_size")!, dilation: $0.pair("dilation") ?? 1, padding: $0.pair("padding") ?? 0,
            stride: $0.pair("stride") ?? 1)
    },
    "nn.Embedding": {
        nn.Embedding($0.int("num_embeddings", 1), $0.int("embedding_dim", 1), paddingIdx: $0["padding_idx"].int)
    },
    "nn.RNN": {
        nn.RNN(
            $0.int("input_size", 1), $0.int("hidden_size", 1), numLayers: $0.int("num_layers", 1),
            relu: $0["nonlinearity"].string == "relu", bias: $0.bool("bias", true),
            batchFirst: $0.bool("batch_first", false), bidirectional: $0.bool("bidirectional", false))
    },
    "nn.GRU": {
        nn.GRU(
            $0.int("input_size", 1), $0.int("hidden_size", 1), numLayers: $0.int("num_layers", 1),
            bias: $0.bool("bias", true), batchFirst: $0.bool("batch_first", false),
            bidirectional: $0.bool("bidirectional", false))
    },
    "nn.LSTM": {
        nn.LSTM(
            $0.int("input_size", 1), $0.int("hidden_size", 1), numLayers: $0.int("num_layers", 1),
            bias: $0.bool("bias", true), batchFirst: $0.bool("batch_first", false),
            bidirectional: $0.bool("bidirectional", false), projSize: $0.int("proj_size", 0))
    },
    "nn.RNNCell": {
        nn.RNNCell(
            $0.int("input_size", 1), $0.int("hidden_size", 1), bias: $0.bool("bias", true),
            relu: $0["nonlinearity"].string == "relu")
    },
    "nn.GRUCell": { nn.GRUCell($0.int("input_size", 1), $0.int("hidden_size", 1), bias: $0.bool("bias", true)) },
    "nn.LSTMCell": { nn.LSTMCell($0.int("input_size", 1), $0.int("hidden_size", 1), bias: $0.bool("bias", true)) },
    "nn.MultiheadAttention": {
        nn.MultiheadAttention(
            $0.int("embed_dim", 1), $0.int("num_heads", 1), dropout: $0.double("dropout", 0),
            bias: $0.bool("bias", true),
            kdim: $0["kdim"].int, vdim: $0["vdim"].int, batchFirst: $0.bool("batch_first", false))
    },
    "nn.TransformerEncoderLayer": {
        nn.TransformerEncoderLayer(
            $0.int("d_model", 1), $0.int("nhead", 1), dimFeedforward: $0.int("dim_feedforward", 2048),
            dropout: $0.double("dropout", 0.1),
            activation: TransformerEncoderLayer.Activation(rawValue: $0["activation"].string ?? "relu") ?? .relu,
            layerNormEps: $0.double("layer_norm_eps", 1e-5), batchFirst: $0.bool("batch_first", false),
            normFirst: $0.bool("norm_first", false), bias: $0.bool("bias", true))
    },
]

private func batchNorm(_ a: Args, _ make: (Int, Double, Double?, Bool, Bool) -> Module) throws -> Module {
    // Absent means torch's default, null the plain mean.
    let isNull = (a.values.raw as? [String: Any])?["momentum"] is NSNull
    let momentum: Double? = isNull ? nil : a.double("momentum", 0.1)
    _ = a["momentum"]
    return make(
        a.int("num_features", 1), a.double("eps", 1e-5), momentum, a.bool("affine", true),
        a.bool("track_running_stats", true))
}

func sequential(_ list: Value) throws -> Sequential {
    Sequential(try (list.list ?? []).map { try makeModule($0.list?[0].string ?? "", $0.list?[1] ?? Value(nil)) })
}

func makeModule(_ name: String, _ args: Value) throws -> Module {
    guard let maker = moduleTable[name] else { throw CaseError.unsupported(name) }
    let arguments = Args(args)
    let module = try maker(arguments)
    try arguments.finish()
    return module
}

/// Loads a state given by key names, in the case's dtype.
func load(_ module: Module, _ state: Value, _ item: Case) throws {
    var tensors: [String: Tensor] = [:]
    for name in state.keys { tensors[name] = try item.tensor(state[name].string) }
    try module.loadStateDict(tensors)
}

func runModule(_ item: Case) throws {
    let module = try makeModule(item.json["op"].string ?? "", item.json["args"])
    module.to(try dtype(item.json["dtype"].string))
    try load(module, item.json["state_before"], item)
    module.train(item.json["mode"].string == "train")
    let (leaves, named) = try item.inputs()
    var outputs: [Tensor] = []
    for _ in 0..<(item.json["forwards"].int ?? 1) {
        outputs = try forward(module, item, leaves.map(\.name), named)
    }
    try item.check(outputs, leaves)
    let parameters = module.namedParameters()
    for name in item.json["param_grads"].keys {
        guard let parameter = parameters.first(where: { $0.name == name })?.parameter else {
            throw CaseError.mismatch("there is no parameter \(name)")
        }
        try item.expectGradient(name, parameter.grad, item.json["param_grads"][name].string)
    }
    let state = module.stateDict()
    for name in item.json["state_after"].keys {
        try item.expect(name, state.first { $0.name == name }?.tensor, item.json["state_after"][name].string)
    }
}

/// Calls a module with its inputs: the first by position, others by name.
private func forward(_ module: Module, _ item: Case, _ order: [String], _ inputs: [String: Tensor]) throws -> [Tensor] {
    let first = inputs[order[0]]!
    let args = Args(item.json["forward_args"])
    let outputs: [Tensor]
    switch module {
    case let layer as RNN:
        let result = layer(first, inputs["hx"])
        outputs = [result.output, result.h]
    case let layer as GRU:
        let result = layer(first, inputs["hx"])
        outputs = [result.output, result.h]
    case let layer as LSTM:
        let result = layer(first, inputs["hx[0]"].map { ($0, inputs["hx[1]"]!) })
        outputs = [result.output, result.state.h, result.state.c]
    case let cell as RNNCell: outputs = [cell(first, inputs["hx"])]
    case let cell as GRUCell: outputs = [cell(first, inputs["hx"])]
    case let cell as LSTMCell:
        let result = cell(first, inputs["hx[0]"].map { ($0, inputs["hx[1]"]!) })
        outputs = [result.h, result.c]
    case let attention as MultiheadAttention:
        let result = attention(
            first, inputs["key"]!, inputs["value"]!, keyPaddingMask: inputs["key_padding_mask"],
            needWeights: args.bool("need_weights", true), attnMask: inputs["attn_mask"],
            averageAttnWeights: args.bool("average_attn_weights", true))
        outputs = [result.output] + (result.weights.map { [$0] } ?? [])
    case let layer as TransformerEncoderLayer:
        outputs = [layer(first, srcMask: inputs["src_mask"], srcKeyPaddingMask: inputs["src_key_padding_mask"])]
    default:
        if order.count > 1 { throw CaseError.unsupported("\(item.json["op"].string ?? "") with \(order.count) inputs") }
        outputs = [module(first)]
    }
    try args.finish()
    return outputs
}

func runInit(_ item: Case) throws {
    manualSeed(UInt64(item.json["seed"].int ?? 0))
    let name = item.json["op"].string ?? ""
    if name.hasPrefix("init.") {
        let tensor = Tensor.empty(item.json["shape"].ints ?? [], dtype: try dtype(item.json["dtype"].string))
        let args = Args(item.json["args"])
        try initialize(name, tensor, args)
        try args.finish()
        return try item.expect("tensor", tensor, item.json["expected"]["tensor"].string)
    }
    let module = try makeModule(name, item.json["args"])
    let state = module.stateDict()
    for key in item.json["expected"].keys {
        try item.expect(key, state.first { $0.name == key }?.tensor, item.json["expected"][key].string)
    }
    if state.count != item.json["expected"].keys.count {
        throw CaseError.mismatch("\(state.count) tensors in the state")
    }
}

/// A function of `init` by torch's name.
func initialize(_ name: String, _ tensor: Tensor, _ args: Args) throws {
    typealias Init = nn.`init`
    let mode = Init.FanMode(rawValue: args["mode"].string ?? "fan_in") ?? .fanIn
    switch name {
    case "init.uniform_": Init.uniform_(tensor, a: args.double("a", 0), b: args.double("b", 1))
    case "init.normal_": Init.normal_(tensor, mean: args.double("mean", 0), std: args.double("std", 1))
    case "init.constant_": Init.constant_(tensor, args.double("val", 0))
    case "init.zeros_": Init.zeros_(tensor)
    case "init.ones_": Init.ones_(tensor)
    case "init.eye_": Init.eye_(tensor)
    case "init.dirac_": Init.dirac_(tensor, groups: args.int("groups", 1))
    case "init.xavier_uniform_": Init.xavierUniform_(tensor, gain: args.double("gain", 1))
    case "init.xavier_normal_": Init.xavierNormal_(tensor, gain: args.double("gain", 1))
    case "init.kaiming_uniform_":
        Init.kaimingUniform_(
            tensor, a: args.double("a", 0), mode: mode, nonlinearity: args["nonlinearity"].string ?? "leaky_relu")
    case "init.kaiming_normal_":
        Init.kaimingNormal_(
            tensor, a: args.double("a", 0), mode: mode, nonlinearity: args["nonlinearity"].string ?? "leaky_relu")
    case "init.trunc_normal_":
        Init.truncNormal_(
            tensor, mean: args.double("mean", 0), std: args.double("std", 1), a: args.double("a", -2),
            b: args.double("b", 2))
    case "init.sparse_": Init.sparse_(tensor, sparsity: args.double("sparsity", 0), std: args.double("std", 0.01))
    case "init.orthogonal_": Init.orthogonal_(tensor, gain: args.double("gain", 1))
    default: throw CaseError.unsupported(name)
    }
}
