// Threads that work ahead: orders go in, results come out in the same order.
import Foundation

/// Carries out orders on threads of its own; results are taken in the order of the orders, whichever is ready first.
///
/// It holds as many results as there are orders ahead of the taker, who bounds them. `@unchecked Sendable`: the
/// condition guards all that changes.
final class Prefetcher<Order: Sendable, Product: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let work: @Sendable (_ number: Int, _ order: Order) throws -> Product
    private var orders: [(number: Int, order: Order)] = []
    private var results: [Int: Result<Product, any Error>] = [:]
    private var isClosed = false
    private var given = 0, taken = 0
    /// How long `take` has waited for results after the first, in seconds.
    private(set) var secondsWaited = 0.0

    /// Starts threads that wait for orders. They end when the prefetcher is closed, and only then.
    init(threads: Int, work: @escaping @Sendable (_ number: Int, _ order: Order) throws -> Product) {
        self.work = work
        for _ in 0..<threads {
            let thread = Thread { [self] in run() }
            // As large as the main thread's usually is: datasets run code that was tried there.
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    /// Orders given whose results have not been taken.
    var pending: Int { given - taken }

    func give(_ order: Order) {
        condition.withLock {
            orders.append((given, order))
            given += 1
            // Broadcast: the taker may wait for the same condition.
            condition.broadcast()
        }
    }

    /// The result of the oldest order; waits for it. Call it only while some are pending.
    func take() throws -> Product {
        let start = ContinuousClock.now
        let result = condition.withLock {
            while true {
                if let result = results.removeValue(forKey: taken) { return result }
                condition.wait()
            }
        }
        if taken > 0 { secondsWaited += (ContinuousClock.now - start) / .seconds(1) }
        taken += 1
        return try result.get()
    }

    /// Lets the threads end: at once where they wait, else after what they are at. Orders not begun are forgotten.
    func close() {
        condition.withLock {
            isClosed = true
            orders = []
            results = [:]
            condition.broadcast()
        }
    }

    private func run() {
        // Kernels of the training step need the cores more than those of the next batches.
        onOneThread {
            while let (number, order) = nextOrder() {
                let result = Result { try work(number, order) }
                condition.withLock {
                    guard !isClosed else { return }
                    results[number] = result
                    condition.broadcast()
                }
            }
        }
    }

    /// Waits for an order; nil when there will be none.
    private func nextOrder() -> (number: Int, order: Order)? {
        condition.withLock {
            while true {
                if isClosed { return nil }
                if !orders.isEmpty { return orders.removeFirst() }
                condition.wait()
            }
        }
    }
}
