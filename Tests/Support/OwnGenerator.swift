// Random numbers of tests that run at the same time.
import Tapestry
import Testing

/// Gives each test a default generator of its own, so that tests that run at the same time draw apart.
package struct OwnGenerator: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await Tapestry.Generator.$forked.withValue(Tapestry.Generator(seed: 0), operation: function)
    }
}

extension Trait where Self == OwnGenerator {
    package static var ownGenerator: OwnGenerator { OwnGenerator() }
}
