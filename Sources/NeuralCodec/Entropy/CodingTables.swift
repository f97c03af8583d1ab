// SPDX-License-Identifier: Apache-2.0

/// Integer frequency tables for the rANS coder, 16 bits each. A table codes the values offset ..< offset + length, and an escape for all others.
final class CodingTables {
    /// Bits of a frequency: those of a table sum to 2^16.
    static let precision: UInt64 = 16
    /// Values a table may code without escape.
    static let longest = 1 << 13
    /// Each table's first symbol at or below every multiple of 2^16 / buckets, so that a search starts near its end.
    static let buckets = 256

    struct Table {
        /// Index of the table's first cumulative frequency; it has length + 2 of them (the escape, and the end, which is 2^16 and stands as 0).
        let start: Int32
        /// The smallest value.
        let offset: Int32
        /// Values coded without escape.
        let length: Int32
    }

    let count: Int
    let tables: UnsafePointer<Table>
    let cumulative: UnsafePointer<UInt16>
    let bucketStarts: UnsafePointer<UInt16>
    private let memory: [ByteBuffer]

    /// `frequencies[t]` holds the frequencies of `offsets[t]`, `offsets[t] + 1`, ... and of the escape.
    init(offsets: [Int], frequencies: [[Int]], name: String) throws {
        let total = frequencies.reduce(0) { $0 + $1.count + 1 }
        let tableMemory = try ByteBuffer(count: MemoryLayout<Table>.stride * frequencies.count)
        let cumulativeMemory = try ByteBuffer(count: 2 * total)
        let bucketMemory = try ByteBuffer(count: 2 * Self.buckets * frequencies.count)
        let tables = tableMemory.bytes.baseAddress!.assumingMemoryBound(to: Table.self)
        let cumulative = cumulativeMemory.bytes.baseAddress!.assumingMemoryBound(to: UInt16.self)
        let bucketStarts = bucketMemory.bytes.baseAddress!.assumingMemoryBound(to: UInt16.self)
        var next = 0
        for (index, row) in frequencies.enumerated() {
            guard row.count >= 2, row.count - 1 <= Self.longest, row.allSatisfy({ $0 >= 1 }), row.reduce(0, +) == 1 << Self.precision,
                abs(offsets[index]) <= 1 << 20
            else { throw CodecError(.badModel, "frequency table \(index) of '\(name)' is not valid") }
            tables[index] = Table(start: Int32(next), offset: Int32(offsets[index]), length: Int32(row.count - 1))
            var sum = 0
            var bucket = 0
            for (symbol, frequency) in row.enumerated() {
                cumulative[next] = UInt16(sum)
                next += 1
                sum += frequency
                while bucket < Self.buckets, bucket << 8 < sum {
                    bucketStarts[index * Self.buckets + bucket] = UInt16(symbol)
                    bucket += 1
                }
            }
            cumulative[next] = 0
            next += 1
        }
        count = frequencies.count
        self.tables = UnsafePointer(tables)
        self.cumulative = UnsafePointer(cumulative)
        self.bucketStarts = UnsafePointer(bucketStarts)
        memory = [tableMemory, cumulativeMemory, bucketMemory]
    }
}

extension CodingTables {
    /// Zero-mean Gaussian tables of a model: tensors gaussian.lengths (largest magnitude K) and gaussian.frequencies (of 0, +-1 ... +-K, escape).
    static func gaussian(_ loader: WeightLoader) throws -> CodingTables {
        let lengths = try loader.integers("gaussian.lengths", nil)
        let flat = try loader.integers("gaussian.frequencies", nil)
        guard !lengths.isEmpty, lengths.count <= 256 else { throw CodecError(.badModel, "a model has 1 to 256 scales, this one \(lengths.count)") }
        let halves = try split(flat, lengths.map { $0 + 2 }, "gaussian.frequencies")
        let rows = halves.map { half in half[1 ..< half.count - 1].reversed() + half }
        return try CodingTables(offsets: lengths.map { -$0 }, frequencies: rows, name: "gaussian.frequencies")
    }

    /// The factorized prior's tables, one a hyperlatent channel, for each of some levels of the rate if there are: tensors prior.offsets, prior.lengths and prior.frequencies.
    static func factorizedPrior(_ loader: WeightLoader, channels: Int, levels: Int? = nil) throws -> CodingTables {
        let shape = levels.map { [$0, channels] } ?? [channels]
        let offsets = try loader.integers("prior.offsets", shape)
        let lengths = try loader.integers("prior.lengths", shape)
        let flat = try loader.integers("prior.frequencies", nil)
        return try CodingTables(offsets: offsets, frequencies: try split(flat, lengths.map { $0 + 1 }, "prior.frequencies"), name: "prior.frequencies")
    }

    private static func split(_ flat: [Int], _ lengths: [Int], _ name: String) throws -> [[Int]] {
        guard lengths.allSatisfy({ $0 >= 2 && $0 <= longest + 2 }), lengths.reduce(0, +) == flat.count else {
            throw CodecError(.badModel, "the lengths of the tables in '\(name)' do not fit it")
        }
        var start = 0
        return lengths.map { length in
            defer { start += length }
            return Array(flat[start ..< start + length])
        }
    }
}

extension WeightLoader {
    /// Tensor gaussian.thresholds, filled up to 255.
    func thresholds(scales: Int) throws -> UnsafePointer<Float> {
        let given = try floats("gaussian.thresholds", [scales - 1])
        let padded = UnsafeMutablePointer(mutating: try noThresholds())
        for index in 0 ..< scales - 1 {
            guard index == 0 || given[index] > given[index - 1] else { throw CodecError(.badModel, "tensor 'gaussian.thresholds' does not ascend") }
            padded[index] = given[index]
        }
        return UnsafePointer(padded)
    }

    /// 255 thresholds that no scale exceeds.
    func noThresholds() throws -> UnsafePointer<Float> {
        let thresholds = try allocate(Float.self, 255)
        thresholds.update(repeating: .infinity, count: 255)
        return UnsafePointer(thresholds)
    }
}
