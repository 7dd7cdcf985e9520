// What this machine can do at most: multiply-adds on registers, bytes from and to memory.
import Foundation
import Kernels
import Tapestry

/// The machine's measured limits with the threads in use.
struct Peak {
    /// Billions of float operations a second: fused multiply-adds that touch no memory.
    let gigaflops: Double
    /// Billions of bytes a second that are read, and that are read and written, where no cache holds them.
    let reading, copying: Double

    /// Billions of bytes a second, the better of reading and copying.
    var gigabytes: Double { max(reading, copying) }

    /// Measures, best of many: the host may be shared.
    static func measure() -> Peak {
        let table = Engine.float
        let (workers, rounds) = (numThreads, 100_000)
        let operations = table.multiplyAdds(rounds) * workers
        let arithmetic = Workload(name: "multiply-adds", operations: operations) {
            Parallel.forEach(chunks: workers, work: .max) { _, _ in _ = table.multiplyAdds(rounds) }
        }
        // Larger than any cache; pieces small enough to keep all threads at work to the end.
        let (bytes, piece) = (256 << 20, 1 << 20)
        guard let memory = BufferPool.take(bytes) else { fatalError("out of memory: \(bytes) bytes") }
        defer { BufferPool.give(memory, bytes) }
        memset(memory, 0, bytes)
        let sums = UnsafeMutablePointer<Float>.allocate(capacity: bytes / piece)
        defer { sums.deallocate() }
        let reading = Workload(name: "reading", bytes: bytes) {
            Parallel.forRanges(of: bytes, size: piece, work: .max) { _, range in
                table.reduce(.sum, 1, range.count / 4, 1, memory + range.lowerBound, sums + range.lowerBound / piece)
            }
        }
        let copying = Workload(name: "copying", bytes: bytes) {
            Parallel.forRanges(of: bytes / 2, size: piece, work: .max) { _, range in
                memcpy(memory + bytes / 2 + range.lowerBound, memory + range.lowerBound, range.count)
            }
        }
        return Peak(
            gigaflops: Measurement(arithmetic, steps: 50).gigaflops!,
            reading: Measurement(reading, steps: 10).gigabytes!, copying: Measurement(copying, steps: 10).gigabytes!)
    }

    var json: String {
        "{\"benchmark\":\"peak\",\"threads\":\(numThreads),\"isa\":\"\(InstructionSet.current.rawValue)\","
            + "\"fma_gflops\":\(fixed(gigaflops, 2)),\"read_gbytes_per_s\":\(fixed(reading, 2)),"
            + "\"copy_gbytes_per_s\":\(fixed(copying, 2))}"
    }

    var description: String {
        "\(InstructionSet.current.rawValue), threads: \(numThreads). Peak: \(fixed(gigaflops, 1)) GFLOP/s of float "
            + "multiply-adds, \(fixed(reading, 1)) GB/s reading, \(fixed(copying, 1)) GB/s copying"
    }
}
