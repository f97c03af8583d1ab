// SPDX-License-Identifier: Apache-2.0

/// Vectors of integers with a model of them: what is the same for all models is below.
protocol CodedVectors {
    var dimension: Int { get }
    /// The largest magnitude of an integer.
    var largest: Int32 { get }
    /// Steps of a vector at most.
    var mostSteps: Int { get }
    /// Walks over vector number `index`, whose first symbol uses state `lane`. x holds its integers: the encoder's before, the decoder's after.
    func walk<Coder: SymbolCoder>(_ index: Int, _ x: UnsafeMutablePointer<Int32>, lane: Int, _ symbols: inout Coder)
}

extension CodedVectors {
    /// Bits of the model for these vectors, those of each one to `vectors`.
    func rate(_ points: UnsafeBufferPointer<Int32>, vectors: UnsafeMutablePointer<Double>?) throws -> Double {
        var sum = 0.0
        try record(points, 0 ..< points.count / dimension, lane: { _ in 0 }) { vector, recorder in
            let bits = recorder.bits()
            vectors?[vector] = bits
            sum += bits
        }
        return sum
    }

    func encode(_ points: UnsafeBufferPointer<Int32>) throws -> ByteBuffer {
        var encoder = try StepEncoder(expectedBytes: points.count / 2)
        try record(points, (0 ..< points.count / dimension).reversed(), lane: lane) { _, recorder in try encoder.push(recorder) }
        return try encoder.payload()
    }

    /// Decodes as many vectors as there is room for.
    func decode(_ payload: UnsafeRawBufferPointer, into points: UnsafeMutableBufferPointer<Int32>) throws {
        var decoder = try StepDecoder(payload)
        points.update(repeating: 0)
        withExtendedLifetime(self) {
            for vector in 0 ..< points.count / dimension where !decoder.isDamaged {
                let x = points.baseAddress! + vector * dimension
                walk(vector, x, lane: lane(vector), &decoder)
                for i in 0 ..< dimension where x[i].magnitude > largest.magnitude { decoder.refuse() }
            }
        }
        try decoder.finish()
    }

    private func lane(_ vector: Int) -> Int { vector * dimension % RANS.lanes }

    /// Hands over the steps of each vector in turn.
    @inline(__always)
    private func record(
        _ points: UnsafeBufferPointer<Int32>, _ order: some Sequence<Int>, lane: (Int) -> Int, _ body: (Int, StepRecorder) throws -> Void
    ) throws {
        var recorder = try StepRecorder(capacity: mostSteps)
        let copy = try ByteBuffer(count: 4 * dimension)
        try withExtendedLifetime((self, copy)) {
            let x = copy.bytes.bindMemory(to: Int32.self).baseAddress!
            for vector in order {
                x.update(from: points.baseAddress! + vector * dimension, count: dimension)
                recorder.clear()
                walk(vector, x, lane: lane(vector), &recorder)
                try body(vector, recorder)
            }
        }
    }
}
