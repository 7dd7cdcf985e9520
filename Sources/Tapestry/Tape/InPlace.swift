// In-place ops: how they change a tensor's history, and that of its views and its base.

extension Tensor {
    /// The recorded op that made this tensor. A view whose base was changed in place follows the base's new history.
    var gradientNode: Node? {
        if let view = viewed, view.generation != view.base.generation {
            viewed!.generation = view.base.generation
            producer =
                view.base.requiresGrad ? Recorded(AsStrided(layout: relativeLayout), [view.base], self, at: nil) : nil
        }
        return producer
    }

    /// This view's layout as seen from its base's first element.
    private var relativeLayout: Layout { layout.moved(by: -(viewed?.base.layout.offset ?? 0)) }

    /// Replaces this tensor's elements by those of `change(self)`, and its history by that of the result.
    ///
    /// - Parameter change: the op out of place; gets a copy of this tensor on the tape.
    func changeInPlace(_ op: String, _ site: SourceSite?, _ change: (Tensor) -> Tensor) {
        let recording = GradMode.isEnabled
        if recording {
            require(
                !isTrainableLeaf, "\(op): a leaf that requires grad is changed in place; use noGrad { } or detach()",
                site)
            require(
                viewed?.base.isTrainableLeaf != true,
                "\(op): a view of a leaf that requires grad is changed in place; use noGrad { } or detach()", site)
        }
        require(!layout.overlaps, "\(op): elements of this expanded tensor share memory; use clone() first", site)
        require(
            viewed?.base.isContiguous != false, "\(op): a view of a non-contiguous tensor is changed in place", site)
        let before = copied()
        if recording { before.producer = gradientNode }
        let after = change(before)
        require(
            after.shape == shape, "\(op): the result's shape \(after.shape) is not the tensor's shape \(shape)", site)
        require(
            after.dtype.category <= dtype.category, "\(op): a \(after.dtype) result cannot be stored as \(dtype)", site)
        copyElements(from: after)
        storage.changed()
        guard recording, after.requiresGrad || requiresGrad else { return }
        if let base = viewed?.base {
            base.producer = Recorded(CopySlice(layout: relativeLayout), [base, after.to(dtype)], base, at: site)
            base.generation += 1
        } else {
            producer = after.to(dtype).gradientNode
            generation += 1
        }
    }
}

/// A view of any layout inside `x`, which is contiguous: the history of a view after its base was changed.
struct AsStrided: Primitive {
    let layout: Layout

    func forward(_ x: [Tensor]) -> Tensor {
        x[0].alias(layout.moved(by: x[0].layout.offset))
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [AsStridedGradient(layout: layout, shape: saved.shape(0))(dy, at: nil)]
    }
}

/// Adds `dy` into zeros of `shape` at the places that `layout` names.
struct AsStridedGradient: Primitive {
    let layout: Layout
    let shape: [Int]

    func forward(_ x: [Tensor]) -> Tensor {
        let result = Tensor.zeros(shape, dtype: x[0].dtype)
        result.alias(layout).accumulateSerially(x[0])
        return result
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [AsStrided(layout: layout)(dy.contiguous(), at: nil)] }
}

/// The history of a base whose view was changed in place: inside the view's layout the gradient belongs to the new
/// elements, elsewhere to the old base.
struct CopySlice: Primitive {
    let layout: Layout

    func forward(_ x: [Tensor]) -> Tensor {
        let result = x[0].copied()
        result.alias(layout).copyElements(from: x[1])
        return result
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let dy = dy.contiguous()
        let inside = AsStrided(layout: layout)(dy, at: nil)
        let zeros = Tensor.zeros(layout.shape, dtype: dy.dtype)
        return [CopySlice(layout: layout)(dy, zeros, at: nil), inside]
    }
}
