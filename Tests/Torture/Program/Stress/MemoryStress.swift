// Does memory come back? Thousands of training steps, tapes dropped half way, cycles, allocations beyond all bounds.
import Foundation
import Kernels
import Tapestry
import nn
import optim

enum MemoryStress {
    static func run(steps: Int) throws -> Bool {
        let checks = Checks("memory")
        numThreads = 1  // steps are small
        try training(steps, checks)
        tapes(checks)
        pool(checks)
        try tooLarge(checks)
        return checks.conclude()
    }

    /// Convolution, batch normalisation, dropout, Adam: a step must leave behind what it found.
    private static func training(_ steps: Int, _ checks: Checks) throws {
        manualSeed(1)
        let model = nn.Sequential(
            nn.Conv2d(1, 8, kernelSize: 3, padding: 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(kernelSize: 2),
            nn.Flatten(), nn.Dropout(p: 0.1), nn.Linear(8 * 6 * 6, 10))
        let optimizer = optim.Adam(model.parameters(), lr: 1e-3)
        let (images, labels) = (Tensor.randn([8, 1, 12, 12]), Tensor.randint(10, [8]))
        func step() {
            let loss = F.crossEntropy(model(images), labels)
            optimizer.zeroGrad()
            loss.backward()
            optimizer.step()
        }
        for _ in 0..<max(500, steps / 10) { step() }
        // Three times: what the warm-up has not yet touched of the heap is growth once, a leak is growth each time.
        let tensors = Memory.inUse
        var growths: [Int] = []
        for _ in 0..<3 {
            let resident = residentBytes()
            for _ in 0..<steps { step() }
            growths.append(residentBytes() - resident)
        }
        checks.expect(
            Memory.inUse == tensors,
            "training: tensors take \(Memory.inUse - tensors) bytes more after \(3 * steps) steps")
        checks.expect(
            growths.min()! <= 0 && growths.max()! < 500_000,
            "training: the process grew by \(growths) bytes in \(steps) steps each")
        let text = growths.map { String(format: "%+.2f", Double($0) / 1e6) }.joined(separator: ", ")
        checks.note(
            "three times \(steps) training steps: tensors +\(Memory.inUse - tensors) bytes, "
                + "process \(text) MB")
    }

    /// Everything that can be left on a tape is freed with it.
    private static func tapes(_ checks: Checks) {
        let weights = Tensor.randn([64, 64], requiresGrad: true)
        func expectFreed(_ what: String, _ body: () -> Void) {
            let before = Memory.inUse
            for _ in 0..<3 { body() }
            weights.grad = nil
            checks.expect(Memory.inUse == before, "\(what) leaves \(Memory.inUse - before) bytes behind")
        }
        expectFreed("a loss that is dropped without backward") { _ = weights.matmul(weights).tanh().sum() }
        expectFreed("a replayed tape") { weights.matmul(weights).tanh().sum().backward() }
        expectFreed("a retained tape") {
            let loss = weights.exp().sum()
            loss.backward(retainGraph: true)
            loss.backward()
        }
        expectFreed("a gradient of a gradient") {
            let first = grad(of: weights.tanh().sum(), [weights], createGraph: true)[0]
            _ = grad(of: (first * first).sum(), [weights])
        }
        expectFreed("an intermediate result that keeps its gradient and has a hook") {
            let middle = weights * 2
            middle.retainGrad()
            let handle = middle.registerHook { $0 * 2 }
            middle.sum().backward()
            handle.remove()
        }
        expectFreed("a view changed in place, and its base") {
            let base = weights * 2
            base.narrow(dim: 0, start: 0, length: 3).mul_(base.sum())
            base.sum().backward()
        }
        // The loss goes while its parts are still held: only they stay.
        let before = Memory.inUse
        var loss: Tensor? = (0..<1000).reduce(weights) { x, _ in x * 1.0001 }.sum()
        let held = Memory.inUse - before
        loss!.backward()
        let replayed = Memory.inUse
        loss = nil
        weights.grad = nil
        checks.expect(
            held < 1 << 20, "a chain of 1,000 products with a number, which keep nothing, holds \(held) bytes")
        checks.expect(
            Memory.inUse == before, "a chain leaves \(Memory.inUse - before) of \(replayed - before) bytes behind")
        checks.note("tapes dropped, replayed, retained, doubled, hooked and changed in place: all bytes come back")
    }

    /// What is kept for reuse stays below the limit and can be given back.
    private static func pool(_ checks: Checks) {
        let limit = Memory.limit
        Memory.limit = 1 << 20
        for size in stride(from: 1000, to: 2_000_000, by: 100_000) { _ = Tensor.zeros([size]) }
        checks.expect(Memory.cached <= 1 << 20, "the pool keeps \(Memory.cached) bytes, its limit is \(1 << 20)")
        Memory.emptyCache()
        checks.expect(Memory.cached == 0, "the pool keeps \(Memory.cached) bytes after emptyCache()")
        Memory.limit = limit
    }

    /// The programs that ask for too much, and what their one line must hold.
    static let requests: [(name: String, words: [String], run: @Sendable () -> Void)] = [
        ("zeros", ["2251799813685248 bytes", "[16777216, 33554432]"], { _ = Tensor.zeros([1 << 24, 1 << 25]) }),
        (
            "matmul", ["1125899906842624 bytes", "MatMul", "[16777216, 16777216]"],
            {
                _ = Tensor.ones([1 << 24, 1], requiresGrad: true).matmul(Tensor.ones([1, 1 << 24]))
            }
        ),
        ("overflow", ["[4611686018427387904, 8]"], { _ = Tensor.zeros([1 << 62, 8]) }),
    ]

    private static func tooLarge(_ checks: Checks) throws {
        for request in requests {
            let result = try Child.run(["memory", "--request", request.name])
            let lines = result.errors.split(separator: "\n")
            checks.expect(
                result.status < 0 && lines.count == 1 && request.words.allSatisfy { result.errors.contains($0) },
                "too large (\(request.name)): status \(result.status), said: \(result.errors)")
            if let line = lines.first { checks.note("too large: \(line)") }
        }
    }

    /// Bytes of this process in memory; on systems without /proc the most there ever were.
    private static func residentBytes() -> Int {
        #if os(Linux)
            let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
            let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
        #else
            var usage = rusage()
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #endif
    }
}
