// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// A small map of values as a picture: a colour for each, enlarged to squares.
struct HeatMap {
    /// Name of its file.
    let file: String
    let plane: String
    /// Nil: of all channels.
    let channel: Int?
    let rows, columns: Int
    /// Row by row.
    let values: [Float]
    /// Values that the colours at the ends stand for; those beyond have these colours too.
    let low, high: Float
    let colours: ColourScale
    /// Pixels on the side of a value's square.
    let side: Int

    /// Values of either sign: zero is white. Zero alone would leave no range.
    static func signed(_ file: String, _ plane: String, _ channel: Int?, rows: Int, columns: Int, _ values: [Float], limit: Float? = nil, side: Int? = nil) -> HeatMap {
        let found = limit ?? values.lazy.filter(\.isFinite).map(\.magnitude).max() ?? 0
        let high = found > 0 ? found : 1
        return HeatMap(
            file: file, plane: plane, channel: channel, rows: rows, columns: columns, values: values, low: -high, high: high, colours: .diverging,
            side: side ?? Self.side(rows, columns))
    }

    /// Values that are not negative, from their least to their greatest.
    static func unsigned(_ file: String, _ plane: String, _ channel: Int?, rows: Int, columns: Int, _ values: [Float]) -> HeatMap {
        let finite = values.lazy.filter(\.isFinite)
        let low = finite.min() ?? 0, high = finite.max() ?? 0
        return HeatMap(
            file: file, plane: plane, channel: channel, rows: rows, columns: columns, values: values, low: low, high: high > low ? high : low + 1, colours: .sequential,
            side: side(rows, columns))
    }

    /// As large as the picture where that is small, and no larger than need be.
    private static func side(_ rows: Int, _ columns: Int) -> Int { min(16, max(1, 1024 / max(rows, columns))) }

    func picture() throws -> Picture {
        let picture = try Picture(width: columns * side, height: rows * side, channels: 3)
        let row = picture.width * 3
        let pixels = picture.buffer.bytes
        for y in 0..<rows {
            let first = y * side * row
            for x in 0..<picture.width {
                let (red, green, blue) = colours.colour((values[y * columns + x / side] - low) / (high - low))
                (pixels[first + 3 * x], pixels[first + 3 * x + 1], pixels[first + 3 * x + 2]) = (red, green, blue)
            }
            for copy in stride(from: 1, to: side, by: 1) {
                (pixels.baseAddress! + first + copy * row).copyMemory(from: pixels.baseAddress! + first, byteCount: row)
            }
        }
        return picture
    }

    var description: JSON {
        .object([
            ("file", .string(file)),
            ("plane", .string(plane)),
            ("channel", channel.map(JSON.integer) ?? .null),
            ("low", .number(shortest(low))),
            ("high", .number(shortest(high))),
            ("pixels_per_value", .integer(side)),
        ])
    }
}

/// Colours between which values are blended.
struct ColourScale {
    private let stops: [(red: Float, green: Float, blue: Float)]

    /// Blue, white, red.
    static let diverging = ColourScale(stops: [(18, 52, 140), (90, 150, 220), (255, 255, 255), (230, 110, 80), (140, 16, 30)])
    /// Black, violet, orange, light yellow: ever lighter.
    static let sequential = ColourScale(stops: [(0, 0, 0), (76, 20, 120), (210, 70, 70), (250, 170, 60), (255, 250, 200)])

    /// Of 0 ... 1; values beyond have the colours of the ends, NaN is gray.
    func colour(_ value: Float) -> (UInt8, UInt8, UInt8) {
        guard !value.isNaN else { return (128, 128, 128) }
        let position = min(max(value, 0), 1) * Float(stops.count - 1)
        let lower = min(Int(position), stops.count - 2)
        let (a, b, share) = (stops[lower], stops[lower + 1], position - Float(lower))
        func blend(_ from: Float, _ to: Float) -> UInt8 { UInt8((from + (to - from) * share).rounded()) }
        return (blend(a.red, b.red), blend(a.green, b.green), blend(a.blue, b.blue))
    }
}

/// The pictures of an analysis: five planes of each of some channels, the bits of each position, and the correlation maps.
func heatMaps(of analysis: LatentAnalysis, channels: [Int]) -> [HeatMap] {
    let (rows, columns, size) = (analysis.rows, analysis.columns, analysis.rows * analysis.columns)
    var maps: [HeatMap] = []
    for channel in channels {
        for (plane, name) in [(LatentAnalysis.Plane.latent, "latent"), (.mean, "mean"), (.scale, "scale"), (.normalized, "normalized"), (.quantized, "quantized")] {
            let values = analysis.withPlane(plane) { Array($0[channel * size..<(channel + 1) * size]) }
            let draw = plane == .scale ? HeatMap.unsigned : { HeatMap.signed($0, $1, $2, rows: $3, columns: $4, $5) }
            maps.append(draw("channel-\(channel)-\(name).png", name, channel, rows, columns, values))
        }
    }
    let bits = analysis.withPlane(.bits) { bits in
        (0..<size).map { position in Float((0..<analysis.channels).reduce(0.0) { $0 + Double(bits[$1 * size + position]) }) }
    }
    maps.append(.unsigned("rate.png", "bits", nil, rows: rows, columns: columns, bits))
    for (map, name, plane) in [(analysis.correlation, "correlation", "normalized"), (analysis.quantizedCorrelation, "correlation-quantized", "quantized")] {
        // The middle, near 1, would leave no colours for what is beside it.
        let values = map.values.map { Float($0) }, middle = values.count / 2
        let limit = values.indices.filter { $0 != middle && values[$0].isFinite }.map { values[$0].magnitude }.max()
        maps.append(.signed("\(name).png", "correlation of \(plane)", nil, rows: map.window, columns: map.window, values, limit: limit, side: 32))
    }
    return maps
}
