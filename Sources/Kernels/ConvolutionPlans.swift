// What a convolution computes from its shape alone is computed once: the tables of the last shapes are kept.
//
// For one 28×28 image making the tables takes a third of the time of the convolution itself, and a model calls the same
// few shapes over and over.
import Synchronization

/// Which convolution, in which direction, by which kernel for which instruction set and scalar.
@usableFromInline struct PlanKey: Hashable, Sendable {
    @usableFromInline let shape: ConvolutionShape
    @usableFromInline let isBackward: Bool
    @usableFromInline let kind: ObjectIdentifier

    @inlinable
    init(_ shape: ConvolutionShape, isBackward: Bool, kind: ObjectIdentifier) {
        (self.shape, self.isBackward, self.kind) = (shape, isBackward, kind)
    }
}

/// The plans of the shapes used last. Thread safe; plans never change once made.
@usableFromInline enum PlanCache {
    private struct State {
        var plans: [PlanKey: any AnyObject & Sendable] = [:]
        /// Oldest first.
        var order: [PlanKey] = []
    }
    private static let state = Mutex(State())
    /// A ResNet-152 has about 40 shapes in two directions. A plan takes 50 to 200 KB.
    private static let capacity = 128

    /// The plan of a shape and direction, made if it is not there.
    @inlinable
    static func plan<Plan: AnyObject & Sendable>(
        _ shape: ConvolutionShape, isBackward: Bool, make: () -> Plan
    ) -> Plan {
        let key = PlanKey(shape, isBackward: isBackward, kind: ObjectIdentifier(Plan.self))
        return unsafeDowncast(find(key, make: make), to: Plan.self)
    }

    @usableFromInline
    static func find(_ key: PlanKey, make: () -> any AnyObject & Sendable) -> any AnyObject & Sendable {
        if let known = state.withLock({ $0.plans[key] }) { return known }
        let plan = make()
        state.withLock { state in
            guard state.plans.updateValue(plan, forKey: key) == nil else { return }
            state.order.append(key)
            if state.order.count > capacity { state.plans[state.order.removeFirst()] = nil }
        }
        return plan
    }
}
