// SPDX-License-Identifier: Apache-2.0

/// Why a call failed. The raw values are the numbers of `nc_status` in `neuralcodec.h`.
public enum Status: UInt32, Sendable {
    case invalidArgument = 1
    case outOfMemory = 2
    case limitExceeded = 3
    case cancelled = 4
    case badStream = 5
    case unsupported = 6
    case modelNotFound = 7
    case badModel = 8
    case targetUnreachable = 9
    case bufferTooSmall = 10
    case cpuUnsupported = 11
    case decoderMismatch = 12
    case `internal` = 13
}

/// The only error the library throws: a status, and one sentence that names what was wrong.
public struct CodecError: Error, Sendable, CustomStringConvertible {
    public let status: Status
    public let message: String
    /// For `.targetUnreachable`: the nearest result that can be had.
    public let nearest: EncodeSummary?

    public init(_ status: Status, _ message: String, nearest: EncodeSummary? = nil) {
        self.status = status
        self.message = message
        self.nearest = nearest
    }

    public var description: String { message }
}
