// Modules by torch's names: one line each.
import Tapestry
import nn

typealias ModuleMaker = (Args) throws -> Module

nonisolated(unsafe) let moduleTable: [String: ModuleMaker] = [
    "nn.Linear": { nn.Linear($0.int("in_features", 0), $0.int("out_features", 0), bias: $0.bool("bias", true)) },
    "nn.Conv2d": {
        nn.Conv2d(
            $0.int("in_channels", 0), $0.int("out_channels", 0), kernelSize: $0.pair("kernel_size")!,
            stride: $0.pair("stride") ?? 1, padding: try $0.padding("padding"), dilation: $0.pair("dilation") ?? 1,
            groups: $0.int("groups", 1), bias: $0.bool("bias", true))
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
]

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
    if order.count > 1 || !item.json["forward_args"].keys.isEmpty {
        throw CaseError.unsupported("\(item.json["op"].string ?? "") with \(order.count) inputs")
    }
    return [module(inputs[order[0]]!)]
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
    if state.count != item.json["expected"].keys.count { throw CaseError.mismatch("\(state.count) tensors in the state") }
}

/// A function of `init` by torch's name.
func initialize(_ name: String, _ tensor: Tensor, _ args: Args) throws {
    switch name {
    case "init.uniform_": nn.`init`.uniform_(tensor, a: args.double("a", 0), b: args.double("b", 1))
    default: throw CaseError.unsupported(name)
    }
}
