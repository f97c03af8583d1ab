// SPDX-License-Identifier: Apache-2.0
import CKernels

/// A family of trained networks, loaded: what the codec needs of it. Immutable; many calls may use it at once.
protocol Network: AnyObject {
    /// Tables of the latents, chosen by scale index.
    var latentTables: CodingTables { get }
    /// Tables of the hyperlatents, or of the latents of a factorized prior: one a channel.
    var hyperTables: CodingTables { get }
    /// 255 ascending thresholds of scales, or of their logarithms, unused ones infinite: the table of a scale is the number of thresholds below it.
    var thresholds: UnsafePointer<Float> { get }
    /// Sides of the padded picture are multiples of this.
    var padding: Int { get }
    /// Rate parameter at quality 0, 10, ... 100; the encoder interpolates. Empty for a network of one rate, whose rate parameter is always 0.
    var qualityMap: [Int] { get }

    /// A latent stands for so many pixels on a side.
    var latentSide: Int { get }
    var latentChannels: Int { get }
    /// What makes sense of a trace at a rate parameter; `.unsupported` for networks without scales.
    func latentUnits(rate: Int) throws -> LatentUnits

    /// Multiply-accumulates for each pixel of a picture without padding: to encode at a given rate, and to decode.
    var macsPerPixel: (encode: Double, decode: Double) { get }

    /// Lays out the memory of a call.
    func plan(width: Int, height: Int, threads: Int, encoder: Bool) -> any NetworkPlan
}

/// The memory of one call, laid out but not there yet.
protocol NetworkPlan {
    /// Bytes.
    var size: Int { get }

    /// `resources.workspace` has `size` bytes.
    func session(_ resources: CallResources) -> any NetworkSession
}

/// One picture in a network. The encoder's calls are `analyse`, then `quantize` and `synthesise` for each rate it tries; the decoder's `decode` and `synthesise`.
protocol NetworkSession: AnyObject {
    /// Picture to latents. Independent of the rate parameter.
    func analyse(_ picture: PictureView) throws

    /// Symbols and tables at a rate parameter, made with the very means and scales that the decoder will compute.
    func quantize(rate: Int) throws -> CodedSymbols

    /// A payload's symbols to rebuilt latents. Returns the CRC-32C of the symbols in coding order. Throws `.badStream` for a payload that is damaged.
    func decode(rate: Int, _ payload: UnsafeRawBufferPointer) throws -> UInt32

    /// Rebuilt latents, which it uses up, to the colours of pixels.
    func synthesise(rate: Int, into target: PictureTarget) throws
}

/// What a file holds, in coding order: hyperlatents, then latents. Views of a session's memory.
struct CodedSymbols {
    let hyper: UnsafeBufferPointer<Int32>
    /// Channels of the hyperlatents, which go round in this number of tables.
    let hyperChannels: Int
    /// The first of them.
    var firstHyperTable = 0
    let latents: UnsafeBufferPointer<Int32>
    /// Table of each latent, or its scale index for `lattice`.
    let indices: UnsafePointer<UInt8>
    /// What codes the latents where they are points of a lattice.
    var lattice: LatticeCoder?
}

/// What a session works with.
struct CallResources {
    let kernels: nck_kernels
    let team: ThreadTeam
    let workspace: Workspace
    let progress: ProgressTracker
    let clock: StageClock?
    let trace: LatentTrace?
}
