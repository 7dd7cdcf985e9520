// The MNIST database of handwritten digits.
import Foundation
import Tapestry
import data

/// Datasets of images. Mirrors `torchvision.datasets`.
public enum datasets {}

extension datasets {
    /// Handwritten digits, 28 × 28: inputs float32 [1, 28, 28] in [0, 1], targets int64 in 0...9.
    /// Mirrors `torchvision.datasets.MNIST` with `ToTensor`.
    public struct MNIST: Dataset {
        /// The images as they are stored: uint8 [N, 28, 28].
        public let data: Tensor
        /// The labels: int64 [N].
        public let targets: Tensor
        /// Applied to each batch of images, float32 [N, 1, 28, 28].
        public let transform: (@Sendable (Tensor) -> Tensor)?

        /// Reads the IDX files, plain or gzip, of the training or the test set.
        ///
        /// - Parameters:
        ///   - root: the folder with the files, in itself or in `MNIST/raw` below. Without it the subset that ships
        ///     with the package is used (the first 10,000 training and 2,000 test images), and a line on standard error
        ///     says so.
        ///   - download: fetch files that are missing.
        ///   - transform: applied to each batch of images, float32 [N, 1, 28, 28].
        /// - Throws: `FileError` naming the file and what is wrong with it.
        public init(
            root: String? = nil, train: Bool = true, download: Bool = false,
            transform: (@Sendable (Tensor) -> Tensor)? = nil
        ) throws {
            let folder: String
            if let root {
                if download { try Download.fetchMissing(MNIST.source, into: MNIST.nested(root)) }
                folder = try MNIST.folder(below: root)
            } else {
                folder = try MNIST.shippedFolder
                MNIST.announceSubset
            }
            let part = train ? "train" : "t10k"
            let imagesPath = try MNIST.file("\(part)-images-idx3-ubyte", in: folder)
            let labelsPath = try MNIST.file("\(part)-labels-idx1-ubyte", in: folder)
            let images = try readIDX(imagesPath, itemShape: [28, 28])
            let labels = try readIDX(labelsPath, itemShape: [])
            guard images.shape[0] == labels.shape[0] else {
                throw FileError(
                    labelsPath, "holds \(labels.shape[0]) labels, but \(imagesPath) holds \(images.shape[0]) images")
            }
            let values = labels.array(Int.self)
            if let wrong = values.firstIndex(where: { $0 > 9 }) {
                throw FileError(
                    labelsPath, "the label of image \(wrong), at byte \(8 + wrong), is \(values[wrong]), not 0 to 9")
            }
            data = images
            targets = labels.to(.int64)
            self.transform = transform
        }

        public var count: Int { data.shape[0] }

        public func sample(_ index: Int) -> (input: Tensor, target: Tensor) {
            let (images, labels) = batch([index])
            return (images.select(dim: 0, index: 0), labels.select(dim: 0, index: 0))
        }

        public func batch(_ indices: [Int]) -> (inputs: Tensor, targets: Tensor) {
            let rows = Tensor(indices)
            let images = data.indexSelect(dim: 0, index: rows).unsqueeze(1).to(.float32) / 255
            return (transform?(images) ?? images, targets.indexSelect(dim: 0, index: rows))
        }

        // MARK: Files

        /// The four files with their MD5, and where they can be had, as the original distribution has them.
        static let source = Download.Source(
            files: [
                ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
                ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
                ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
            ],
            mirrors: [
                "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ])

        /// The folder of the subset that ships with the package.
        static var shippedFolder: String {
            get throws {
                guard let url = Bundle.module.url(forResource: "mnist", withExtension: nil) else {
                    throw FileError("mnist", "the package's own subset of MNIST is missing from its resources")
                }
                return url.path
            }
        }

        /// Says once that the subset is used.
        private static let announceSubset: Void = FileHandle.standardError.write(
            Data("MNIST: no folder given, using the shipped subset (10,000 training and 2,000 test images)\n".utf8))

        private static func folder(below root: String) throws -> String {
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: root, isDirectory: &isDirectory) else {
                throw FileError(root, "there is no such folder")
            }
            guard isDirectory.boolValue else { throw FileError(root, "is a file, not a folder with the MNIST files") }
            return nested(root)
        }

        /// `MNIST/raw` below a folder where there is one (torchvision's layout), else the folder itself.
        private static func nested(_ root: String) -> String {
            let nested = root + "/MNIST/raw"
            return FileManager.default.fileExists(atPath: nested) ? nested : root
        }

        private static func file(_ name: String, in folder: String) throws -> String {
            for path in ["\(folder)/\(name)", "\(folder)/\(name).gz"] where FileManager.default.fileExists(atPath: path)
            {
                return path
            }
            throw FileError(folder, "has neither \(name) nor \(name).gz")
        }
    }
}
