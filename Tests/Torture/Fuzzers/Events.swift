// TensorBoard's event files: what is written is read by a reader of its own and compared.
import Foundation
import Tapestry
import training

extension Parser {
    /// The input chooses a tag, numbers, a step; one scalar and one histogram are written and read back.
    static let events = Parser(name: "events") { bytes, folder in
        var rest = bytes[...]
        func number() -> UInt64 {
            defer { rest = rest.dropFirst(8) }
            return rest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let (step, value, time) = (
            Int(truncatingIfNeeded: number()), Double(bitPattern: number()), Double(bitPattern: number())
        )
        let date = Date(timeIntervalSince1970: time)
        let values = (0..<Int(number() % 9)).map { _ in Double(bitPattern: number()) }
        let tag = String(decoding: rest, as: UTF8.self)

        let writer = try SummaryWriter(folder)
        defer { unlink(writer.path) }
        try writer.addScalar(tag, value, step: step, date: date)
        try writer.addHistogram(tag, Tensor(values), step: step, bins: 1 + values.count, date: date)
        let records = EventReader.records(FileManager.default.contents(atPath: writer.path).map(Array.init) ?? [])
        let finite = values.filter(\.isFinite)
        guard records.count == (finite.isEmpty ? 2 : 3) else { fatalError("\(records.count) events are read") }
        for (index, record) in records.enumerated() {
            let event = EventReader.fields(record)
            guard index > 0 else {
                guard event[3] == [.bytes(Array("brain.Event:2".utf8))] else {
                    fatalError("the first event is another")
                }
                continue
            }
            guard event[1] == [.fixed64(date.timeIntervalSince1970.bitPattern)],
                event[2] == [.varint(UInt64(bitPattern: Int64(step)))],
                let item = event[5]?.first?.message?[1]?.first?.message, item[1] == [.bytes(Array(tag.utf8))]
            else { fatalError("time, step or tag of event \(index) came back as others") }
            if index == 1 {
                guard item[2] == [.fixed32(Float(value).bitPattern)] else { fatalError("the number is another") }
            } else {
                guard let histogram = item[5]?.first?.message, case .fixed64(let count)? = histogram[3]?.first,
                    case .bytes(let counts)? = histogram[7]?.first, counts.count == 8 * (1 + values.count),
                    Double(bitPattern: count) == Double(finite.count)
                else { fatalError("the histogram is another") }
                let sum = stride(from: 0, to: counts.count, by: 8).reduce(0.0) {
                    $0 + Double(bitPattern: EventReader.little(counts[$1..<$1 + 8]))
                }
                guard sum == Double(finite.count) else { fatalError("the histogram counts \(sum) of \(finite.count)") }
            }
        }
    }
}

/// Reads framed records and protocol-buffer fields, written after the formats' descriptions; ends the program where a
/// file is wrong.
private enum EventReader {
    enum Field: Equatable {
        case varint(UInt64), fixed64(UInt64), fixed32(UInt32), bytes([UInt8])
        /// The fields of the message that the bytes are.
        var message: [UInt64: [Field]]? { if case .bytes(let bytes) = self { fields(bytes) } else { nil } }
    }

    static func records(_ bytes: [UInt8]) -> [[UInt8]] {
        var (records, position) = ([[UInt8]](), 0)
        while position < bytes.count {
            let length = Int(little(bytes[position..<position + 8]))
            let body = bytes[position + 12..<position + 12 + length]
            guard little(bytes[position + 8..<position + 12]) == UInt64(masked(bytes[position..<position + 8])),
                little(bytes[body.endIndex..<body.endIndex + 4]) == UInt64(masked(body))
            else { fatalError("a record's checksum is wrong") }
            records.append(Array(body))
            position = body.endIndex + 4
        }
        return records
    }

    static func fields(_ bytes: [UInt8]) -> [UInt64: [Field]] {
        var (fields, rest) = ([UInt64: [Field]](), bytes[...])
        func varint() -> UInt64 {
            var (value, shift) = (UInt64(0), UInt64(0))
            while let byte = rest.popFirst() {
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            fatalError("a number does not end")
        }
        func take(_ count: Int) -> ArraySlice<UInt8> {
            guard rest.count >= count else { fatalError("a field does not end") }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        while !rest.isEmpty {
            let tag = varint()
            let field: Field =
                switch tag & 7 {
                case 0: .varint(varint())
                case 1: .fixed64(little(take(8)))
                case 2: .bytes(Array(take(Int(varint()))))
                case 5: .fixed32(UInt32(little(take(4))))
                default: fatalError("the wire type \(tag & 7) does not exist")
                }
            fields[tag >> 3, default: []].append(field)
        }
        return fields
    }

    static func little(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

    /// CRC-32C bit by bit, rotated and shifted as TFRecord does.
    private static func masked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
        }
        return (~sum >> 15 | ~sum << 17) &+ 0xa282_ead8
    }
}
