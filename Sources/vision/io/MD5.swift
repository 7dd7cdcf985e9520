// The checksum that datasets publish.
import Foundation

/// The MD5 of some bytes in hexadecimal (RFC 1321). Foundation has none on Linux.
func md5(_ data: Data) -> String {
    let shifts: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
    let constants = (0..<64).map { UInt32(abs(sin(Double($0 + 1))) * 4_294_967_296) }
    // What follows the last whole block: the rest, a one bit, zeros up to a block's end, the length in bits.
    var tail = [UInt8](data.suffix(data.count % 64)) + [0x80]
    tail += [UInt8](repeating: 0, count: (120 - tail.count) % 64)
    tail += withUnsafeBytes(of: (UInt64(data.count) &* 8).littleEndian, Array.init)
    var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
    var words = [UInt32](repeating: 0, count: 16)
    func take(_ blocks: UnsafeRawBufferPointer) {
        for block in stride(from: 0, to: blocks.count, by: 64) {
            for index in 0..<16 {
                words[index] = UInt32(
                    littleEndian: blocks.loadUnaligned(fromByteOffset: block + 4 * index, as: UInt32.self))
            }
            var (a, b, c, d) = (state[0], state[1], state[2], state[3])
            for index in 0..<64 {
                let (f, word): (UInt32, Int)
                switch index / 16 {
                case 0: (f, word) = ((b & c) | (~b & d), index)
                case 1: (f, word) = ((d & b) | (~d & c), (5 * index + 1) % 16)
                case 2: (f, word) = (b ^ c ^ d, (3 * index + 5) % 16)
                default: (f, word) = (c ^ (b | ~d), (7 * index) % 16)
                }
                let sum = a &+ f &+ constants[index] &+ words[word]
                let shift = shifts[index / 16 * 4 + index % 4]
                (a, d, c, b) = (d, c, b, b &+ (sum << shift | sum >> (32 - shift)))
            }
            state = zip(state, [a, b, c, d]).map { $0 &+ $1 }
        }
    }
    data.withUnsafeBytes { take(UnsafeRawBufferPointer(rebasing: $0[..<($0.count / 64 * 64)])) }
    tail.withUnsafeBytes(take)
    return state.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }.map { String(format: "%02x", $0) }
        .joined()
}
