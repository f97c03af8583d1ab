// SPDX-License-Identifier: Apache-2.0

/// The JSON that the command prints.
indirect enum JSON {
    case null, boolean(Bool), integer(Int), number(Double), string(String), array([JSON]), object([(String, JSON)])

    var text: String {
        switch self {
        case .null: "null"
        case .boolean(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): value.isFinite ? "\(value)" : "null"  // JSON has no infinity
        case .string(let value): Self.quoted(value)
        case .array(let values): "[" + values.map(\.text).joined(separator: ", ") + "]"
        case .object(let members): "{" + members.map { "\(Self.quoted($0)): \($1.text)" }.joined(separator: ", ") + "}"
        }
    }

    private static func quoted(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.value < 0x20: result += "\\u00" + hexadecimal([UInt8(scalar.value)])
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Labels and values in two columns, a line each.
func table(_ rows: [(label: String, value: String)]) -> String {
    let width = (rows.map(\.label.count).max() ?? 0) + 2
    return rows.map { $0.label + String(repeating: " ", count: width - $0.label.count) + $0.value + "\n" }.joined()
}

/// Rows of as many cells each, a line each; the first row is the head.
func columns(_ rows: [[String]]) -> String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
    return rows.map { row in
        let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
        return cells.dropLast().joined(separator: "  ") + "  \(row.last!)\n"
    }.joined()
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// A number to the digits of a float32 value, whole ones without a point.
func plain(_ value: Double) -> String {
    if let whole = Int(exactly: value) { return "\(whole)" }
    return value.isFinite && Float(value).isNormal ? "\(Float(value))" : "\(value)"
}

/// A float32 value as the number with the fewest digits that rounds to it: 0.1, not 0.10000000149011612.
func shortest(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

/// A number with so many decimal places.
func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "unknown" : value < 0 ? "-infinite" : "infinite" }
    let scale = (0..<places).reduce(1.0) { result, _ in result * 10 }
    let digits = String(Int((abs(value) * scale).rounded()))
    let padded = String(repeating: "0", count: max(places + 1 - digits.count, 0)) + digits
    return (value < 0 ? "-" : "") + padded.dropLast(places) + (places > 0 ? "." + padded.suffix(places) : "")
}
