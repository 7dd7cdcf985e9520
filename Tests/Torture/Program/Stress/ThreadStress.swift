// One model used by many threads at once, and more threads than cores.
import Foundation
import Tapestry
import data
import nn

enum ThreadStress {
    static func run(rounds: Int) -> Bool {
        let checks = Checks("threads")
        inference(rounds, checks)
        gradients(rounds, checks)
        manyThreads(checks)
        droppedLoaders(rounds, checks)
        return checks.conclude()
    }

    private static func model() -> nn.Sequential {
        nn.Sequential(
            nn.Conv2d(1, 8, kernelSize: 3, padding: 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(kernelSize: 2),
            nn.Conv2d(8, 16, kernelSize: 3, padding: 1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 7 * 7, 64), nn.GELU(),
            nn.Linear(64, 10))
    }

    /// Calls `body` on so many threads of their own at once, and waits.
    private static func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            let thread = Thread {
                body(index)
                group.leave()
            }
            thread.stackSize = 4 << 20
            thread.start()
        }
        group.wait()
    }

    /// Eight threads infer with one model: bitwise what one thread gets.
    private static func inference(_ rounds: Int, _ checks: Checks) {
        manualSeed(3)
        let model = model()
        model.eval()
        let batches = (0..<8).map { Tensor.randn([1 + $0, 1, 14, 14]) }
        let expected = noGrad { batches.map { model(Tensor($0.array(Float.self), shape: $0.shape)).array(Float.self) } }
        nonisolated(unsafe) let shared = model  // used for inference only
        let wrong = Counter()
        onThreads(8) { thread in
            for round in 0..<rounds {
                let index = (thread + round) % batches.count
                let output = noGrad { shared(batches[index]) }.array(Float.self)
                if output != expected[index] { wrong.increase() }
            }
        }
        checks.expect(
            wrong.value == 0, "\(wrong.value) of \(8 * rounds) inferences on a shared model differ from one thread's")
        checks.note("8 threads × \(rounds) inferences with one model: bitwise as on one thread")
    }

    /// Eight threads take gradients of their own losses through the same weights.
    private static func gradients(_ rounds: Int, _ checks: Checks) {
        manualSeed(4)
        let model = model()
        model.eval()
        let parameters = model.parameters()
        let inputs = (0..<4).map { _ in Tensor.randn([3, 1, 14, 14]) }
        nonisolated(unsafe) let shared = model  // its parameters are read, their `grad` is left alone
        @Sendable func gradients(_ index: Int) -> [[Float]] {
            grad(of: shared(inputs[index]).square().sum(), parameters).map { $0.array(Float.self) }
        }
        let expected = inputs.indices.map(gradients)
        let wrong = Counter()
        onThreads(8) { thread in
            for round in 0..<max(1, rounds / 4) where gradients((thread + round) % 4) != expected[(thread + round) % 4]
            {
                wrong.increase()
            }
        }
        checks.expect(wrong.value == 0, "\(wrong.value) gradients on a shared model differ from one thread's")
    }

    /// A training run with any number of threads gives the same weights.
    private static func manyThreads(_ checks: Checks) {
        func trained(_ threads: Int) -> [[Float]] {
            let before = numThreads
            numThreads = threads
            defer { numThreads = before }
            manualSeed(5)
            let model = model()
            let (x, y) = (Tensor.randn([64, 1, 14, 14]), Tensor.randint(10, [64]))
            for _ in 0..<3 {
                model.zeroGrad()
                F.crossEntropy(model(x), y).backward()
                noGrad { for parameter in model.parameters() { parameter.sub_(parameter.grad! * 0.1) } }
            }
            return model.parameters().map { $0.array(Float.self) }
        }
        let expected = trained(1)
        for threads in [2, 3, 8, 16] {
            checks.expect(
                trained(threads) == expected, "training with \(threads) threads gives other weights than with 1")
        }
        checks.note(
            "training with 1, 2, 3, 8 and 16 threads on \(ProcessInfo.processInfo.activeProcessorCount) cores: the same bits"
        )
    }
}

extension ThreadStress {
    /// Samples that take a moment, some of them longer than others.
    private struct Slow: Dataset {
        let count = 64
        func sample(_ index: Int) -> (input: Tensor, target: Tensor) {
            usleep(UInt32(index % 5 * 100))
            return (Tensor.full([8], index), Tensor(index))
        }
    }

    /// Loaders are dropped whatever their workers are at: before the first batch, between batches, while batches are
    /// made. Every batch that came out is right, and the threads end.
    private static func droppedLoaders(_ rounds: Int, _ checks: Checks) {
        func threads() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task"))?.count ?? 0 }
        let generator = Tapestry.Generator(seed: 6)
        let before = threads()
        var (wrong, taken) = (0, 0)
        for round in 0..<rounds {
            var batches = data.DataLoader(Slow(), batchSize: 4, numWorkers: 1 + round % 8).batches()
            let wanted = Int(generator.uniform() * 18)
            var number = 0
            while number < wanted, let (inputs, targets) = try? batches.next() {
                let expected = (number * 4..<number * 4 + 4).map { $0 }
                if targets.array(Int.self) != expected || inputs.sum(dim: 1).array(Int.self) != expected.map({ 8 * $0 })
                {
                    wrong += 1
                }
                number += 1
            }
            taken += number
            usleep(UInt32(generator.uniform() * 2000))
        }
        for _ in 0..<500 where threads() > before { usleep(10_000) }
        checks.expect(wrong == 0, "\(wrong) batches of loaders that were dropped later are wrong")
        checks.expect(threads() <= before + 2, "\(threads() - before) threads are left of \(rounds) dropped loaders")
        checks.note(
            "\(rounds) loaders with 1 to 8 workers dropped at any time, after \(taken) batches in all: all threads end")
    }
}

/// A number that several threads raise.
private final class Counter: @unchecked Sendable {  // Safe: behind its lock.
    private let lock = NSLock()
    private var count = 0
    var value: Int { lock.withLock { count } }
    func increase() { lock.withLock { count += 1 } }
}
