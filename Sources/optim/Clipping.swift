// Keeping gradients within bounds.

/// Scales the gradients of all parameters together so that their norm is at most `maxNorm`; returns the norm that they
/// had, 0-d. Mirrors `torch.nn.utils.clip_grad_norm_` (Pascanu et al., 2013).
@discardableResult
public func clipGradNorm(_ parameters: [Tensor], maxNorm: Double, normType: Double = 2) -> Tensor {
    noGrad {
        let gradients = parameters.compactMap(\.grad)
        guard let first = gradients.first else { return Tensor.zeros([]) }
        let norms = Tensor.stack(gradients.map { $0.detach().norm(p: normType).to(first.dtype) })
        let total = norms.norm(p: normType)
        let scale = (maxNorm / (total + 1e-6)).clamp(max: 1)
        for gradient in gradients { gradient.detach().mul_(scale) }
        return total
    }
}

/// All parameters one behind the other, as one vector on the tape. Mirrors `torch.nn.utils.parameters_to_vector`.
public func parametersToVector(_ parameters: [Tensor]) -> Tensor { Tensor.cat(parameters.map { $0.flatten() }) }

/// Overwrites the parameters with the parts of a vector, in their order. Traps if its length is not theirs together.
/// Mirrors `torch.nn.utils.vector_to_parameters`.
public func vectorToParameters(_ vector: Tensor, _ parameters: [Tensor]) {
    let count = parameters.reduce(0) { $0 + $1.count }
    require(vector.shape == [count], "vectorToParameters: a vector \(vector.shape) for \(count) elements", nil)
    var start = 0
    for parameter in parameters {
        let part = vector.detach().narrow(dim: 0, start: start, length: parameter.count)
        parameter.assign(part.reshape(parameter.shape))
        start += parameter.count
    }
}

/// Limits every element of the gradients to `-clipValue ... clipValue`. Mirrors `torch.nn.utils.clip_grad_value_`.
public func clipGradValue(_ parameters: [Tensor], clipValue: Double) {
    noGrad {
        for gradient in parameters.compactMap(\.grad) {
            gradient.detach().copy_(gradient.detach().clamp(min: -clipValue, max: clipValue))
        }
    }
}
