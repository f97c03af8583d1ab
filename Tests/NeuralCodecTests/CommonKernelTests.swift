// SPDX-License-Identifier: Apache-2.0
import CKernels
import XCTest

/// The computations that are the same code on every path, against independent ones.
final class CommonKernelTests: XCTestCase {
    func testExponential() {
        var input: [Float] = Array(stride(from: Float(-87), through: 88, by: 0.000_37))
        input += (-126 ... 126).map { Float($0) * 0.693_147_18 } + [0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude, 1, -1, 88, -87]
        for sign in [Float(1), -1] {
            var output = [Float](repeating: 0, count: input.count)
            nck_exp(sign, input, &output, input.count)
            var worst = 0.0
            for (x, y) in zip(input, output) where (-87...88).contains(sign * x) {
                let exact = exp(Double(sign * x))
                worst = max(worst, abs(Double(y) - exact) / exact)
            }
            XCTAssertLessThan(worst, 1e-7)
            XCTAssertGreaterThan(worst, 1e-9)  // or nothing was compared
        }
    }

    func testExponentialOutsideItsRange() {
        let input: [Float] = [-88, -1e30, -.infinity, 88.5, 1e30, .infinity, .nan, 0, -0.0]
        var output = [Float](repeating: 0, count: input.count)
        nck_exp(1, input, &output, input.count)
        var ends = [Float](repeating: 0, count: 2)
        nck_exp(1, [-87, 88], &ends, 2)
        XCTAssertEqual(output, [ends[0], ends[0], ends[0], ends[1], ends[1], ends[1], 1, 1, 1])
    }

    func testRateTableEndsAndKnots() {
        var numbers = Numbers(10)
        for knots in [2, 3, 4, 5, 16, 256] {
            let channels = 7
            let table = (0 ..< knots * channels).map { _ in numbers.float(-9 ... 9) }
            var out = [Float](repeating: 0, count: channels)
            nck_rate_table(table, knots, channels, 0, &out)
            XCTAssertEqual(out, Array(table.prefix(channels)))
            nck_rate_table(table, knots, channels, 65535, &out)
            // a + (b - a) in binary32: the end is not always b itself
            for (value, end) in zip(out, table.suffix(channels)) { XCTAssertEqual(value, end, accuracy: 4e-6) }
            for knot in 0 ..< knots - 1 where 65535 * knot % (knots - 1) == 0 {
                nck_rate_table(table, knots, channels, UInt32(65535 * knot / (knots - 1)), &out)
                XCTAssertEqual(out, Array(table[knot * channels ..< (knot + 1) * channels]))
            }
        }
    }

    func testRateTableBetweenKnots() {
        var numbers = Numbers(11)
        for knots in [2, 3, 256] {
            let table = (0 ..< knots).map { _ in numbers.float(-9 ... 9) }
            for rate in stride(from: 0, through: 65535, by: 97) {
                var out: Float = 0
                nck_rate_table(table, knots, 1, UInt32(rate), &out)
                // Which knots, and how far between them, in integers; the rest as the format says.
                let scaled = rate * (knots - 1)
                let lower = min(scaled / 65535, knots - 2)
                let t = Float(scaled - lower * 65535) / 65535
                XCTAssertEqual(out, table[lower].addingProduct(t, table[lower + 1] - table[lower]))
                let position = Double(scaled) / 65535 - Double(lower)
                XCTAssertEqual(Double(out), Double(table[lower]) * (1 - position) + Double(table[lower + 1]) * position, accuracy: 1e-5)
            }
        }
    }

    func testEveryHalf() {
        let halves = (0 ..< 65536).map { UInt16($0) }
        var output = [Float](repeating: 0, count: halves.count)
        nck_from_half(halves, &output, halves.count)
        for (half, value) in zip(halves, output) {
            let sign = half >> 15 == 1 ? -1.0 : 1.0
            let (exponent, fraction) = (Int(half >> 10 & 31), Double(half & 1023))
            if exponent == 31 {
                XCTAssertTrue(fraction == 0 ? value == Float(sign * .infinity) : value.isNaN, "\(half)")
            } else {
                let exact = sign * (exponent == 0 ? fraction * 0x1p-24 : (1 + fraction / 1024) * pow(2, Double(exponent - 15)))
                XCTAssertEqual(value.bitPattern, Float(exact).bitPattern, "\(half)")
            }
        }
    }

    func testAllFinite() {
        for value in [Float.infinity, -.infinity, .nan, -.nan, .signalingNaN] {
            for position in 0 ..< 9 {
                var values = [Float](repeating: .greatestFiniteMagnitude, count: 9)
                XCTAssertEqual(nck_all_finite(values, 9), 1)
                values[position] = value
                XCTAssertEqual(nck_all_finite(values, 9), 0)
                XCTAssertEqual(nck_all_finite(values, position), 1)
            }
        }
        XCTAssertEqual(nck_all_finite([.leastNonzeroMagnitude, -0.0, 0], 3), 1)
    }

    func testSquaredError() {
        var numbers = Numbers(12)
        for count in [0, 1, 15, 64, 4095, 4096, 4097, 10_000] {
            let a = (0 ..< count).map { _ in UInt8.random(in: 0 ... 255, using: &numbers) }
            let b = (0 ..< count).map { _ in UInt8.random(in: 0 ... 255, using: &numbers) }
            XCTAssertEqual(nck_squared_error(a, b, count), zip(a, b).reduce(0) { $0 + UInt64((Int($1.0) - Int($1.1)) * (Int($1.0) - Int($1.1))) })
        }
        XCTAssertEqual(nck_squared_error([UInt8](repeating: 0, count: 9000), [UInt8](repeating: 255, count: 9000), 9000), 9000 * 65025)
    }
}
