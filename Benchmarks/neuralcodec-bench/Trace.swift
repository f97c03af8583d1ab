// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// What a network of one rate computes on its way, for comparisons with other implementations: FOLDER/latents.f32, means.f32, scales.f32, picture.f32 (the padded
/// reconstruction), symbols.i32 and hyper.i32, each (row, column, channel), and picture.nic. The last line is JSON: rows, columns and channels of the latents, columns of the
/// picture, bytes of the payload.
func writeTrace(modelPath: String, folder: String, _ picture: Picture) throws {
    let trace = LatentTrace()
    var options = EncodeOptions()
    options.target = .psnr(1)  // reached by any rate, and it decodes
    let (file, _) = try picture.withView { try encode($0, model: try Model.open(modelPath), options: options, trace: trace) }
    let info = try readInfo(UnsafeRawBufferPointer(file.bytes))
    guard !info.stored else { throw CodecError(.invalidArgument, "the picture is too small: it was stored, not coded") }
    try writeFile("\(folder)/latents.f32", trace.latents)
    try writeFile("\(folder)/means.f32", trace.means)
    try writeFile("\(folder)/scales.f32", trace.scales)
    try writeFile("\(folder)/symbols.i32", trace.symbols)
    try writeFile("\(folder)/hyper.i32", trace.hyperSymbols)
    try writeFile("\(folder)/picture.f32", trace.picture)
    try writeFile("\(folder)/picture.nic", Array(file.bytes))
    print(
        "{\"rows\":\(trace.rows),\"columns\":\(trace.columns),\"channels\":\(trace.channels),\"picture_columns\":\(trace.pictureColumns),\"payload\":\(info.payloadSize)}")
}
