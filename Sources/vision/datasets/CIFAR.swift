// Small colour images in the binary files of CIFAR.
import Foundation
import Tapestry

extension datasets {
    /// Photographs of ten kinds of things, 32 × 32: inputs float32 [3, 32, 32] in [0, 1], targets int64 in 0...9.
    /// Mirrors `torchvision.datasets.CIFAR10` with `ToTensor` (Krizhevsky, 2009).
    public struct CIFAR10: ImageDataset {
        /// The set in memory.
        public let images: LabelledImages

        /// Reads the binary version: `data_batch_1.bin` to `data_batch_5.bin` as far as they exist, or
        /// `test_batch.bin`, each a row of label and 3072 bytes an image.
        ///
        /// - Parameters:
        ///   - root: the folder with the files, in itself or in `cifar-10-batches-bin` below.
        ///   - download: fetch and unpack the archive if the files are missing.
        ///   - transform: applied to each batch of images, float32 [N, 3, 32, 32].
        /// - Throws: `FileError` naming the file and what is wrong with it.
        public init(
            root: String, train: Bool = true, download: Bool = false, transform: (any Transform)? = nil
        ) throws {
            let archive = CIFARArchive(
                name: "cifar-10-binary.tar.gz", md5: "c32a1d4ab5d03f1284b67883e8d87530", folder: "cifar-10-batches-bin")
            let folder = try archive.folder(root, download: download)
            let names = train ? (1...5).map { "data_batch_\($0).bin" } : ["test_batch.bin"]
            let paths = names.map { "\(folder)/\($0)" }.filter { FileManager.default.fileExists(atPath: $0) }
            guard !paths.isEmpty else { throw FileError(folder, "has no \(names.joined(separator: ", "))") }
            images = try LabelledImages(
                cifar: paths, labelBytes: [10], used: 0, classes: CIFAR10.classNames, transform: transform)
        }

        static let classNames = [
            "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
        ]
    }

    /// Photographs of a hundred kinds of things, 32 × 32, in twenty groups. Mirrors `torchvision.datasets.CIFAR100`
    /// with `ToTensor` (Krizhevsky, 2009).
    public struct CIFAR100: ImageDataset {
        /// The set in memory.
        public let images: LabelledImages

        /// Reads the binary version: `train.bin` or `test.bin`, each a row of two labels and 3072 bytes an image.
        ///
        /// - Parameters:
        ///   - root: the folder with the files, in itself or in `cifar-100-binary` below.
        ///   - download: fetch and unpack the archive if the files are missing.
        ///   - coarse: the twenty groups as targets instead of the hundred kinds.
        ///   - transform: applied to each batch of images, float32 [N, 3, 32, 32].
        /// - Throws: `FileError` naming the file and what is wrong with it.
        public init(
            root: String, train: Bool = true, download: Bool = false, coarse: Bool = false,
            transform: (any Transform)? = nil
        ) throws {
            let archive = CIFARArchive(
                name: "cifar-100-binary.tar.gz", md5: "03b5dce01913d631647c71ecec9e9cb8", folder: "cifar-100-binary")
            let folder = try archive.folder(root, download: download)
            images = try LabelledImages(
                cifar: ["\(folder)/\(train ? "train" : "test").bin"], labelBytes: [20, 100], used: coarse ? 0 : 1,
                classes: coarse ? CIFAR100.groupNames : CIFAR100.classNames, transform: transform)
        }

        static let groupNames = words(
            """
            aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
            household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes
            large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees
            vehicles_1 vehicles_2
            """)
        static let classNames = words(
            """
            apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
            castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
            elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
            lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
            pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
            skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
            tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
            """)

        private static func words(_ text: String) -> [String] {
            text.split(whereSeparator: \.isWhitespace).map(String.init)
        }
    }
}

/// The archive that a dataset comes in.
private struct CIFARArchive {
    let name, md5, folder: String

    /// Where the files are; with `download` they are fetched first unless they are there.
    func folder(_ root: String, download: Bool) throws -> String {
        if download, !FileManager.default.fileExists(atPath: "\(root)/\(folder)") {
            let source = Download.Source(files: [(name, md5)], mirrors: ["https://www.cs.toronto.edu/~kriz/"])
            try Download.fetchMissing(source, into: root)
            try unpackTar("\(root)/\(name)", folder: folder, into: root)
        }
        return try DatasetFolder.find(root, below: [folder])
    }
}

extension LabelledImages {
    /// Images in files of rows: labels of a byte each, then 3072 bytes, red, green and blue planes of 32 × 32.
    ///
    /// - Parameters:
    ///   - labelBytes: for each label byte of a row how many values it has.
    ///   - used: which of them is the target.
    /// - Throws: `FileError` for a file that is no whole number of rows, or a label that has no class.
    init(cifar paths: [String], labelBytes: [Int], used: Int, classes: [String], transform: (any Transform)?) throws {
        let (pixels, rowBytes) = (3 * 32 * 32, 3 * 32 * 32 + labelBytes.count)
        let files = try paths.map { path in
            let file = try InputFile(path)
            guard file.size > 0, file.size % rowBytes == 0 else {
                throw FileError(
                    path,
                    "has \(file.size) bytes, which is no whole number of images of \(rowBytes) bytes each: the last "
                        + "begins at byte \(file.size / rowBytes * rowBytes)")
            }
            return file
        }
        let count = files.reduce(0) { $0 + $1.size / rowBytes }
        let data = Tensor.empty([count, 3, 32, 32], dtype: .uint8)
        var labels: [Int] = []
        labels.reserveCapacity(count)
        for file in files {
            // Some hundred images at a time.
            for start in stride(from: 0, to: file.size, by: 256 * rowBytes) {
                let bytes = try file.bytes(256 * rowBytes, at: start)
                guard bytes.count == min(256 * rowBytes, file.size - start) else {
                    throw FileError(file.path, "has become shorter: it ends at byte \(start + bytes.count)")
                }
                for row in stride(from: 0, to: bytes.count, by: rowBytes) {
                    for (index, range) in labelBytes.enumerated() where bytes[row + index] >= range {
                        throw FileError(
                            file.path,
                            "the label at byte \(start + row + index) is \(bytes[row + index]), not 0 to \(range - 1)")
                    }
                    data.withElements(as: UInt8.self) { target in
                        let place = labels.count * pixels
                        let image = bytes[(row + labelBytes.count)..<(row + rowBytes)]
                        _ = UnsafeMutableBufferPointer(rebasing: target[place..<place + pixels]).update(from: image)
                    }
                    labels.append(Int(bytes[row + used]))
                }
            }
        }
        self.init(data: data, targets: Tensor(labels), classes: classes, transform: transform)
    }
}
