// Convolution, pooling, normalisation and losses by torch's names.
import Tapestry
import nn

private func one(_ body: @escaping (Call) throws -> Tensor) -> OpFunction { { [try body($0)] } }

nonisolated(unsafe) let convolutionOps: [String: OpFunction] = [
    "conv1d": one { c in
        Tensor.conv1d(
            try c.x, try c["weight"], bias: c.optional("bias"), stride: c.args["stride"].ints?[0] ?? 1,
            padding: try c.args.padding("padding"), dilation: c.args["dilation"].ints?[0] ?? 1,
            groups: c.args.int("groups", 1))
    },
    "conv2d": one { c in
        F.conv2d(
            try c.x, try c["weight"], bias: c.optional("bias"), stride: c.args.pair("stride") ?? 1,
            padding: try c.args.padding("padding"), dilation: c.args.pair("dilation") ?? 1,
            groups: c.args.int("groups", 1))
    },
    "conv_transpose2d": one { c in
        Tensor.convTranspose2d(
            try c.x, try c["weight"], bias: c.optional("bias"), stride: c.args.pair("stride") ?? 1,
            padding: c.args.pair("padding") ?? 0, outputPadding: c.args.pair("output_padding") ?? 0,
            groups: c.args.int("groups", 1), dilation: c.args.pair("dilation") ?? 1)
    },
    "max_pool2d": { c in
        let (output, indices) = try c.x.maxPool2dWithIndices(
            kernelSize: c.args.pair("kernel_size")!, stride: c.args.pair("stride"),
            padding: try c.args.padding("padding"),
            dilation: c.args.pair("dilation") ?? 1, ceilMode: c.args.bool("ceil_mode", false))
        return [output, indices]
    },
    "max_pool1d": one { c in
        F.maxPool1d(
            try c.x, kernelSize: c.args["kernel_size"].ints![0], stride: c.args["stride"].ints?[0],
            padding: c.args["padding"].ints?[0] ?? 0, dilation: c.args["dilation"].ints?[0] ?? 1,
            ceilMode: c.args.bool("ceil_mode", false))
    },
    "avg_pool2d": one { c in
        F.avgPool2d(
            try c.x, kernelSize: c.args.pair("kernel_size")!, stride: c.args.pair("stride"),
            padding: try c.args.padding("padding"), ceilMode: c.args.bool("ceil_mode", false),
            countIncludePad: c.args.bool("count_include_pad", true), divisorOverride: c.args["divisor_override"].int)
    },
    "avg_pool1d": one { c in
        F.avgPool1d(
            try c.x, kernelSize: c.args["kernel_size"].ints![0], stride: c.args["stride"].ints?[0],
            padding: c.args["padding"].ints?[0] ?? 0, ceilMode: c.args.bool("ceil_mode", false),
            countIncludePad: c.args.bool("count_include_pad", true))
    },
    "adaptive_avg_pool2d": one { c in F.adaptiveAvgPool2d(try c.x, outputSize(c)) },
    "adaptive_max_pool2d": { c in
        let (output, indices) = F.adaptiveMaxPool2d(try c.x, outputSize(c))
        return [output, indices]
    },
    "batch_norm": { c in
        let (mean, variance) = (c.optional("running_mean"), c.optional("running_var"))
        let training = c.args.bool("training", false)
        let y = F.batchNorm(
            try c.x, runningMean: mean, runningVar: variance, weight: c.optional("weight"), bias: c.optional("bias"),
            training: training, momentum: c.args.double("momentum", 0.1), eps: c.args.double("eps", 1e-5))
        guard training, let mean, let variance else { return [y] }
        return [y, mean, variance]
    },
    "layer_norm": one { c in
        F.layerNorm(
            try c.x, normalizedShape: c.args["normalized_shape"].ints ?? [], weight: c.optional("weight"),
            bias: c.optional("bias"), eps: c.args.double("eps", 1e-5))
    },
    "group_norm": one { c in
        F.groupNorm(
            try c.x, numGroups: c.args.int("num_groups", 1), weight: c.optional("weight"), bias: c.optional("bias"),
            eps: c.args.double("eps", 1e-5))
    },
    "instance_norm": one { c in
        F.instanceNorm(
            try c.x, runningMean: c.optional("running_mean"), runningVar: c.optional("running_var"),
            weight: c.optional("weight"), bias: c.optional("bias"), useInputStats: c.args.bool("use_input_stats", true),
            momentum: c.args.double("momentum", 0.1), eps: c.args.double("eps", 1e-5))
    },
    "local_response_norm": one { c in
        F.localResponseNorm(
            try c.x, size: c.args.int("size", 1), alpha: c.args.double("alpha", 1e-4),
            beta: c.args.double("beta", 0.75), k: c.args.double("k", 1))
    },
    "dropout": one { c in F.dropout(try c.x, p: c.args.double("p", 0.5), training: c.args.bool("training", true)) },
    "embedding": one { c in
        F.embedding(
            try c.x, try c["weight"], paddingIdx: c.args["padding_idx"].int,
            scaleGradByFreq: c.args.bool("scale_grad_by_freq", false))
    },
    "interpolate": one { c in
        let name = c.args["mode"].string ?? "nearest"
        guard let mode = F.InterpolationMode(rawValue: name) else { throw CaseError.unsupported("mode \(name)") }
        return F.interpolate(
            try c.x, size: c.args["size"].ints, scaleFactor: c.args["scale_factor"].doubles, mode: mode,
            alignCorners: c.args.bool("align_corners", false), antialias: c.args.bool("antialias", false))
    },
]

private func outputSize(_ c: Call) -> (Int?, Int?) {
    let value = c.args["output_size"]
    if let both = value.int { return (both, both) }
    return (value.list?[0].int, value.list?[1].int)
}

nonisolated(unsafe) let lossOps: [String: OpFunction] = [
    "mse_loss": one { c in F.mseLoss(try c.x, try c["target"], reduction: try c.args.reduction()) },
    "l1_loss": one { c in F.l1Loss(try c.x, try c["target"], reduction: try c.args.reduction()) },
    "smooth_l1_loss": one { c in
        F.smoothL1Loss(try c.x, try c["target"], reduction: try c.args.reduction(), beta: c.args.double("beta", 1))
    },
    "huber_loss": one { c in
        F.huberLoss(try c.x, try c["target"], reduction: try c.args.reduction(), delta: c.args.double("delta", 1))
    },
    "binary_cross_entropy": one { c in
        F.binaryCrossEntropy(try c.x, try c["target"], weight: c.optional("weight"), reduction: try c.args.reduction())
    },
    "binary_cross_entropy_with_logits": one { c in
        F.binaryCrossEntropyWithLogits(
            try c.x, try c["target"], weight: c.optional("weight"), reduction: try c.args.reduction(),
            posWeight: c.optional("pos_weight"))
    },
    "kl_div": one { c in
        F.klDiv(
            try c.x, try c["target"], reduction: F.KLReduction(rawValue: c.args["reduction"].string ?? "mean") ?? .mean,
            logTarget: c.args.bool("log_target", false))
    },
    "cross_entropy": one { c in
        F.crossEntropy(
            try c.x, try c["target"], weight: c.optional("weight"), ignoreIndex: c.args.int("ignore_index", -100),
            reduction: try c.args.reduction(), labelSmoothing: c.args.double("label_smoothing", 0))
    },
    "nll_loss": one { c in
        F.nllLoss(
            try c.x, try c["target"], weight: c.optional("weight"), ignoreIndex: c.args.int("ignore_index", -100),
            reduction: try c.args.reduction())
    },
    "margin_ranking_loss": one { c in
        F.marginRankingLoss(
            try c["input1"], try c["input2"], try c["target"], margin: c.args.double("margin", 0),
            reduction: try c.args.reduction())
    },
    "hinge_embedding_loss": one { c in
        F.hingeEmbeddingLoss(
            try c.x, try c["target"], margin: c.args.double("margin", 1), reduction: try c.args.reduction())
    },
    "soft_margin_loss": one { c in F.softMarginLoss(try c.x, try c["target"], reduction: try c.args.reduction()) },
    "poisson_nll_loss": one { c in
        F.poissonNLLLoss(
            try c.x, try c["target"], logInput: c.args.bool("log_input", true), full: c.args.bool("full", false),
            eps: c.args.double("eps", 1e-8), reduction: try c.args.reduction())
    },
    "cosine_similarity": one { c in
        F.cosineSimilarity(try c["x1"], try c["x2"], dim: c.args.int("dim", 1), eps: c.args.double("eps", 1e-8))
    },
    "cosine_embedding_loss": one { c in
        F.cosineEmbeddingLoss(
            try c["input1"], try c["input2"], try c["target"], margin: c.args.double("margin", 0),
            reduction: try c.args.reduction())
    },
    "triplet_margin_loss": one { c in
        F.tripletMarginLoss(
            try c["anchor"], try c["positive"], try c["negative"], margin: c.args.double("margin", 1),
            p: c.args.double("p", 2), swap: c.args.bool("swap", false), reduction: try c.args.reduction())
    },
]
