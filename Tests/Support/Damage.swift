// Files that are cut off and changed at random: readers must throw `FileError` or read something, never end a test.
import Foundation
import Testing

import Tapestry

/// Calls `load` with every prefix of some bytes (each must throw), with every byte changed to a few others, and with
/// many mixtures of changes.
package func damage(_ whole: [UInt8], rounds: Int = 1000, _ load: ([UInt8]) throws -> Any) throws {
    func attempt(_ damaged: [UInt8]) { do { _ = try load(damaged) } catch { #expect(error is FileError, "\(error)") } }
    for length in whole.indices {
        #expect(throws: FileError.self, "the first \(length) bytes") { try load(Array(whole[..<length])) }
    }
    for index in whole.indices {
        for change in [0x01, 0x80, 0xff] as [UInt8] {
            var damaged = whole
            damaged[index] ^= change
            attempt(damaged)
        }
    }
    let generator = Tapestry.Generator(seed: 1)
    func random(_ count: Int) -> Int { Int(generator.random64() % UInt64(count)) }
    for _ in 0..<rounds {
        var damaged = whole
        for _ in 0...random(6) where !damaged.isEmpty {
            let place = random(damaged.count)
            switch random(4) {
            case 0: damaged[place] = UInt8(random(256))
            case 1: damaged.insert(contentsOf: damaged[random(damaged.count)...].prefix(8), at: place)
            case 2: damaged.removeSubrange(place..<min(place + random(16), damaged.count))
            default:
                damaged.replaceSubrange(place..<min(place + 4, damaged.count), with: [0xff, 0xff, 0xff, 0x7f])
            }
        }
        attempt(damaged)
    }
    _ = try load(whole)
}

/// The same for a file, which is as it was afterwards.
package func damage(_ path: String, rounds: Int = 1000, _ load: () throws -> Any) throws {
    try damage(try bytes(path), rounds: rounds) { damaged in
        try write(damaged, to: path)
        return try load()
    }
}

/// The same dtype, shape and bits.
package func expectSame(_ a: Tensor, _ b: Tensor, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(a.dtype == b.dtype && a.shape == b.shape, sourceLocation: sourceLocation)
    let areSame = a.withElementBytes { x in b.withElementBytes { y in x.elementsEqual(y) } }
    #expect(areSame, sourceLocation: sourceLocation)
}
