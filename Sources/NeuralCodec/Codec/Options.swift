// SPDX-License-Identifier: Apache-2.0

/// What the encoder aims at.
public enum RateTarget: Sendable {
    /// 0 (smallest file) ... 100 (best picture), continuous.
    case quality(Double)
    /// Bytes of the whole file, never exceeded.
    case size(Int)
    /// Decibels over all colour samples, the peak being 255 or 65535: the smallest file of the model that reaches them.
    case psnr(Double)
}

/// Bounds on what one call may use, checked before the allocation they bound. Zero means no limit.
public struct Limits: Sendable {
    /// Width times height.
    public var maxPixels = 1 << 28
    /// Bytes of working memory beside input and output.
    public var maxMemory = 4 << 30

    public init() {}
}

/// Called on the calling thread with the fraction done (0...1, never falling); return `false` to cancel.
public typealias Progress = (Double) -> Bool

/// What becomes of the alpha channel of a picture that has one.
public enum AlphaHandling: Sendable {
    /// Kept without loss.
    case lossless
    /// Left out; colours stay as they are.
    case none
}

public struct EncodeOptions {
    public var target = RateTarget.quality(75)
    /// 0: all cores. Never changes the bytes.
    public var threads = 0
    public var limits = Limits()
    public var progress: Progress?
    /// No matter to pictures without alpha.
    public var alpha = AlphaHandling.lossless
    /// Goes into the file, and counts in a target size.
    public var metadata = Metadata()
    /// For measurements: takes the time of each stage.
    package var clock: StageClock?

    public init() {}
}

public struct DecodeOptions {
    /// 0: all cores. Never changes the pixels.
    public var threads = 0
    public var limits = Limits()
    public var progress: Progress?
    /// `.none`: the pixels come without alpha.
    public var alpha = AlphaHandling.lossless
    /// Bits of the pixels' samples: nil as the file has them, or 8, to which those of 16 bits are scaled and rounded.
    public var bitDepth: Int?
    /// For measurements: takes the time of each stage.
    package var clock: StageClock?

    public init() {}
}

/// What the encoder chose.
public struct EncodeSummary: Sendable {
    public var quality: Double
    /// Bytes of the file.
    public var size: Int
    /// Decibels over all colour samples, known only with a target PSNR; infinite when the pixels are stored without loss.
    public var psnr: Double?
}
