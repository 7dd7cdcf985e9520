// What all datasets of labelled images in memory share.
import Foundation
import Tapestry
import data

/// Datasets of images. Mirrors `torchvision.datasets`.
public enum datasets {}

/// Labelled images of one size, in memory as they are stored. Inputs are float32 [C, H, W] in [0, 1], transformed if
/// there is a transform; targets int64.
public protocol ImageDataset: Dataset {
    var images: LabelledImages { get }
}

/// Images as bytes, their labels, and what is done to a batch.
public struct LabelledImages: Sendable {
    /// uint8 [N, C, H, W], or [N, H, W] for grey images.
    public let data: Tensor
    /// int64 [N]
    public let targets: Tensor
    /// Names of the labels.
    public let classes: [String]
    /// Applied to each batch, float32 [N, C, H, W] in [0, 1].
    public var transform: (any Transform)?
}

extension ImageDataset {
    /// The images as they are stored: uint8 [N, C, H, W], or [N, H, W] for grey ones.
    public var data: Tensor { images.data }
    /// The labels: int64 [N].
    public var targets: Tensor { images.targets }
    /// Names of the labels. Mirrors `dataset.classes`.
    public var classes: [String] { images.classes }
    public var count: Int { images.data.shape[0] }

    public func sample(_ index: Int) -> (input: Tensor, target: Tensor) {
        let (inputs, targets) = images.batch([index])
        return (inputs.select(dim: 0, index: 0), targets.select(dim: 0, index: 0))
    }

    public func batch(_ indices: [Int]) -> (inputs: Tensor, targets: Tensor) { images.batch(indices) }
}

extension LabelledImages {
    /// Some images by one gather, transformed, and their labels.
    func batch(_ indices: [Int]) -> (inputs: Tensor, targets: Tensor) {
        let rows = Tensor(indices)
        let stored = data.indexSelect(dim: 0, index: rows)
        let inputs = (stored.rank == 3 ? stored.unsqueeze(1) : stored).to(.float32) / 255
        return (transform?(inputs) ?? inputs, targets.indexSelect(dim: 0, index: rows))
    }
}

/// Folders of datasets.
package enum DatasetFolder {
    /// `root`, or the first of the folders below it that exists.
    ///
    /// - Throws: `FileError` unless `root` is a folder.
    static func find(_ root: String, below names: [String]) throws -> String {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root, isDirectory: &isDirectory) else {
            throw FileError(root, "there is no such folder")
        }
        guard isDirectory.boolValue else { throw FileError(root, "is a file, not a folder with the dataset's files") }
        return nested(root, names)
    }

    /// The first of the folders below `root` that exists, else `root` itself.
    static func nested(_ root: String, _ names: [String]) -> String {
        names.map { "\(root)/\($0)" }.first { FileManager.default.fileExists(atPath: $0) } ?? root
    }

    /// A file in a folder, plain or gzip.
    ///
    /// - Throws: `FileError` if there is neither.
    static func file(_ name: String, in folder: String) throws -> String {
        for path in ["\(folder)/\(name)", "\(folder)/\(name).gz"] where FileManager.default.fileExists(atPath: path) {
            return path
        }
        throw FileError(folder, "has neither \(name) nor \(name).gz")
    }

    /// The path of something that ships with the package.
    package static func shipped(_ name: String) throws -> String {
        guard let url = Bundle.module.url(forResource: name, withExtension: nil) else {
            throw FileError(name, "is missing from the package's own resources")
        }
        return url.path
    }
}
