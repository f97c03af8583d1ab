// SPDX-License-Identifier: Apache-2.0
import CPlatform

/// Identity of a model: SHA-256 over everything that can change bytes or pixels, and nothing else (docs/format.md, "Model files").
func modelHash(_ file: Safetensors) -> [UInt8] {
    var state = ncp_sha256()
    ncp_sha256_init(&state)
    func add(_ text: String) {
        var text = text
        text.withUTF8 { ncp_sha256_update(&state, $0.baseAddress, $0.count) }
    }
    add("neuralcodec-model 1\n")
    for key in ["architecture", "hyperparameters", "quantizer", "padding"] { add("\(key)=\(file.metadata[key] ?? "")\n") }
    let names = file.tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    for tensor in names.map({ file.tensors[$0]! }) {
        add("\(tensor.name)\n\(tensor.type)\n\(tensor.shape.map(String.init).joined(separator: ","))\n")
        ncp_sha256_update(&state, tensor.bytes.baseAddress, tensor.bytes.count)
    }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digest in
        ncp_sha256_final(&state, digest.baseAddress)
        return Array(digest)
    }
}

/// Lower-case hexadecimal digits of bytes.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}

/// The bytes that hexadecimal digits stand for; empty if they are not digits in pairs.
func bytes(hexadecimal text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    guard digits.count == text.count, digits.count % 2 == 0 else { return [] }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
