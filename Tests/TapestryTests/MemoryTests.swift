// Memory comes back, and steps that are like the ones before ask the system for none.
import Foundation
import Kernels
import Testing

@testable import Tapestry

@Suite struct MemoryTests {
    #if canImport(Glibc)
        /// With it grows the time of every op of a chain that does not fit into the caches.
        @Test func aRecordedOpTakes128Bytes() {
            // Foundation shows Swift no malloc.h.
            let usableSize = unsafeBitCast(
                dlsym(nil, "malloc_usable_size"), to: (@convention(c) (UnsafeMutableRawPointer) -> Int).self)
            let node = (leaf([1]) * leaf([1])).gradientNode!
            #expect(usableSize(Unmanaged.passUnretained(node).toOpaque()) + MemoryLayout<Int>.size == 128)
        }
    #endif

    /// In a process of its own: other tests use the pool too.
    @Test func aWarmTrainingStepAsksTheSystemForNothing() async {
        await #expect(processExitsWith: .success) {
            let (x, w) = (leaf([8, 3, 16, 16]), leaf([5, 3, 3, 3], seed: 2))
            let v = leaf([5 * 64, 4], seed: 3)
            func step() {
                let h = Tensor.conv2d(x, w, padding: 1).relu().maxPool2d(kernelSize: 2).flatten(startDim: 1)
                h.matmul(v).square().sum().backward()
            }
            for _ in 0..<3 { step() }
            let (inUse, before) = (Memory.inUse, BufferPool.statistics.systemAllocations)
            for _ in 0..<10 { step() }
            precondition(BufferPool.statistics.systemAllocations == before, "a warm step asked for memory")
            precondition(Memory.inUse == inUse, "memory in use grew from \(inUse) to \(Memory.inUse)")
            Memory.emptyCache()
            precondition(Memory.cached == 0)
            Memory.limit = 0
            step()
            precondition(Memory.cached == 0, "the limit is not kept")
        }
    }
}
