// Finding where a NaN comes from.
import Synchronization

/// Whether backward looks at every gradient for NaN.
enum Anomaly {
    private static let depth = Atomic<Int>(0)

    static var isEnabled: Bool { depth.load(ordering: .relaxed) > 0 }

    static func with<Result>(_ body: () throws -> Result) rethrows -> Result {
        depth.wrappingAdd(1, ordering: .relaxed)
        defer { depth.wrappingSubtract(1, ordering: .relaxed) }
        return try body()
    }

    static func check(_ gradients: [Tensor?], of node: Node) {
        for (index, gradient) in gradients.enumerated() {
            if let gradient, gradient.containsNaN {
                fail(
                    "detectAnomaly: the gradient of \(node.name) for its input \(index) "
                        + "(shape \(gradient.shape)) has NaN", node.site)
            }
        }
    }
}

/// Runs `body` and ends the program at the first gradient with NaN in it, naming the op and the source line that
/// recorded it. Mirrors `torch.autograd.detect_anomaly`.
@discardableResult
public func detectAnomaly<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Anomaly.with(body)
}
