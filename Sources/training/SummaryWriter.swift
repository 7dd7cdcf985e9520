// Event files of TensorBoard: records of protocol-buffer messages, each with checksums.
import Foundation
import Synchronization

/// Writes figures into a folder that TensorBoard watches.
///
///     let writer = try SummaryWriter("runs/first")
///     try writer.addScalar("loss/train", 0.25, step: 10)
///
/// The file is `events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER` as TensorFlow names it. Mirrors
/// `torch.utils.tensorboard.SummaryWriter`.
public final class SummaryWriter {
    /// The event file.
    public let path: String
    private let file: AppendingFile
    /// Writers that the process has made: a part of their files' names.
    private static let count = Atomic<Int>(0)

    /// Makes the folder if there is none, and a new event file in it. Throws `FileError` if they cannot be made.
    public init(_ folder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw FileError(folder, "cannot be made a folder for event files")
        }
        let process = ProcessInfo.processInfo
        let now = Date().timeIntervalSince1970
        let number = SummaryWriter.count.wrappingAdd(1, ordering: .relaxed).oldValue
        path =
            folder + "/events.out.tfevents.\(String(format: "%010d", Int(now))).\(process.hostName)"
            + ".\(process.processIdentifier).\(number)"
        file = try AppendingFile(path, truncates: true)
        var event = Message()
        event.add(1, now)
        event.add(3, "brain.Event:2")
        try write(event)
    }

    /// A number at a step; the charts of tags `a/b` and `a/c` stand together. Mirrors `add_scalar`.
    public func addScalar(_ tag: String, _ value: Double, step: Int, date: Date = Date()) throws {
        var item = Message()
        item.add(1, tag)
        item.add(2, Float(value))
        try write(summary: item, step, date)
    }

    /// How a tensor's elements are spread, in `bins` equal parts between the smallest and the largest. Elements that
    /// are not finite do not count; without any other nothing is written. Mirrors `add_histogram`.
    public func addHistogram(_ tag: String, _ values: Tensor, step: Int, bins: Int = 64, date: Date = Date()) throws {
        precondition(bins > 0, "addHistogram: \(bins) bins")
        let values = values.array(Double.self).filter(\.isFinite)
        guard let low = values.min(), let high = values.max() else { return }
        let width = (high - low) / Double(bins)
        var counts = [Double](repeating: 0, count: bins)
        for value in values { counts[width > 0 ? min(Int((value - low) / width), bins - 1) : 0] += 1 }
        var histogram = Message()
        histogram.add(1, low)
        histogram.add(2, high)
        histogram.add(3, Double(values.count))
        histogram.add(4, values.reduce(0, +))
        histogram.add(5, values.reduce(0) { $0 + $1 * $1 })
        histogram.add(6, (1...bins).map { $0 == bins ? high : low + width * Double($0) })
        histogram.add(7, counts)
        var item = Message()
        item.add(1, tag)
        item.add(5, histogram)
        try write(summary: item, step, date)
    }

    /// An event with one value: `Event { wall_time = 1; step = 2; summary = 5 { value = 1 } }`.
    private func write(summary item: Message, _ step: Int, _ date: Date) throws {
        var summary = Message()
        summary.add(1, item)
        var event = Message()
        event.add(1, date.timeIntervalSince1970)
        event.add(2, step)
        event.add(5, summary)
        try write(event)
    }

    /// A record: length, its checksum, the message, its checksum; numbers little-endian.
    private func write(_ event: Message) throws {
        let length = littleEndian(UInt64(event.bytes.count))
        try file.append(
            length + littleEndian(maskedChecksum(length)) + event.bytes + littleEndian(maskedChecksum(event.bytes)))
    }
}

/// A protocol-buffer message under construction.
struct Message {
    private(set) var bytes: [UInt8] = []

    private enum Wire: UInt64 { case varint = 0, fixed64 = 1, delimited = 2, fixed32 = 5 }

    private mutating func tag(_ field: UInt64, _ wire: Wire) { varint(field << 3 | wire.rawValue) }
    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
    private mutating func delimited(_ field: UInt64, _ content: [UInt8]) {
        tag(field, .delimited)
        varint(UInt64(content.count))
        bytes += content
    }

    mutating func add(_ field: UInt64, _ value: Int) {
        tag(field, .varint)
        varint(UInt64(bitPattern: Int64(value)))
    }
    mutating func add(_ field: UInt64, _ value: Double) {
        tag(field, .fixed64)
        bytes += littleEndian(value.bitPattern)
    }
    mutating func add(_ field: UInt64, _ value: Float) {
        tag(field, .fixed32)
        bytes += littleEndian(value.bitPattern)
    }
    mutating func add(_ field: UInt64, _ value: String) { delimited(field, Array(value.utf8)) }
    mutating func add(_ field: UInt64, _ value: Message) { delimited(field, value.bytes) }
    /// Numbers in one field, packed.
    mutating func add(_ field: UInt64, _ values: [Double]) {
        delimited(field, values.flatMap { littleEndian($0.bitPattern) })
    }
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// CRC-32C (Castagnoli) as TFRecord stores it: rotated by 15 bits and shifted, so that checksums of data that hold
/// checksums stay good.
func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
    let checksum = ~bytes.reduce(~0) { checksumTable[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    return (checksum >> 15 | checksum << 17) &+ 0xa282_ead8
}

/// What a byte does to the checksum; the polynomial 0x1EDC6F41 with its bits reversed.
private let checksumTable: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
}
