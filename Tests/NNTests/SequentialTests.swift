// What Sequential does where nobody sees it must not be seen.
import TestSupport
import Testing

@testable import nn

@Suite(.ownGenerator) struct SequentialTests {
    /// Values and all gradients of a model, with and without a watcher on each module.
    @Test(arguments: [DType.float32, .float64]) func fusedModulesGiveTheSame(_ dtype: DType) {
        let model: Sequential = [
            nn.Conv2d(2, 5, kernelSize: 3, padding: 1), nn.ReLU(), nn.Conv2d(5, 3, kernelSize: 3, bias: false),
            nn.ReLU(),
            nn.MaxPool2d(3, stride: 2, padding: 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2),
            nn.ReLU(),
        ]
        model.to(dtype)
        let x = Tensor.randn([3, 2, 9, 11], dtype: dtype, requiresGrad: true)
        func run() -> [[Double]] {
            let y = model(x)
            let gradients = grad(of: y.square().sum(), [x] + model.parameters())
            return ([y] + gradients).map { $0.array(Double.self) }
        }
        let fused = run()
        let handles = model.layers.map { $0.registerForwardHook { _, _, _ in nil } }
        let plain = run()
        #expect(fused == plain)
        handles.forEach { $0.remove() }
    }
}
