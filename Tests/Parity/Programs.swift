// Programs of steps on named tensors: the rules of autograd.
import Tapestry

func runProgram(_ item: Case) throws {
    /// Nil: a gradient that was asked for and is not there.
    var names: [String: Tensor?] = [:]
    func tensor(_ name: String?) throws -> Tensor {
        guard let name, let found = try value(name) else { throw CaseError.broken("no tensor named \(name ?? "nil")") }
        return found
    }
    /// A name, or `NAME.grad`.
    func value(_ name: String?) throws -> Tensor? {
        guard let name else { return nil }
        if let known = names[name] { return known }
        guard name.hasSuffix(".grad") else { throw CaseError.broken("no tensor named \(name)") }
        return try tensor(String(name.dropLast(5))).grad
    }
    func run(_ steps: [Value]) throws {
        for step in steps {
            let of = step["of"].string
            switch step["do"].string {
            case "leaf":
                let leaf = try item.tensor(step["tensor"].string)
                names[step["name"].string!] = step["requires_grad"].bool == true ? leaf.requiresGrad() : leaf
            case "op":
                var inputs: [String: Tensor] = [:]
                for input in step["inputs"].list ?? [] {
                    inputs[input.list![0].string!] = try value(input.list![1].string)
                }
                let results = try callOp(step["op"].string ?? "", inputs, step["args"])
                for (name, result) in zip(step["out"].list ?? [], results) { names[name.string!] = result }
            case "backward":
                try tensor(of).backward(
                    gradient: try step["gradient"].string.flatMap { try value($0) },
                    retainGraph: step["retain_graph"].bool, createGraph: step["create_graph"].bool ?? false)
            case "grad":
                let outputs = try (step["outputs"].list ?? []).map { try value($0.string)! }
                let inputs = try (step["inputs"].list ?? []).map { try value($0.string)! }
                let starts = try step["grad_outputs"].list?.map { try value($0.string) }
                let results = grad(
                    outputs: outputs, inputs: inputs, gradOutputs: starts, retainGraph: step["retain_graph"].bool,
                    createGraph: step["create_graph"].bool ?? false, allowUnused: step["allow_unused"].bool ?? false)
                for (name, result) in zip(step["out"].list ?? [], results) { names[name.string!] = .some(result) }
            case "zero_grad": try tensor(of).grad = nil
            case "detach": names[step["out"].string!] = try tensor(of).detach()
            case "clone": names[step["out"].string!] = try tensor(of).clone()
            case "requires_grad_": try tensor(of).requiresGrad(step["value"].bool ?? true)
            case "retain_grad": try tensor(of).retainGrad()
            case "no_grad": try noGrad { try run(step["steps"].list ?? []) }
            case "enable_grad": try enableGrad { try run(step["steps"].list ?? []) }
            case "inplace":
                let target = try tensor(of)
                let other = try step["inputs"].list?.first.flatMap { try value($0.list?[1].string ?? $0.string) }
                let number = step["args"].list?.first ?? step["args"]["other"]
                switch (step["op"].string, other) {
                case ("add_", let other?): target.add_(other)
                case ("sub_", let other?): target.sub_(other)
                case ("mul_", let other?): target.mul_(other)
                case ("add_", nil): target.add_(number.double!)
                case ("sub_", nil): target.sub_(number.double!)
                case ("mul_", nil): target.mul_(number.double!)
                case ("relu_", _): target.relu_()
                default: throw CaseError.unsupported("in-place \(step["op"].string ?? "")")
                }
            case "assign_slice":
                let target = try tensor(of)
                if let source = step["value"].string {
                    target.indexed(indexEntries(step["index"])).copy_(try value(source)!)
                } else {
                    target.indexed(indexEntries(step["index"])).fill_(step["value"].double!)
                }
            case "expect": try item.expect(of ?? "", try value(of), step["tensor"].string)
            case "expect_none":
                if try value(of) != nil { throw CaseError.mismatch("\(of ?? "") is there, expected none") }
            case "expect_flags":
                let target = try tensor(of)
                if let flag = step["requires_grad"].bool, target.requiresGrad != flag {
                    throw CaseError.mismatch("\(of ?? "").requiresGrad is \(!flag)")
                }
                if let flag = step["is_leaf"].bool, target.isLeaf != flag {
                    throw CaseError.mismatch("\(of ?? "").isLeaf is \(!flag)")
                }
            case let kind: throw CaseError.unsupported("step \(kind ?? "nil")")
            }
        }
    }
    try run(item.json["program"].list ?? [])
}
