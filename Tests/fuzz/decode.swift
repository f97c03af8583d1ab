// SPDX-License-Identifier: Apache-2.0
// Any bytes as a .nic file: decoding ends with a picture of the size the header gives, or with one of the errors that are meant for files.
import Glibc

private let model: Model = {
    let file = try! FileBytes.read(String(cString: getenv("NEURALCODEC_FUZZ_MODEL")), orElse: .modelNotFound, "model")
    return try! file.withBytes { try Model(bytes: $0) }
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDecode(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: size)
    var options = DecodeOptions()
    options.threads = 1
    options.limits.maxPixels = 1 << 14
    options.limits.maxMemory = 1 << 24
    do {
        let file = try ParsedFile(bytes)
        let header = file.header
        try options.limits.check(width: header.width, height: header.height)
        // Exactly the memory of the picture, with one byte between its rows.
        let stride = header.width * header.format.pixelBytes + 1
        let pixels = UnsafeMutableRawPointer.allocate(byteCount: stride * header.height - 1, alignment: 1)
        defer { pixels.deallocate() }
        try decode(file, model: model, options: options) { (pixels, stride) }
        let picture = try decode(bytes, model: model, options: options)
        for y in 0 ..< header.height {
            guard memcmp(pixels + y * stride, picture.buffer.bytes.baseAddress! + y * (stride - 1), stride - 1) == 0 else { fatalError("two decodings differ") }
        }
        withExtendedLifetime(picture) {}
        // The same colours without alpha, and of 8 bits.
        options.alpha = .none
        options.bitDepth = 8
        let reduced = try decode(bytes, model: model, options: options)
        guard reduced.channels == header.format.colours, reduced.bitDepth == 8 else { fatalError("another format than asked for") }
        guard (1...8).contains(file.metadata.orientation) else { fatalError("no orientation") }
    } catch let error as CodecError {
        switch error.status {
        case .badStream, .unsupported, .limitExceeded, .modelNotFound: break
        default: fatalError("\(error.status): \(error.message)")
        }
    } catch { fatalError("\(error)") }
    return 0
}
