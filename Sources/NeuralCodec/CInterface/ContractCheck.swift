// SPDX-License-Identifier: Apache-2.0
// Holds every export against its declaration in neuralcodec.h: an export whose type differs from the imported C function does not compile.
import CNeuralCodec

private func same<Function>(_ type: Function.Type, _ declared: Function, _ exported: Function) {}

/// Never called; compiling it is the check.
private func checkContract() {
    typealias Opened = UnsafeMutablePointer<OpaquePointer?>
    typealias Bytes = UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>
    same((() -> UnsafePointer<CChar>?).self, CNeuralCodec.nc_version, exportVersion)
    same((() -> UnsafePointer<CChar>?).self, CNeuralCodec.nc_cpu_info, exportCPUInfo)
    same(((nc_status) -> UnsafePointer<CChar>?).self, CNeuralCodec.nc_status_string, exportStatusString)
    same((() -> UnsafePointer<CChar>?).self, CNeuralCodec.nc_last_error, exportLastError)
    same(((UnsafePointer<nc_allocator>?) -> nc_status).self, CNeuralCodec.nc_set_allocator, exportSetAllocator)
    same(((UnsafeMutableRawPointer?) -> Void).self, CNeuralCodec.nc_free, exportFree)
    same(((Opened?) -> nc_status).self, CNeuralCodec.nc_model_open_default, exportModelOpenDefault)
    same(((UnsafePointer<CChar>?, Opened?) -> nc_status).self, CNeuralCodec.nc_model_open, exportModelOpen)
    same(((UnsafeRawPointer?, Int, Opened?) -> nc_status).self, CNeuralCodec.nc_model_open_memory, exportModelOpenMemory)
    same(((OpaquePointer?, UnsafeMutablePointer<nc_model_info>?) -> nc_status).self, CNeuralCodec.nc_model_get_info, exportModelGetInfo)
    same(((Opened?) -> Void).self, CNeuralCodec.nc_model_close, exportModelClose)
    same(((UnsafeMutablePointer<nc_encode_options>?) -> Void).self, CNeuralCodec.nc_encode_options_init, exportEncodeOptionsInit)
    same(
        ((OpaquePointer?, UnsafePointer<nc_image>?, UnsafePointer<nc_encode_options>?, Bytes?, UnsafeMutablePointer<Int>?,
            UnsafeMutablePointer<nc_encode_result>?) -> nc_status).self, CNeuralCodec.nc_encode, exportEncode)
    same(((UnsafeMutablePointer<nc_decode_options>?) -> Void).self, CNeuralCodec.nc_decode_options_init, exportDecodeOptionsInit)
    same(((UnsafeRawPointer?, Int, UnsafeMutablePointer<nc_info>?) -> nc_status).self, CNeuralCodec.nc_read_info, exportReadInfo)
    same(((UnsafeRawPointer?, Int, UnsafeMutablePointer<nc_metadata>?) -> nc_status).self, CNeuralCodec.nc_read_metadata, exportReadMetadata)
    same(
        ((OpaquePointer?, UnsafeRawPointer?, Int, UnsafePointer<nc_decode_options>?, Bytes?, UnsafeMutablePointer<nc_info>?) -> nc_status).self,
        CNeuralCodec.nc_decode, exportDecode)
    same(
        ((OpaquePointer?, UnsafeRawPointer?, Int, UnsafePointer<nc_decode_options>?, UnsafeMutableRawPointer?, Int, Int) -> nc_status).self,
        CNeuralCodec.nc_decode_into, exportDecodeInto)
    typealias Options = UnsafePointer<nc_quantizer_options>
    same(((UnsafeMutablePointer<nc_quantizer_options>?) -> Void).self, CNeuralCodec.nc_quantizer_options_init, exportQuantizerOptionsInit)
    same(((UnsafePointer<CChar>?, Int, Options?, Opened?) -> nc_status).self, CNeuralCodec.nc_quantizer_create, exportQuantizerCreate)
    same(((UnsafePointer<Float>?, Int, Options?, Opened?) -> nc_status).self, CNeuralCodec.nc_quantizer_create_basis, exportQuantizerCreateBasis)
    same(((UnsafePointer<Float>?, Int, Int, Options?, Opened?) -> nc_status).self, CNeuralCodec.nc_quantizer_create_codebook, exportQuantizerCreateCodebook)
    same(((UnsafeMutablePointer<nc_codebook_options>?) -> Void).self, CNeuralCodec.nc_codebook_options_init, exportCodebookOptionsInit)
    same(
        ((UnsafePointer<Float>?, Int, Int, Int, UnsafePointer<nc_codebook_options>?, Opened?) -> nc_status).self, CNeuralCodec.nc_quantizer_train_codebook,
        exportQuantizerTrainCodebook)
    same(((UnsafeMutablePointer<nc_lattice_learning_options>?) -> Void).self, CNeuralCodec.nc_lattice_learning_options_init, exportLatticeLearningOptionsInit)
    same(
        ((UnsafePointer<Float>?, Int, Int, UnsafePointer<nc_lattice_learning_options>?, Opened?, UnsafeMutablePointer<nc_lattice_learning_report>?) -> nc_status).self,
        CNeuralCodec.nc_quantizer_learn, exportQuantizerLearn)
    same(((OpaquePointer?, UnsafeMutablePointer<nc_quantizer_info>?) -> nc_status).self, CNeuralCodec.nc_quantizer_get_info, exportQuantizerGetInfo)
    same(((OpaquePointer?, UnsafeMutablePointer<Float>?, Int) -> nc_status).self, CNeuralCodec.nc_quantizer_get_basis, exportQuantizerGetBasis)
    same(((OpaquePointer?, UnsafeMutablePointer<Float>?, Int) -> nc_status).self, CNeuralCodec.nc_quantizer_get_correlation, exportQuantizerGetCorrelation)
    same(
        ((OpaquePointer?, UnsafePointer<Float>?, Int, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<UInt8>?, UInt32) -> nc_status).self,
        CNeuralCodec.nc_quantizer_quantize, exportQuantizerQuantize)
    same(
        ((OpaquePointer?, UnsafePointer<Int32>?, Int, UnsafeMutablePointer<Float>?, UInt32) -> nc_status).self, CNeuralCodec.nc_quantizer_dequantize,
        exportQuantizerDequantize)
    same(
        ((OpaquePointer?, UnsafePointer<Int32>?, Int, UnsafePointer<Float>?, Int, UnsafeMutablePointer<Double>?, UnsafeMutablePointer<Double>?) -> nc_status).self,
        CNeuralCodec.nc_quantizer_rate, exportQuantizerRate)
    same(
        ((OpaquePointer?, UnsafePointer<Int32>?, Int, UnsafePointer<Float>?, Int, Bytes?, UnsafeMutablePointer<Int>?) -> nc_status).self,
        CNeuralCodec.nc_quantizer_encode, exportQuantizerEncode)
    same(
        ((OpaquePointer?, UnsafeRawPointer?, Int, UnsafePointer<Float>?, Int, UnsafeMutablePointer<Int32>?, Int) -> nc_status).self,
        CNeuralCodec.nc_quantizer_decode, exportQuantizerDecode)
    same(((Opened?) -> Void).self, CNeuralCodec.nc_quantizer_close, exportQuantizerClose)
    same(((UnsafeMutablePointer<nc_analysis_options>?) -> Void).self, CNeuralCodec.nc_analysis_options_init, exportAnalysisOptionsInit)
    same(
        ((OpaquePointer?, UnsafePointer<nc_image>?, UnsafePointer<nc_analysis_options>?, Opened?) -> nc_status).self, CNeuralCodec.nc_analyze, exportAnalyze)
    same(((OpaquePointer?, UnsafeMutablePointer<nc_analysis_info>?) -> nc_status).self, CNeuralCodec.nc_analysis_get_info, exportAnalysisGetInfo)
    same(
        ((OpaquePointer?, nc_plane, UnsafeMutablePointer<Double>?, Int) -> nc_status).self, CNeuralCodec.nc_analysis_get_correlation, exportAnalysisGetCorrelation)
    same(((OpaquePointer?, UnsafeMutablePointer<Double>?, Int) -> nc_status).self, CNeuralCodec.nc_analysis_get_channel_bpp, exportAnalysisGetChannelBPP)
    same(((OpaquePointer?, nc_plane, UnsafeMutablePointer<UnsafePointer<Float>?>?) -> nc_status).self, CNeuralCodec.nc_analysis_get_plane, exportAnalysisGetPlane)
    same(((Opened?) -> Void).self, CNeuralCodec.nc_analysis_close, exportAnalysisClose)
}
