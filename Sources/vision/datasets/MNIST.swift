// The MNIST database of handwritten digits, and the datasets that come in its format.
import Foundation
import Tapestry

extension datasets {
    /// Handwritten digits, 28 × 28: inputs float32 [1, 28, 28] in [0, 1], targets int64 in 0...9.
    /// Mirrors `torchvision.datasets.MNIST` with `ToTensor` (LeCun et al., 1998).
    public struct MNIST: ImageDataset {
        /// The set in memory.
        public let images: LabelledImages

        /// Reads the IDX files, plain or gzip, of the training or the test set.
        ///
        /// - Parameters:
        ///   - root: the folder with the files, in itself or in `MNIST/raw` below. If they are compressed, an unpacked
        ///     copy of the images is kept beside them (`….cache`, checked whenever it is read, and not made where the
        ///     folder is read-only). Without a folder the subset that ships with the package is used (the first 10,000
        ///     training and 2,000 test images), and a line on standard error says so.
        ///   - download: fetch files that are missing.
        ///   - transform: applied to each batch of images, float32 [N, 1, 28, 28].
        /// - Throws: `FileError` naming the file and what is wrong with it.
        public init(
            root: String? = nil, train: Bool = true, download: Bool = false, transform: (any Transform)? = nil
        ) throws {
            if root == nil { MNIST.announceSubset }
            images =
                if let root {
                    try MNIST.family.load(root, train: train, download: download, transform)
                } else {
                    try MNIST.subset(train: train, transform)
                }
        }

        /// The subset that ships with the package, without a word.
        static func subset(train: Bool, _ transform: (any Transform)? = nil) throws -> LabelledImages {
            try family.load(
                DatasetFolder.shipped("mnist"), train: train, download: false, keepsCopy: false, transform)
        }

        /// Says once that the subset is used.
        private static let announceSubset: Void = FileHandle.standardError.write(
            Data("MNIST: no folder given, using the shipped subset (10,000 training and 2,000 test images)\n".utf8))

        private static let family = MNISTFamily(
            name: "MNIST",
            classes: ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"].enumerated().map {
                "\($0) - \($1)"
            },
            checksums: [
                "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
                "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
            ],
            mirrors: [
                "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ])
    }

    /// Articles of clothing in the format of MNIST. Mirrors `torchvision.datasets.FashionMNIST` with `ToTensor`
    /// (Xiao et al., 2017).
    public struct FashionMNIST: ImageDataset {
        /// The set in memory.
        public let images: LabelledImages

        /// Reads the files of the training or the test set in `root` itself or in `FashionMNIST/raw` below; otherwise
        /// as `MNIST`.
        public init(
            root: String, train: Bool = true, download: Bool = false, transform: (any Transform)? = nil
        ) throws { images = try FashionMNIST.family.load(root, train: train, download: download, transform) }

        private static let family = MNISTFamily(
            name: "FashionMNIST",
            classes: [
                "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                "Ankle boot",
            ],
            checksums: [
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
            ],
            mirrors: ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"])
    }

    /// Japanese characters in old cursive writing in the format of MNIST. Mirrors `torchvision.datasets.KMNIST` with
    /// `ToTensor` (Clanuwat et al., 2018).
    public struct KMNIST: ImageDataset {
        /// The set in memory.
        public let images: LabelledImages

        /// Reads the files of the training or the test set in `root` itself or in `KMNIST/raw` below; otherwise as
        /// `MNIST`.
        public init(
            root: String, train: Bool = true, download: Bool = false, transform: (any Transform)? = nil
        ) throws { images = try KMNIST.family.load(root, train: train, download: download, transform) }

        private static let family = MNISTFamily(
            name: "KMNIST", classes: ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
            checksums: [
                "bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
                "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134",
            ],
            mirrors: ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"])
    }

    /// Handwritten letters and digits in the format of MNIST; images are stored mirrored at the diagonal, as the
    /// distribution has them. Mirrors `torchvision.datasets.EMNIST` with `ToTensor` (Cohen et al., 2017).
    public struct EMNIST: ImageDataset {
        /// The set in memory.
        public let images: LabelledImages

        /// Which classes there are.
        public enum Split: String, CaseIterable, Sendable {
            /// Digits, capitals and small letters: 62 classes.
            case byclass
            /// Letters that look alike as capitals and small ones are one class: 47. `balanced` has equally many of
            /// each.
            case bymerge, balanced
            /// Labels 1 to 26.
            case letters
            case digits, mnist

            /// Names of the labels.
            public var classes: [String] {
                let digits = (0...9).map(String.init)
                let capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".map(String.init)
                switch self {
                case .digits, .mnist: return digits
                case .letters: return ["N/A"] + capitals.map { $0.lowercased() }
                case .byclass: return digits + capitals + capitals.map { $0.lowercased() }
                case .bymerge, .balanced: return digits + capitals + "abdefghnqrt".map(String.init)
                }
            }
        }

        /// Reads `emnist-SPLIT-train-images-idx3-ubyte` and its like, plain or gzip, in `root` itself or in
        /// `EMNIST/raw` or `gzip` below; otherwise as `MNIST`.
        ///
        /// - Parameter download: fetch the distribution, one zip archive of 562 MB with all splits, into `root` and unpack
        ///   it there, unless this split's files are there already.
        /// - Throws: `FileError` naming the file and what is wrong with it.
        public init(
            root: String, split: Split, train: Bool = true, download: Bool = false, transform: (any Transform)? = nil
        ) throws {
            let part = "emnist-\(split.rawValue)-\(train ? "train" : "test")"
            let (images, labels) = ("\(part)-images-idx3-ubyte", "\(part)-labels-idx1-ubyte")
            if download { try EMNIST.fetch(into: root, unlessThere: [images, labels]) }
            let classes = split.classes
            self.images = try LabelledImages(
                idx: try DatasetFolder.find(root, below: EMNIST.folders), images: images, labels: labels,
                classes: classes, labelRange: (split == .letters ? 1 : 0)...classes.count - 1, transform: transform)
        }

        private static let folders = ["EMNIST/raw", "gzip"]

        /// Fetches the archive and unpacks it into `gzip`.
        static func fetch(
            into root: String, unlessThere files: [String], source: Download.Source = archive,
            get: (URL) throws -> Data = Download.body
        ) throws {
            let folder = DatasetFolder.nested(root, folders)
            if files.allSatisfy({ (try? DatasetFolder.file($0, in: folder)) != nil }) { return }
            try Download.fetchMissing(source, into: root, get: get)
            try unpackZip("\(root)/gzip.zip", folder: "gzip", into: root) { $0.hasSuffix(".gz") }
        }

        private static let archive = Download.Source(
            files: [("gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e")],
            mirrors: ["https://biometrics.nist.gov/cs_links/EMNIST/"])
    }
}

/// A dataset of ten classes in MNIST's four files.
private struct MNISTFamily {
    let name: String
    let classes: [String]
    /// MD5 of training images, training labels, test images and test labels, gzip.
    let checksums: [String]
    let mirrors: [String]

    /// Reads a set from `root` or the folder that torchvision has below it, having fetched missing files if asked to.
    func load(
        _ root: String, train: Bool, download: Bool, keepsCopy: Bool = true, _ transform: (any Transform)?
    ) throws -> LabelledImages {
        let names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]
        if download {
            let files = zip(names, checksums).map { (name: "\($0)-ubyte.gz", md5: $1) }
            try Download.fetchMissing(
                .init(files: files, mirrors: mirrors), into: DatasetFolder.nested(root, ["\(name)/raw"]))
        }
        let first = train ? 0 : 2
        return try LabelledImages(
            idx: try DatasetFolder.find(root, below: ["\(name)/raw"]), images: "\(names[first])-ubyte",
            labels: "\(names[first + 1])-ubyte", classes: classes, labelRange: 0...9, keepsCopy: keepsCopy,
            transform: transform)
    }
}
