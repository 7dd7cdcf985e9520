// Backward passes of a convolution whose output's gradient is mostly zeros.
//
// Behind a max pooling a gradient has one nonzero in each window, behind ReLU fewer still: a quarter of the products of
// the dense passes, or less, is not nought. Here the nonzeros are listed, and only their products are computed.
//
// Channels run fastest (the input, or its gradient, lies as [row][column][channel] with room for the padding), so that the
// taps of a filter's row and all their channels are one run of memory. Both passes are then the same sum over a list,
// `target run += Σ value · source run`: backward-weights for each output channel over its pixels, a run of the input into
// a row of the filter; backward-data for each pixel over its output channels, a row of the filter into a run of the
// input's gradient. Strides move only where runs begin.
// Register budget: V ≤ 12 sums of a run, 1 broadcast; the sources are operands of the multiply-adds, or 1 register.
// Blocking: strips of rows, such that in backward-weights the input's strip stays in the first-level cache and in
// backward-data the lists stay in the second.
//
// Zeros are left out whatever they would meet: zero times infinity counts as 0 here.

/// A sum over entries of a list, added to a run at `target` (in bytes). An entry is a value and, behind it, the bytes to
/// its source as an Int32.
@usableFromInline struct ListSum {
    @usableFromInline var first, last: UnsafeRawPointer
    @usableFromInline var target: Int

    @inlinable
    init(first: UnsafeRawPointer, last: UnsafeRawPointer, target: Int) {
        (self.first, self.last, self.target) = (first, last, target)
    }
}

@usableFromInline struct SparseBackward<I: ISA> {
    @usableFromInline let s: ConvolutionShape
    /// Scalars of a pixel, of a row of pixels, of all rows with the padding.
    @usableFromInline let pixel, row, plane: Int
    /// Vectors in a run, and how they are cut so that sums stay in registers.
    @usableFromInline let runVectors: Int
    @usableFromInline let pieces: [Range<Int>]
    /// Rows of the output that are worked on together.
    @usableFromInline let stripRows: Int
    /// Whether the dense way would be Winograd's.
    @usableFromInline let hasFewerProducts: Bool

    /// With `whole`, pixels take whole vectors: what a run's vectors hold behind it must not meet its neighbour.
    @inlinable
    init(_ s: ConvolutionShape, whole: Bool) {
        self.s = s
        hasFewerProducts = whole ? Winograd.pays(s, isBackward: true) : Winograd.paysForWeights(s)
        pixel = whole ? (s.groupIn + I.width - 1) / I.width * I.width : s.groupIn
        row = (s.width + s.padLeft + s.padRight) * pixel
        plane = (s.height + s.padTop + s.padBottom) * row
        let vectors = (s.kernelWidth * pixel + I.width - 1) / I.width
        let count = (vectors + 11) / 12
        runVectors = vectors
        pieces = (0..<count).map { $0 * vectors / count..<($0 + 1) * vectors / count }
        let rowBytes = whole ? s.outWidth * s.groupOut * 2 : s.strideHeight * row
        stripRows = max(1, min(s.outHeight, (whole ? 65_536 : 20_480) / max(1, rowBytes * I.scalarSize)))
    }

    /// Scalars of a pixel's or channel's packed run of weights, for all rows of the filter. Not a multiple of 512 bytes,
    /// so that the runs of one row spread over the caches.
    @inlinable var filter: Int {
        let scalars = s.kernelHeight * runVectors * I.width
        return scalars * I.scalarSize % 512 == 0 ? scalars + 64 / I.scalarSize : scalars
    }

    /// Bytes of an entry: the value, the place, and what keeps the next one aligned.
    @inlinable static var entry: Int { 2 * I.scalarSize }

    /// Whether leaving out zeros is faster than computing all products: compares what either way costs for an element of
    /// the gradient, in multiply-adds of vectors. The nonzeros are counted in a sample.
    @inlinable
    func pays(_ dy: UnsafeRawPointer) -> Bool {
        let units = s.batch * s.groups
        guard units >= 8, s.kernelWidth == 1 || s.dilationWidth == 1, plane * I.scalarSize < 1 << 30,
            s.groupOut * filter * I.scalarSize < 1 << 30
        else { return false }
        let dense = Double(s.filterSize) / Double(I.width) * (hasFewerProducts ? 0.6 : 1)
        let listing = 6.0
        let sum = 1.3 * Double(s.kernelHeight * runVectors)
        guard listing + sum / 8 < 0.8 * dense else { return false }
        // Up to 32 samples of 256 scalars, evenly spread.
        let count = s.batch * s.outChannels * s.outHeight * s.outWidth
        let values = dy.assumingMemoryBound(to: I.Scalar.self)
        let length = min(count, 256)
        let samples = max(1, min(32, count / 256))
        var nonzeros = 0
        for sample in 0..<samples {
            let from = values + (count - length) / samples * sample
            for i in 0..<length where from[i] != 0 { nonzeros &+= 1 }
        }
        let share = Double(nonzeros) / Double(samples * length)
        return listing + share * sum < 0.8 * dense
    }

    // MARK: Backward-weights

    /// The gradients of weight and bias, given that of the output: chunks of images sum into weights of their own, which
    /// are added up in order.
    @inlinable @inline(never)
    func weights(
        _ x: UnsafeRawPointer, _ dy: UnsafeRawPointer, _ dw: UnsafeMutableRawPointer, _ dbias: UnsafeMutableRawPointer?
    ) {
        let size = I.scalarSize
        let imagesAtOnce = (s.batch + 15) / 16
        let chunks = (s.batch + imagesAtOnce - 1) / imagesAtOnce
        let partial = (s.outChannels * (filter + 1) + 63) / 64 * 64
        let perWorker = (weightsMemory + 63) / 64 * 64
        let threads = Parallel.threads
        BufferPool.withScratch(chunks * partial * size + threads * perWorker) { scratch in
            let own = scratch + chunks * partial * size
            Parallel.forEach(chunks: chunks, work: s.multiplications / 64, workers: threads) { worker, chunk in
                let sums = scratch + chunk * partial * size
                fill(I.self, partial, 0, sums)
                for image in chunk * imagesAtOnce..<min(s.batch, (chunk + 1) * imagesAtOnce) {
                    addWeights(image, x, dy, own + worker * perWorker, sums, sums + s.outChannels * filter * size)
                }
            }
            let from = scratch.assumingMemoryBound(to: I.Scalar.self)
            let to = dw.assumingMemoryBound(to: I.Scalar.self)
            let taps = s.kernelHeight * s.kernelWidth
            Parallel.forEach(chunks: s.outChannels, work: s.outChannels * s.filterSize * (chunks + 2)) { _, channel in
                for h in 0..<s.kernelHeight {
                    let run = from + (channel * filter + h * runVectors * I.width)
                    for tap in 0..<s.kernelWidth {
                        for c in 0..<s.groupIn {
                            var total: I.Scalar = 0
                            for chunk in 0..<chunks { total += run[chunk &* partial &+ tap &* pixel &+ c] }
                            to[channel &* s.filterSize &+ c &* taps &+ h &* s.kernelWidth &+ tap] = total
                        }
                    }
                }
            }
            guard let dbias = dbias?.assumingMemoryBound(to: I.Scalar.self) else { return }
            for channel in 0..<s.outChannels {
                var total: Double = 0
                for chunk in 0..<chunks { total += Double(from[chunk * partial + s.outChannels * filter + channel]) }
                dbias[channel] = I.Scalar(total)
            }
        }
    }

    /// Adds an image's share to `sums`, [channel][row of the filter][run], and its gradients' sums to `bias`.
    /// `memory` has room for `weightsMemory` bytes.
    @inlinable @inline(never)
    func addWeights(
        _ image: Int, _ x: UnsafeRawPointer, _ dy: UnsafeRawPointer, _ memory: UnsafeMutableRawPointer,
        _ sums: UnsafeMutableRawPointer, _ bias: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let area = s.outHeight * s.outWidth
        let jobs = memory.assumingMemoryBound(to: ListSum.self)
        let planes = memory + s.groupOut * MemoryLayout<ListSum>.stride
        let entries = planes + (plane + I.width) * size
        let totals = bias.assumingMemoryBound(to: I.Scalar.self)
        for group in 0..<s.groups {
            padded(x + (image * s.inChannels + group * s.groupIn) * s.height * s.width * size, planes)
            let gradient = dy + (image * s.outChannels + group * s.groupOut) * area * size
            for channel in 0..<s.groupOut {
                totals[group * s.groupOut + channel] += reduceRow(I.self, .sum, area, gradient + channel * area * size)
            }
            for first in stride(from: 0, to: s.outHeight, by: stripRows) {
                let rows = min(stripRows, s.outHeight - first)
                var end = entries
                for channel in 0..<s.groupOut {
                    jobs[channel].first = UnsafeRawPointer(end)
                    var from = (gradient + (channel * area + first * s.outWidth) * size)
                        .assumingMemoryBound(to: I.Scalar.self)
                    for r in 0..<rows {
                        var place = (first &+ r) &* s.strideHeight &* row &* size
                        for column in 0..<s.outWidth {
                            let value = from[column]
                            end.storeBytes(of: value, as: I.Scalar.self)
                            end.storeBytes(of: Int32(truncatingIfNeeded: place), toByteOffset: size, as: Int32.self)
                            end += value != 0 ? Self.entry : 0
                            place &+= s.strideWidth &* pixel &* size
                        }
                        from += s.outWidth
                    }
                    jobs[channel].last = UnsafeRawPointer(end)
                    jobs[channel].target = channel &* filter &* size
                }
                let target = sums + group * s.groupOut * filter * size
                for h in 0..<s.kernelHeight {
                    sum(
                        jobs, s.groupOut, planes + h * s.dilationHeight * row * size,
                        target + h * runVectors * I.width * size)
                }
            }
        }
    }

    /// Bytes that `addWeights` needs.
    @inlinable var weightsMemory: Int {
        s.groupOut * MemoryLayout<ListSum>.stride + (plane + I.width) * I.scalarSize
            + (s.groupOut * stripRows * s.outWidth + 1) * Self.entry
    }

    /// Input channels of an image and group as [row][column][channel], with zeros around.
    @inlinable @inline(__always)
    func padded(_ x: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let size = I.scalarSize
        let area = s.height * s.width
        target.assumingMemoryBound(to: I.Scalar.self).update(repeating: 0, count: plane + I.width)
        for start in stride(from: 0, to: s.groupIn, by: I.width) {
            // The last vector of channels overlaps the one before.
            let channel = min(start, max(0, s.groupIn - I.width))
            for r in 0..<s.height {
                interleave(
                    I.self, s.width, min(I.width, s.groupIn), x + (channel * area + r * s.width) * size, area: area,
                    target + ((r + s.padTop) * row + s.padLeft * pixel + channel) * size, pixel: pixel)
            }
        }
    }

    // MARK: Backward-data

    /// The gradient of the input, given that of the output.
    @inlinable @inline(never)
    func data(_ dy: UnsafeRawPointer, _ w: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer) {
        let size = I.scalarSize
        let pixels = stripRows * s.outWidth
        let jobBytes = pixels * MemoryLayout<ListSum>.stride
        let weightBytes = s.outChannels * filter * size
        let perWorker = (jobBytes + plane * size + pixels * s.groupOut * Self.entry + 63) & ~63
        let threads = Parallel.threads
        BufferPool.withScratch(weightBytes + threads * perWorker + 64) { scratch in
            pack(w, scratch)
            let own = scratch + (weightBytes + 63) / 64 * 64
            Parallel.forEach(chunks: s.batch * s.groups, work: s.multiplications / 64, workers: threads) {
                worker, unit in
                let memory = own + worker * perWorker
                let planes = memory + jobBytes
                planes.assumingMemoryBound(to: I.Scalar.self).update(repeating: 0, count: plane)
                for first in stride(from: 0, to: s.outHeight, by: stripRows) {
                    let rows = min(stripRows, s.outHeight - first)
                    let jobs = memory.assumingMemoryBound(to: ListSum.self)
                    list(unit, first, rows, dy, jobs, planes + plane * size)
                    for h in 0..<s.kernelHeight {
                        sum(
                            jobs, rows * s.outWidth,
                            scratch + (unit % s.groups * s.groupOut * filter + h * runVectors * I.width) * size,
                            planes + h * s.dilationHeight * row * size)
                    }
                }
                unpadded(planes, dx + unit * s.groupIn * s.height * s.width * size)
            }
        }
    }

    /// Weights as [output channel][row of the filter][column][input channel], zeros in lanes without a channel.
    @inlinable @inline(__always)
    func pack(_ w: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let from = w.assumingMemoryBound(to: I.Scalar.self)
        let to = target.assumingMemoryBound(to: I.Scalar.self)
        let taps = s.kernelHeight * s.kernelWidth
        Parallel.forEach(chunks: s.outChannels, work: s.outChannels * filter) { _, channel in
            let source = from + channel * s.filterSize
            var out = to + channel * filter
            for tap in 0..<taps {
                for c in 0..<s.groupIn { out[c] = source[c &* taps &+ tap] }
                for c in s.groupIn..<pixel { out[c] = 0 }
                out += pixel
            }
        }
    }

    /// For each pixel of some rows of the output, its nonzeros and the weights that they multiply.
    @inlinable @inline(__always)
    func list(
        _ unit: Int, _ first: Int, _ rows: Int, _ dy: UnsafeRawPointer, _ jobs: UnsafeMutablePointer<ListSum>,
        _ entries: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let area = s.outHeight * s.outWidth
        let pixels = rows * s.outWidth
        for p in 0..<pixels {
            let start = UnsafeRawPointer(entries + p &* s.groupOut &* Self.entry)
            let target = (first &+ p / s.outWidth) &* s.strideHeight &* row &+ p % s.outWidth &* s.strideWidth &* pixel
            jobs[p] = ListSum(first: start, last: start, target: target &* size)
        }
        for channel in 0..<s.groupOut {
            let from = (dy + ((unit * s.groupOut + channel) * area + first * s.outWidth) * size)
                .assumingMemoryBound(to: I.Scalar.self)
            let place = Int32(truncatingIfNeeded: channel &* filter &* size)
            for p in 0..<pixels {
                let value = from[p]
                let end = UnsafeMutableRawPointer(mutating: jobs[p].last)
                end.storeBytes(of: value, as: I.Scalar.self)
                end.storeBytes(of: place, toByteOffset: size, as: Int32.self)
                jobs[p].last = UnsafeRawPointer(end + (value != 0 ? Self.entry : 0))
            }
        }
    }

    /// [row][column][channel] with padding to channel planes without.
    @inlinable @inline(__always)
    func unpadded(_ planes: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer) {
        let size = I.scalarSize
        let area = s.height * s.width
        for channel in stride(from: 0, to: s.groupIn, by: I.width) {
            for r in 0..<s.height {
                separate(
                    I.self, s.width, min(I.width, s.groupIn - channel),
                    planes + ((r + s.padTop) * row + s.padLeft * pixel + channel) * size, pixel: pixel,
                    dx + (channel * area + r * s.width) * size, area: area)
            }
        }
    }

    // MARK: The sums

    /// Each job's sum over its list, piece by piece of the run.
    @inlinable @inline(__always)
    func sum(
        _ jobs: UnsafePointer<ListSum>, _ count: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer
    ) {
        for piece in pieces {
            let shift = piece.lowerBound &* I.width &* I.scalarSize
            let (source, target) = (source + shift, target + shift)
            switch piece.count {
            case 1: listSums(I.self, InlineArray<1, Void>.self, jobs, count, source, target)
            case 2: listSums(I.self, InlineArray<2, Void>.self, jobs, count, source, target)
            case 3: listSums(I.self, InlineArray<3, Void>.self, jobs, count, source, target)
            case 4: listSums(I.self, InlineArray<4, Void>.self, jobs, count, source, target)
            case 5: listSums(I.self, InlineArray<5, Void>.self, jobs, count, source, target)
            case 6: listSums(I.self, InlineArray<6, Void>.self, jobs, count, source, target)
            case 7: listSums(I.self, InlineArray<7, Void>.self, jobs, count, source, target)
            case 8: listSums(I.self, InlineArray<8, Void>.self, jobs, count, source, target)
            case 9: listSums(I.self, InlineArray<9, Void>.self, jobs, count, source, target)
            case 10: listSums(I.self, InlineArray<10, Void>.self, jobs, count, source, target)
            case 11: listSums(I.self, InlineArray<11, Void>.self, jobs, count, source, target)
            default: listSums(I.self, InlineArray<12, Void>.self, jobs, count, source, target)
            }
        }
    }
}

/// `run of the job += Σ over its list of value · run of the source`, for runs of V vectors.
@inlinable @inline(never)
func listSums<I: ISA, let V: Int>(
    _: I.Type, _: InlineArray<V, Void>.Type, _ jobs: UnsafePointer<ListSum>, _ count: Int, _ source: UnsafeRawPointer,
    _ target: UnsafeMutableRawPointer
) {
    for job in 0..<count {
        let (first, last) = (jobs[job].first, jobs[job].last)
        if first == last { continue }
        var acc = InlineArray<V, I.V>(repeating: .zero)
        var entry = first
        while entry < last {
            let value = I.broadcast(entry, 0)
            let run = source + Int(entry.load(fromByteOffset: I.scalarSize, as: Int32.self))
            for v in 0..<V { I.fma(&acc[v], value, I.load(run, v &* I.width)) }
            entry += 2 &* I.scalarSize
        }
        let place = target + jobs[job].target
        for v in 0..<V { I.store(I.load(place, v &* I.width) + acc[v], place, v &* I.width) }
    }
}
