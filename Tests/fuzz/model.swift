// SPDX-License-Identifier: Apache-2.0
// Any bytes as a model file: loading ends with a model that codes a picture and decodes it again, or with an error that is meant for models.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzModel(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let model: Model
    do { model = try Model(bytes: UnsafeRawBufferPointer(start: data, count: size)) } catch let error as CodecError {
        guard error.status == .badModel else { fatalError("\(error.status): \(error.message)") }
        return 0
    } catch { fatalError("\(error)") }
    do {
        let picture = try Picture(width: 21, height: 18, channels: 3)
        for index in 0 ..< picture.buffer.count { picture.buffer.bytes[index] = UInt8(truncatingIfNeeded: index * index / 7) }
        var options = EncodeOptions()
        options.threads = 1
        options.limits.maxMemory = 1 << 28
        let file = try encode(picture.view, model: model, options: options).file
        var decodeOptions = DecodeOptions()
        decodeOptions.threads = 1
        let decoded = try file.withBytes { try decode($0, model: model, options: decodeOptions) }
        guard decoded.width == 21, decoded.height == 18 else { fatalError("another size") }
        withExtendedLifetime(picture) {}
    } catch let error as CodecError where error.status == .limitExceeded {
    } catch { fatalError("\(error)") }
    return 0
}
