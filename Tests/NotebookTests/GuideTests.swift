// The Swift in the README and in the guides runs as it stands there.
import Foundation
import TestSupport
import Testing

@Suite struct GuideTests {
    /// All pieces of a page's Swift become the cells of one script: later ones may use what earlier ones declare.
    @Test(arguments: ["README", "from-pytorch", "add-an-op", "add-a-layer", "how-the-tape-works", "performance"])
    func codeRunsAsItStands(_ name: String) throws {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = package.appendingPathComponent(name == "README" ? "README.md" : "Notebooks-as-scripts/\(name).md")
        let pieces = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```swift\n").dropFirst()
            .map { $0.components(separatedBy: "```")[0] }
            // A manifest, and an op of the package's own, which is there already.
            .filter { !$0.hasPrefix("// swift-tools-version") && !$0.contains(": Primitive") }
        let modules = ["Foundation", "Tapestry", "data", "nn", "optim", "vision"]
        let imports = modules.map { "import \($0)\n" }.joined()
        let folder = TemporaryFolder()
        let code = pieces.map { piece in
            piece.split(separator: "\n").filter { !$0.hasPrefix("import ") }.joined(separator: "\n")
        }.joined(separator: "\n// %%\n").replacing("\"tape.svg\"", with: "\"\(folder.path("tape.svg"))\"")
        #expect(!pieces.isEmpty)
        let result = try notebook(try folder.script("// %%\n" + imports + code))
        #expect(result.status == 0, "\(result.errors)")
    }
}
