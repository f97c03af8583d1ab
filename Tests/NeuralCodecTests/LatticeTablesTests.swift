// SPDX-License-Identifier: Apache-2.0
import CKernels
import XCTest

@testable import NeuralCodec

final class LatticeTablesTests: XCTestCase {
    private let eighths = [0, 4, 2, 1, 5]
    private let codedWidths = Int(NCK_TABLE_WIDTHS)
    private func width(_ index: Int) -> Double { exp2(Double(index - 112) / 32) }

    private func frequencies(_ tables: CodingTables, _ index: Int) -> [Int] {
        let table = tables.tables[index]
        return (0 ... Int(table.length)).map { Int(tables.cumulative[Int(table.start) + $0 + 1] &- tables.cumulative[Int(table.start) + $0]) }
    }

    // MARK: Scales

    func testScaleIndices() throws {
        var thresholds = [Float](repeating: 0, count: 127)
        nck_scale_thresholds(&thresholds)
        XCTAssertTrue(zip(thresholds, thresholds.dropFirst()).allSatisfy { $0 < $1 })
        for (index, threshold) in thresholds.enumerated() {
            XCTAssertEqual(Double(threshold), (scaleOf(index) * scaleOf(index + 1)).squareRoot(), accuracy: 1e-7 * Double(threshold))
            XCTAssertEqual(indices([threshold, threshold.nextUp, threshold.nextDown]), [UInt8(index), UInt8(index + 1), UInt8(index)])
        }
        XCTAssertEqual(indices((0 ..< 128).map { Float(scaleOf($0)) }), (0 ..< 128).map { UInt8($0) })
        XCTAssertEqual(indices([.nan, 0, -0.0, -1, -.infinity, .infinity, 1e30, 1e-30, 512, 1]), [0, 0, 0, 0, 0, 127, 127, 0, 127, 37])
        XCTAssertEqual(indices([]), [])
    }

    /// A division, whose result counts as any scale does.
    func testScaleIndicesOfSteps() {
        let steps = [0x1p-100, 0.3, 1, 7, 0x1p100] as [Float]
        for step in steps {
            let scales = (0 ..< 128).map { Float(scaleOf($0)) * step }
            XCTAssertEqual(indices(scales, step: step), (0 ..< 128).map { UInt8($0) })
            XCTAssertEqual(indices([.nan, 0, -step, .infinity, 37 * step / 37], step: step), [0, 0, 0, 127, 37])
        }
        XCTAssertEqual(indices([3e38, 1e-40, .nan], step: 0x1p-100), [127, 0, 0])
    }

    private func indices(_ scales: [Float], step: Float = 1) -> [UInt8] { GaussianTables.indices(scales, step: step) }

    // MARK: Frequencies

    /// Against the probabilities by erfc: the expected code length, escapes included, is close to the entropy.
    func testRoundedTables() throws {
        let tables = try GaussianTables.rounded()
        XCTAssertEqual(tables.count, 128)
        for index in 0 ..< 128 {
            let sigma = scaleOf(index), row = frequencies(tables, index), last = row.count / 2 - 1
            XCTAssertEqual(Int(tables.tables[index].offset), -last)
            XCTAssertEqual(Array(row.dropLast()), row.dropLast().reversed())
            let tail = { (x: Double) in 0.5 * erfc(x / (sigma * 2.0.squareRoot())) }
            let cell = { (k: Int) in k == 0 ? 1 - 2 * tail(0.5) : tail(Double(abs(k)) - 0.5) - tail(Double(abs(k)) + 0.5) }
            let excess = self.excess(row, first: -last, beyond: Int(12 * sigma) + 3, cell)
            // Wide tables spend units on values that deserve less than one.
            XCTAssertLessThan(excess, sigma < 20 ? 0.0005 : 0.00005 * sigma, "scale \(sigma)")
        }
    }

    func testDiscreteTables() throws {
        for eighth in eighths {
            let tables = try GaussianTables.discrete(eighths: eighth)
            XCTAssertEqual(tables.count, codedWidths)
            for index in stride(from: 0, to: codedWidths, by: 5) {
                let sigma = width(index), shift = Double(eighth) / 8, row = frequencies(tables, index), first = Int(tables.tables[index].offset)
                let weight = { (k: Int) in exp(-0.5 * (Double(k) + shift) * (Double(k) + shift) / (sigma * sigma)) }
                let beyond = Int(12 * sigma) + 3
                let sum = (-beyond ... beyond).reduce(0) { $0 + weight($1) }
                let excess = self.excess(row, first: first, beyond: beyond) { weight($0) / sum }
                XCTAssertLessThan(excess, sigma < 20 ? 0.0005 : 0.00005 * sigma, "\(eighth)/8, width \(sigma)")
            }
        }
    }

    /// Bits a symbol by which the table's expected code length exceeds the entropy of values within +-beyond.
    private func excess(_ row: [Int], first: Int, beyond: Int, _ probability: (Int) -> Double) -> Double {
        (-beyond ... beyond).reduce(0) { sum, k in
            let p = probability(k)
            guard p > 0 else { return sum }
            let position = k - first, last = row.count - 1
            let inside = (0 ..< last).contains(position)
            let distance = position < 0 ? -position : position - last + 1
            let bits = 16 - log2(Double(row[inside ? position : last])) + (inside ? 0 : 6 + log2(Double(distance)).rounded(.down))
            return sum + p * (bits + log2(p))
        }
    }

    // MARK: Shares and widths

    func testShares() {
        for index in Int(NCK_WIDTH_OCTAVE) ..< Int(NCK_WIDTHS) {
            let s = width(index)
            func sum(_ step: Double, _ shift: Double) -> Double {
                let reach = Int(min(12 * s, 300) / step) + 3
                return (-reach ... reach).reduce(0) { $0 + exp(-0.5 * pow((Double($1) * step + shift) / s, 2)) }
            }
            let shares = GaussianShares.all[index], unit = 0x1p-48, least = 0x1p-30
            if s > 20 { // the sums above do not reach far enough, and are not needed
                XCTAssertEqual([shares.half, shares.odd, shares.quarter, shares.odd_quarter], [1 << 48, 1 << 47, 1 << 48, 1 << 47])
                continue
            }
            XCTAssertEqual(Double(shares.half) * unit, max(sum(1, 0.5) / sum(1, 0), least), accuracy: 1e-13)
            XCTAssertEqual(Double(shares.odd) * unit, max(sum(2, 1) / sum(1, 0), least), accuracy: 1e-13)
            XCTAssertEqual(Double(shares.quarter) * unit, max(sum(1, 0.25) / sum(1, 0), least), accuracy: 1e-13)
            XCTAssertEqual(Double(shares.odd_quarter) * unit, max(sum(2, 1.25) / sum(1, 0.25), least), accuracy: 1e-13)
        }
    }

    /// Every width that a lattice uses has its tables: at its own, and an octave below.
    func testWidths() throws {
        for lattice in SlowLattice.all where lattice.kind != .integers {
            let model = try LatticeModel(lattice.kind, dimension: lattice.dimension)
            XCTAssertEqual(model.widths.count, 128 * LatticeModel.levels)
            let coded = lattice.kind == .even ? codedWidths + Int(NCK_WIDTH_OCTAVE) : codedWidths
            XCTAssertTrue(model.widths.allSatisfy { $0 >= UInt16(NCK_WIDTH_OCTAVE) && $0 < coded })
            for index in stride(from: 0, to: 128, by: 9) {
                for level in 0 ..< LatticeModel.levels {
                    // Between the second moments of a certain coordinate with the least noise there is and the most.
                    let square = pow(width(Int(model.widths[index * LatticeModel.levels + level])) * Double(model.unit), 2)
                    let noise = (square - pow(scaleOf(index), 2)) / pow(lattice.side, 2)
                    if scaleOf(index) < lattice.side { XCTAssertTrue((0.06 ... 0.1).contains(noise) || scaleOf(index) > 0.5 * lattice.side, "\(noise)") }
                    XCTAssertEqual(square, pow(scaleOf(index), 2) + 0.0775 * pow(lattice.side, 2), accuracy: 0.05 * square + 0.02 * pow(lattice.side, 2))
                }
            }
        }
    }

    // MARK: Determinism

    /// FNV-1a over everything, as bytes. The same on AArch64: a change here makes old data undecodable.
    func testTablesNeverChange() throws {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add<Value>(_ values: [Value]) { values.withUnsafeBytes { for byte in $0 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } } }
        var thresholds = [Float](repeating: 0, count: 127)
        nck_scale_thresholds(&thresholds)
        add(thresholds)
        func add(_ tables: CodingTables) {
            for index in 0 ..< tables.count {
                add([tables.tables[index].offset])
                add(frequencies(tables, index).map { Int32($0) })
            }
        }
        add(try GaussianTables.rounded())
        for eighth in eighths { add(try GaussianTables.discrete(eighths: eighth)) }
        add(Array(GaussianShares.all[Int(NCK_WIDTH_OCTAVE)...]))
        for (kind, n) in [(LatticeKind.even, 4), (.even, 64), (.gosset, 8), (.barnesWall, 16), (.leech, 24)] { add(try LatticeModel(kind, dimension: n).widths) }
        XCTAssertEqual(String(hash, radix: 16), "79e5a2aafd412087")
    }
}
