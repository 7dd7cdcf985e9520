// The two photographs that ship with the package.
import Tapestry

extension datasets {
    /// A photograph that ships with the package, under Creative Commons Attribution 2.0.
    public enum SampleImage: String, CaseIterable, Sendable {
        /// A Chinese temple. By danielbuechele (flickr.com/photos/danielbuechele/6061409035).
        case china
        /// A dahlia. By vultilion (flickr.com/photos/vultilion/6056698931).
        case flower
    }

    /// One photograph: uint8 [3, 427, 640]. Mirrors scikit-learn's `load_sample_image`.
    ///
    /// - Throws: `FileError` if the package's resources are missing.
    public static func sampleImage(_ name: SampleImage) throws -> Tensor {
        try io.readImage("\(DatasetFolder.shipped("images"))/\(name.rawValue).png")
    }

    /// Both photographs, china and flower: uint8 [2, 3, 427, 640]. Mirrors scikit-learn's `load_sample_images`.
    ///
    /// - Throws: `FileError` if the package's resources are missing.
    public static func sampleImages() throws -> Tensor { Tensor.stack(try SampleImage.allCases.map(sampleImage)) }
}
