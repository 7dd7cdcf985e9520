// Images in folders, one folder for each class.
import Foundation
import Tapestry
import data

extension datasets {
    /// Images as `root/CLASS/…/NAME.png` (or .pnm, .ppm, .pgm, .pbm), read when asked for: inputs float32 [3, H, W] in
    /// [0, 1], transformed; targets int64, the place of the class among the folders' names in order. Mirrors
    /// `torchvision.datasets.ImageFolder` with `ToTensor`.
    ///
    /// A batch needs images of one size: let the transform see to it. JPEG is not read: such files are an error unless a
    /// PNG of the same name stands beside them.
    public struct ImageFolder: Dataset {
        /// Names of the folders, in order.
        public let classes: [String]
        /// Path and class of each image, in order.
        public let samples: [(path: String, target: Int)]
        /// Applied to each image.
        public let transform: (any Transform)?

        /// The files that are taken for images.
        public static let extensions: Set<String> = ["png", "pnm", "ppm", "pgm", "pbm"]

        /// Looks for images below `root`; none is read.
        ///
        /// - Throws: `FileError` if there is no such folder, no folder in it, or one without images or with JPEG files.
        public init(root: String, transform: (any Transform)? = nil) throws {
            let folder = try DatasetFolder.find(root, below: [])
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            classes = names.filter { name in
                var isDirectory: ObjCBool = false
                return !name.hasPrefix(".")
                    && FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isDirectory)
                    && isDirectory.boolValue
            }.sorted()
            guard !classes.isEmpty else { throw FileError(folder, "has no folders, one for each class") }
            samples = try classes.enumerated().flatMap { target, name in
                let below =
                    FileManager.default.enumerator(atPath: "\(folder)/\(name)")?.compactMap { $0 as? String } ?? []
                let images = below.filter { path in
                    ImageFolder.extensions.contains((path as NSString).pathExtension.lowercased())
                }.sorted()
                // A photograph that is left out unnoticed would be missed: its PNG has to stand beside it.
                let known = Set(images.map { ($0 as NSString).deletingPathExtension })
                let unread = below.filter { path in
                    ["jpg", "jpeg"].contains((path as NSString).pathExtension.lowercased())
                        && !known.contains((path as NSString).deletingPathExtension)
                }
                if let first = unread.min() {
                    throw FileError(
                        "\(folder)/\(name)", "has \(unread.count) JPEG files, \(first) first; \(io.jpegAdvice)")
                }
                guard !images.isEmpty else {
                    let endings = ImageFolder.extensions.sorted().joined(separator: ", ")
                    throw FileError("\(folder)/\(name)", "has no images (files that end with \(endings))")
                }
                return images.map { ("\(folder)/\(name)/\($0)", target) }
            }
            self.transform = transform
        }

        public var count: Int { samples.count }

        /// - Throws: `FileError` if the image cannot be read.
        public func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) {
            let image = transforms.functional.toTensor(try io.readImage(samples[index].path, mode: .rgb))
            return (transform?(image) ?? image, Tensor(samples[index].target))
        }
    }
}
