// SPDX-License-Identifier: Apache-2.0

/// What the encoder aims at.
public enum RateTarget: Sendable {
    /// 0 (smallest file) ... 100 (best picture), continuous.
    case quality(Double)
    /// Bytes of the whole file, never exceeded.
    case size(Int)
    /// Decibels over all samples: the smallest file of the model that reaches them.
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

public struct EncodeOptions {
    public var target = RateTarget.quality(75)
    /// 0: all cores. Never changes the bytes.
    public var threads = 0
    public var limits = Limits()
    public var progress: Progress?
    /// For measurements: takes the time of each stage.
    package var clock: StageClock?

    public init() {}
}

public struct DecodeOptions {
    /// 0: all cores. Never changes the pixels.
    public var threads = 0
    public var limits = Limits()
    public var progress: Progress?
    /// For measurements: takes the time of each stage.
    package var clock: StageClock?

    public init() {}
}

/// What the encoder chose.
public struct EncodeSummary: Sendable {
    public var quality: Double
    /// Bytes of the file.
    public var size: Int
    /// Decibels, known only with a target PSNR; infinite when the pixels are stored without loss.
    public var psnr: Double?
}
