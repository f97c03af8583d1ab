// SPDX-License-Identifier: Apache-2.0
// Exports of "Version, CPU, errors" and "Memory". neuralcodec.h documents them.
import CNeuralCodec
import CPlatform

@_cdecl("nc_version")
public func exportVersion() -> UnsafePointer<CChar>? { versionText.pointer }

@_cdecl("nc_cpu_info")
public func exportCPUInfo() -> UnsafePointer<CChar>? {
    // NEURALCODEC_ISA may change between calls: one text for each path, made once.
    guard let kernels = try? Kernels.current() else { return unsupportedText.pointer }
    return (cpuTexts.first { $0.name == kernels.name }?.text ?? unsupportedText).pointer
}

@_cdecl("nc_status_string")
public func exportStatusString(_ status: nc_status) -> UnsafePointer<CChar>? {
    (status.rawValue < statusTexts.count ? statusTexts[Int(status.rawValue)] : unknownText).pointer
}

@_cdecl("nc_last_error")
public func exportLastError() -> UnsafePointer<CChar>? { ncp_error_get() }

@_cdecl("nc_set_allocator")
public func exportSetAllocator(_ allocator: UnsafePointer<nc_allocator>?) -> nc_status {
    boundary {
        guard let allocator else { return ncp_set_allocator(nil, nil, nil) }
        try checkSize(allocator.pointee.struct_size, nc_allocator.self, "allocator")
        guard let allocate = allocator.pointee.allocate, let deallocate = allocator.pointee.deallocate else {
            throw CodecError(.invalidArgument, "an allocator needs both functions")
        }
        ncp_set_allocator(allocate, deallocate, allocator.pointee.user)
    }
}

@_cdecl("nc_free")
public func exportFree(_ pointer: UnsafeMutableRawPointer?) { ncp_free(pointer) }

/// A text that lives as long as the process.
struct StaticText: @unchecked Sendable {
    let pointer: UnsafePointer<CChar>

    init(_ text: String) {
        let bytes = Array(text.utf8CString)
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        copy.initialize(from: bytes, count: bytes.count)
        pointer = UnsafePointer(copy)
    }
}

private let versionText = StaticText(Library.version)
private let unsupportedText = StaticText("unsupported")
private let unknownText = StaticText("unknown status")
/// In the order of nc_status.
private let statusTexts = [
    "ok", "invalid argument", "out of memory", "limit exceeded", "cancelled", "bad stream", "unsupported", "model not found", "bad model",
    "target unreachable", "buffer too small", "CPU unsupported", "decoder mismatch", "internal error",
].map(StaticText.init)
private let cpuTexts = ["portable", "avx2", "avx512", "neon"].map { (name: $0, text: StaticText("\($0), \(ncp_core_count()) cores")) }
