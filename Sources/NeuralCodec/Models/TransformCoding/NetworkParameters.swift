// SPDX-License-Identifier: Apache-2.0

/// Hyperparameters of a transform-coding model: choices, widths and counts, with errors that name them.
final class NetworkParameters {
    enum Transform: String, CaseIterable {
        case balle2018, balle2018ReLU = "balle2018-relu", cheng2020Anchor = "cheng2020-anchor", cheng2020Attention = "cheng2020-attn", swin, tcm
    }

    enum Hyper: String, CaseIterable {
        case none, scale, meanScale = "mean-scale", cheng2020, swin, tcm
    }

    enum Context: String, CaseIterable {
        case none, checkerboard, autoregressive, channelWise = "channel-wise", narrowChannelWise = "channel-wise-narrow", tcm

        var hasSlices: Bool { self == .channelWise || self == .narrowChannelWise || self == .tcm }
        var isSpatial: Bool { self == .checkerboard || self == .autoregressive }
    }

    private let members: [(key: String, value: JSON)]
    private var read: Set<String> = []

    init(_ json: JSON) {
        if case .object(let members) = json { self.members = members } else { members = [] }
    }

    private func value(_ name: String) -> JSON? {
        read.insert(name)
        return members.first { $0.key == name }?.value
    }

    /// Refuses hyperparameters that nothing has asked for: they would mean something to another version of the library.
    func checkAllRead() throws {
        if let name = members.map(\.key).filter({ !read.contains($0) }).min() {
            throw CodecError(.badModel, "hyperparameter '\(name)' is unknown, or does not belong to a network with the others")
        }
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String, _ type: Choice.Type) throws -> Choice {
        let given = value(name)?.string
        guard let choice = given.flatMap(Choice.init) else {
            let known = Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            throw CodecError(.badModel, "hyperparameter '\(name)' is \(given.map { "'\($0)'" } ?? "missing, or no text"), and known are \(known)")
        }
        return choice
    }

    func text(_ name: String) throws -> String {
        guard let text = self.value(name)?.string else { throw CodecError(.badModel, "the model lacks hyperparameter '\(name)'") }
        return text
    }

    /// A number of channels, bounded so that no product of two of them can overflow or exhaust memory before the shapes are checked.
    func width(_ name: String, multipleOf unit: Int = 16) throws -> Int {
        guard let value = self.value(name)?.integer, (16...4096).contains(value), value % unit == 0 else {
            throw CodecError(.badModel, "hyperparameter '\(name)' is not a multiple of \(unit) in 16...4096")
        }
        return value
    }

    func count(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let value = self.value(name)?.integer, range.contains(value) else {
            throw CodecError(.badModel, "hyperparameter '\(name)' is not in \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    /// Nil if there is none.
    func optionalCount(_ name: String, _ range: ClosedRange<Int>) throws -> Int? { value(name) == nil ? nil : try count(name, range) }

    func counts(_ name: String, _ number: Int, _ range: ClosedRange<Int>) throws -> [Int] {
        guard let values = self.value(name)?.integers, values.count == number, values.allSatisfy(range.contains) else {
            throw CodecError(.badModel, "hyperparameter '\(name)' is not a list of \(number) numbers in \(range.lowerBound)...\(range.upperBound)")
        }
        return values
    }

    /// Channels of slices, which make `total` together.
    func slices(_ name: String, of total: Int) throws -> [Int] {
        guard let values = self.value(name)?.integers, values.allSatisfy({ (16...4096).contains($0) && $0 % 16 == 0 }) else {
            throw CodecError(.badModel, "hyperparameter '\(name)' is not a list of multiples of 16 in 16...4096")
        }
        guard values.count <= 256, values.reduce(0, +) == total else { throw CodecError(.badModel, "hyperparameter '\(name)' does not add up to \(total)") }
        return values
    }

    /// The side of a window in positions: even, and small enough for the attention kernel.
    func window(_ name: String) throws -> Int {
        let value = try count(name, 2...16)
        guard value % 2 == 0 else { throw CodecError(.badModel, "hyperparameter '\(name)' (\(value)) is odd") }
        return value
    }

    /// Channels of an attention head, which divide `channels`.
    func headChannels(_ name: String, of channels: Int) throws -> Int {
        let value = try count(name, 1...256)
        try check(name, value, channels)
        return value
    }

    func headChannels(_ name: String, _ number: Int, of channels: Int) throws -> [Int] {
        let values = try counts(name, number, 1...256)
        for value in values { try check(name, value, channels) }
        return values
    }

    private func check(_ name: String, _ value: Int, _ channels: Int) throws {
        guard channels % value == 0 else { throw CodecError(.badModel, "hyperparameter '\(name)': heads of \(value) channels do not make \(channels)") }
    }

    func swinStages(_ channels: String, _ depths: String, window: String, count: Int) throws -> SwinStages {
        let widths = try counts(channels, count, 16...4096)
        for width in widths {
            guard width % 16 == 0 else { throw CodecError(.badModel, "hyperparameter '\(channels)': \(width) is not a multiple of 16") }
            _ = try headChannels("head_channels", of: width)
        }
        return SwinStages(
            channels: widths, depths: try counts(depths, count, 0...64), window: try self.window(window),
            headChannels: try headChannels("head_channels", of: widths[0]))
    }

    /// Sides of the padded picture: whole hyperlatents, and whole windows at each resolution that has windows.
    func padding(hasHyperprior: Bool) throws -> Int {
        var sides = [hasHyperprior ? 64 : 16]
        switch try choice("transform", Transform.self) {
        case .swin: sides.append(16 * (try window("window")))
        case .tcm: sides.append(8 * (try window("window")))
        default: break
        }
        switch try choice("hyper", Hyper.self) {
        case .swin: sides.append(64 * (try window("hyper_window")))
        case .tcm: sides.append(32 * (try window("hyper_window")))
        default: break
        }
        if try choice("context", Context.self) == .tcm { sides.append(16 * (try window("window"))) }
        return sides.reduce(1, leastCommonMultiple)
    }
}

private func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return a / x * b
}
