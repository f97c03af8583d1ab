// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
    name: "libneuralcodec",
    products: [
        .library(name: "neuralcodec", type: .dynamic, targets: ["NeuralCodec"]),
        .executable(name: "neuralcodec-cli", targets: ["neuralcodec-cli"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // The public header as a module, so that the exports can be held against it.
        .systemLibrary(name: "CNeuralCodec", path: "include"),
        // Allocation, floating-point environment, threads, last error.
        .target(name: "CPlatform"),
        // Every floating-point operation of the coding path: portable C and its SIMD twins.
        .target(name: "CKernels"),
        // zlib, unchanged, of which deflate and inflate are used. The definitions are those of its header for others, CZlib.h.
        .target(
            name: "CZlib", exclude: ["zlib/LICENSE", "zlib/SHA256SUMS"], cSettings: [.define("Z_SOLO"), .define("Z_PREFIX"), .define("NO_GZIP")]),
        // What is kept without loss: the alpha channel and stored colours.
        .target(name: "CPlanes", dependencies: ["CPlatform", "CZlib"]),
        // The default model as a byte array.
        .target(name: "CDefaultModel"),
        .target(name: "NeuralCodec", dependencies: ["CNeuralCodec", "CPlatform", "CKernels", "CPlanes", "CDefaultModel"]),
        // PNG for the command: libpng behind a few functions that do not longjmp.
        .target(name: "CPNG", dependencies: ["CZlib"], linkerSettings: [.linkedLibrary("png")]),
        .executableTarget(
            name: "neuralcodec-cli",
            dependencies: ["NeuralCodec", "CPNG", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        // Measurements that need the core's internals.
        .executableTarget(name: "neuralcodec-bench", dependencies: ["NeuralCodec", "CPNG"], path: "Benchmarks/neuralcodec-bench"),
        .testTarget(name: "NeuralCodecTests", dependencies: ["NeuralCodec", "CKernels", "CPlatform"]),
    ],
    cLanguageStandard: .c2x
)
