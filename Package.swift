// swift-tools-version: 6.2
import PackageDescription

/// Lessons under Notebooks-as-scripts, each a program of one file.
let lessons = [
    "00-autograd-in-ten-minutes", "01-pytorch-mnist-cnn", "02-keras-convolution-and-resnet",
    "03-numpy-simple-convnet", "04-batchnorm-augmentation-lenet5-resblk", "05-mnist-cnn-sgd-momentum",
]

// Kernels and engine are optimised in every configuration, so that `swift run` (a debug build)
// trains at nearly release speed. Validation happens above the kernels and stays on.
// `Tests/Torture/sanitize` wants Swift's own checks in the kernels too: overflow, bounds, exclusive access.
let isChecked = Context.environment["TAPESTRY_CHECKED"] != nil
// Nobody reads errno after a square root; so it is an instruction for whole vectors and not a function.
let kernelMode = [isChecked ? "-O" : "-Ounchecked", "-Xcc", "-fno-math-errno"]
let kernelFlags: [SwiftSetting] = [.unsafeFlags(kernelMode)]
// `Tests/Torture/fuzz` asks for its program, and for instrumented readers, which it may look into. Kernels read no
// files: they stay as they are.
let isFuzzing = Context.environment["TAPESTRY_FUZZ"] != nil
let fuzzerFlags = isFuzzing ? ["-sanitize=fuzzer,address", "-enable-testing"] : []
// Exclusive access is checked by the compiler; asking again at run time would cost a small op several per cent.
let engineFlags: [SwiftSetting] = [
    .unsafeFlags(["-O", "-enforce-exclusivity=\(isChecked ? "checked" : "unchecked")"] + fuzzerFlags)
]

#if arch(x86_64)
    let wideKernels: [Target] = [
        .target(
            name: "KernelsAVX2", dependencies: ["Kernels"],
            swiftSettings: [.unsafeFlags(kernelMode + ["-Xcc", "-march=x86-64-v3"])]),
        .target(
            name: "KernelsAVX512", dependencies: ["Kernels"],
            swiftSettings: [
                .unsafeFlags(
                    kernelMode + ["-Xcc", "-march=x86-64-v4", "-Xcc", "-mprefer-vector-width=512"])
            ]),
    ]
#else
    let wideKernels: [Target] = []
#endif
let kernelModules: [Target.Dependency] =
    ["Kernels", "KernelsBaseline", "CPUFeatures"] + wideKernels.map { .byName(name: $0.name) }

// It depends on every module that a script may import. The fuzzer needs its readers without their program.
let notebookModules: [Target.Dependency] = [
    "ExampleSupport", "Tapestry", "nn", "optim", "data", "training", "vision", "plot",
]
let notebook: Target =
    isFuzzing
    ? .target(
        name: "notebook", dependencies: notebookModules, path: "Examples/notebook", exclude: ["main.swift"],
        swiftSettings: engineFlags)
    : .executableTarget(
        name: "notebook", dependencies: notebookModules, path: "Examples/notebook", swiftSettings: engineFlags)
let fuzzers: [Target] =
    !isFuzzing
    ? []
    : [
        .executableTarget(
            name: "fuzz", dependencies: notebookModules + ["notebook", "CZlib"],
            path: "Tests/Torture/Fuzzers", swiftSettings: engineFlags + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])])
    ]

let package = Package(
    name: "tapestry",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Tapestry", targets: ["Tapestry", "nn", "optim", "data", "training", "vision", "plot"]),
        .executable(name: "mnist-cnn", targets: ["mnist-cnn"]),
    ] + (isFuzzing ? [] : [.executable(name: "notebook", targets: ["notebook"])]),
    targets: [
        .target(name: "CPUFeatures"),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Kernels", swiftSettings: kernelFlags),
        .target(name: "KernelsBaseline", dependencies: ["Kernels"], swiftSettings: kernelFlags),
        .target(name: "Tapestry", dependencies: kernelModules + ["CZlib"], swiftSettings: engineFlags),
        .target(name: "nn", dependencies: ["Tapestry"], swiftSettings: engineFlags),
        .target(name: "optim", dependencies: ["Tapestry", "Kernels", "nn"], swiftSettings: engineFlags),
        .target(name: "data", dependencies: ["Tapestry"], swiftSettings: engineFlags),
        .target(name: "training", dependencies: ["Tapestry", "nn", "optim", "data"], swiftSettings: engineFlags),
        .target(
            name: "vision", dependencies: ["Tapestry", "nn", "data", "CZlib"],
            resources: [.copy("Resources/mnist"), .copy("Resources/images")], swiftSettings: engineFlags),
        .target(name: "plot", dependencies: ["Tapestry"], swiftSettings: engineFlags),
        .target(
            name: "ExampleSupport", dependencies: ["Tapestry", "nn", "data", "vision"], path: "Examples/Support",
            swiftSettings: isFuzzing ? engineFlags : []),
        .executableTarget(
            name: "mnist-cnn", dependencies: ["ExampleSupport", "Tapestry", "nn", "optim", "data", "vision"],
            path: "Examples/mnist-cnn"),
        notebook,
        .executableTarget(
            name: "cifar10-lenet5", dependencies: ["ExampleSupport", "Tapestry", "nn", "optim", "data", "vision"],
            path: "Examples/cifar10-lenet5"),
        .executableTarget(
            name: "resnet34",
            dependencies: ["ExampleSupport", "Tapestry", "nn", "optim", "data", "training", "vision"],
            path: "Examples/resnet34"),
        .executableTarget(
            name: "image-classifier", dependencies: ["ExampleSupport", "Tapestry", "nn", "vision"],
            path: "Examples/image-classifier"),
        .executableTarget(
            name: "char-rnn", dependencies: ["ExampleSupport", "Tapestry", "nn", "optim"],
            path: "Examples/char-rnn", resources: [.copy("sonnets.txt")]),
        .executableTarget(
            name: "gan-mnist", dependencies: ["ExampleSupport", "Tapestry", "nn", "optim", "data", "vision"],
            path: "Examples/gan-mnist"),
        .executableTarget(
            name: "gradcheck-your-op", dependencies: ["ExampleSupport", "Tapestry", "nn", "optim"],
            path: "Examples/gradcheck-your-op"),
        .executableTarget(
            name: "compare-with-torch", dependencies: ["ExampleSupport", "Tapestry", "nn", "vision"],
            path: "Examples/compare-with-torch", exclude: ["dump.py"]),
        .executableTarget(
            name: "parity", dependencies: ["Tapestry", "nn", "optim", "data", "vision"], path: "Tests/Parity"),
        .executableTarget(
            name: "bench", dependencies: ["Tapestry", "Kernels", "nn", "optim", "data", "vision"],
            path: "Tests/Benchmarks/bench"),
        .executableTarget(name: "write-events", dependencies: ["training"], path: "Tests/Interop/Events"),
        .executableTarget(
            name: "interop", dependencies: ["Tapestry", "nn", "optim"], path: "Tests/Interop/Weights"),
        .executableTarget(
            name: "KillWhileSaving", dependencies: ["ExampleSupport", "Tapestry", "nn", "optim"],
            path: "Tests/KillWhileSaving"),
        .executableTarget(
            name: "torture",
            dependencies: ["ExampleSupport", "Tapestry", "Kernels", "nn", "optim", "data", "training", "vision"],
            path: "Tests/Torture/Program", swiftSettings: engineFlags),
        // What tests of several modules share.
        .target(name: "TestSupport", dependencies: ["Tapestry", "CZlib"], path: "Tests/Support"),
        .testTarget(name: "KernelsTests", dependencies: kernelModules),
        .testTarget(name: "TapestryTests", dependencies: ["Tapestry", "TestSupport"]),
        .testTarget(name: "NNTests", dependencies: ["nn", "TestSupport"]),
        .testTarget(name: "OptimTests", dependencies: ["optim", "nn", "data", "TestSupport"]),
        .testTarget(name: "TrainingTests", dependencies: ["training", "TestSupport"]),
        .testTarget(name: "DataTests", dependencies: ["data", "TestSupport"]),
        .testTarget(
            name: "VisionTests", dependencies: ["vision", "TestSupport", "CZlib"], resources: [.copy("Resources")]),
        .testTarget(name: "PlotTests", dependencies: ["plot", "CZlib"]),
        .testTarget(name: "NotebookTests", dependencies: ["notebook", "TestSupport"]),
        .testTarget(
            name: "ExamplesTests",
            dependencies: [
                "ExampleSupport", "Tapestry", "mnist-cnn", "cifar10-lenet5", "resnet34", "image-classifier", "char-rnn",
                "gan-mnist", "gradcheck-your-op", "compare-with-torch", "TestSupport",
            ]),
    ] + wideKernels + fuzzers
        + lessons.map {
            .executableTarget(
                name: $0,
                dependencies: ["ExampleSupport", "Tapestry", "nn", "optim", "data", "training", "vision", "plot"],
                path: "Notebooks-as-scripts/\($0)")
        }
)
