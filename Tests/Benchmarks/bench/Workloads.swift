// The workloads W1 to W8d: training steps of the tutorials' models, per-op overhead, inference; as in torch_peer.py.
import nn
import optim

/// Something to time.
struct Workload {
    let name: String
    /// Images (or ops) that one step handles.
    var items = 1
    /// Floating-point operations of a step, where they are what counts.
    var operations: Int?
    /// Bytes that a step must read and write, where they are what counts.
    var bytes: Int?
    /// One step.
    let step: () -> Void
}

extension Workload {
    /// Names of the whole-model workloads, in order.
    static let names = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8a", "W8b", "W8c", "W8d"]

    /// A workload of this name; nil if there is none. Inputs are random, weights freshly initialised.
    static func named(_ name: String) -> Workload? {
        switch name {
        case "W1":
            training(name, twoConvolutions([nn.Linear(1568, 10)]), [50, 1, 28, 28]) { optim.Adam($0, lr: 0.01) }
        case "W2":
            training(
                name, twoConvolutions([nn.Linear(1568, 256), nn.ReLU(), nn.Linear(256, 10)]), [128, 1, 28, 28]
            ) { optim.SGD($0, lr: 0.01, momentum: 0.9) }
        case "W3": training(name, oneConvolution(), [100, 1, 28, 28]) { optim.SGD($0, lr: 0.1) }
        case "W4": training(name, dropoutNetwork(), [32, 1, 28, 28]) { optim.NAdam($0) }
        case "W5": training(name, colourNetwork(), [128, 3, 32, 32]) { optim.Adam($0) }
        case "W6":
            training(name, residualNetwork(channels: 1, blocks: [3, 4, 6, 3], classes: 10), [32, 1, 28, 28]) {
                optim.NAdam($0)
            }
        case "W7":
            training(
                name, residualNetwork(channels: 3, blocks: [2, 2, 2, 2], classes: 1000), [8, 3, 224, 224], classes: 1000
            ) { optim.SGD($0, lr: 0.01, momentum: 0.9) }
        case "W8a": chain(name, ops: 1000)
        case "W8b": training(name, perceptron(), [1, 784]) { optim.SGD($0, lr: 0.01) }
        case "W8c": inference(name, batch: 1)
        case "W8d": inference(name, batch: 256)
        default: scaled(name)
        }
    }

    /// A training step: gradients forgotten, forward, cross-entropy, backward, the optimiser's step.
    static func training(
        _ name: String, _ model: Sequential, _ shape: [Int], classes: Int = 10, optimizer: ([Tensor]) -> Optimizer
    ) -> Workload {
        let (x, y) = (Tensor.randn(shape), Tensor.randint(classes, [shape[0]]))
        let optimizer = optimizer(model.parameters())
        model.train()
        return Workload(name: name, items: shape[0]) {
            optimizer.zeroGrad()
            F.crossEntropy(model(x), y).backward()
            optimizer.step()
        }
    }

    /// A chain of multiplications of one element, then backward through it: the engine's own cost per op.
    static func chain(_ name: String, ops: Int) -> Workload {
        let x = Tensor.ones([1], requiresGrad: true)
        let c = Tensor.ones([1])
        return Workload(name: name, items: ops) {
            var y = x
            for _ in 0..<ops { y = y * c }
            y.backward()
            x.grad = nil
        }
    }

    /// Forward of W1's model, unrecorded.
    static func inference(_ name: String, batch: Int) -> Workload {
        let model = twoConvolutions([nn.Linear(1568, 10)]).eval()
        let x = Tensor.randn([batch, 1, 28, 28])
        return Workload(name: name, items: batch) { noGrad { _ = model(x) } }
    }
}
