// Optimiser updates by the fused kernels: for the optim module.
import Kernels

extension Tensor {
    /// One SGD update of this parameter, in place and off the tape.
    package func sgdStep(_ settings: SGDSettings, gradient: Tensor, buffer: Tensor?) {
        update(gradient, buffer.map { [$0] } ?? []) { kernels, p, g, state in
            kernels.sgdStep(settings, count, p, g, state.first)
        }
    }

    /// One Adam update of this parameter, in place and off the tape.
    package func adamStep(_ settings: AdamSettings, gradient: Tensor, m: Tensor, v: Tensor, vMax: Tensor?) {
        update(gradient, [m, v] + (vMax.map { [$0] } ?? [])) { kernels, p, g, state in
            kernels.adamStep(settings, count, p, g, state[0], state[1], state.count > 2 ? state[2] : nil)
        }
    }

    /// One NAdam update of this parameter, in place and off the tape.
    package func nadamStep(_ settings: NAdamSettings, gradient: Tensor, m: Tensor, v: Tensor) {
        update(gradient, [m, v]) { kernels, p, g, state in
            kernels.nadamStep(settings, count, p, g, state[0], state[1])
        }
    }

    /// Hands contiguous memory of the parameter, its gradient and its state to a kernel.
    private func update(
        _ gradient: Tensor, _ state: [Tensor],
        _ body: (KernelTable, UnsafeMutableRawPointer, UnsafeRawPointer, [UnsafeMutableRawPointer]) -> Void
    ) {
        require(
            gradient.shape == shape && gradient.dtype == dtype,
            "optimizer step: the gradient is \(gradient.shape) \(gradient.dtype), the parameter \(shape) \(dtype)", nil)
        let g = gradient.packed()
        let p = packed()
        func run() -> Tensor {
            body(Engine.kernels(dtype), p.pointer, UnsafeRawPointer(g.pointer), state.map(\.pointer))
            return p
        }
        withExtendedLifetime((g, state)) {
            _ =
                Profiler.isActive
                ? Profiler.measure("OptimizerStep", "optimizer", [p, g] + state, nil, { [$0] }, run) : run()
        }
        if p !== self { copyElements(from: p) }
        storage.changed()
    }

    /// Overwrites the elements with those of `source` (which broadcasts), whatever requires gradients; for optimisers
    /// and for loading weights.
    package func assign(_ source: Tensor) {
        copyElements(from: source)
        storage.changed()
    }
}
