// SPDX-License-Identifier: Apache-2.0
// Exports of "Models". neuralcodec.h documents them.
import CNeuralCodec
import CPlatform
import Glibc

/// What an `nc_model *` points to: a model, and its texts as C strings.
final class ModelHandle: @unchecked Sendable {
    let model: Model
    let id, architecture, description: UnsafeMutablePointer<CChar>?

    init(_ model: Model) {
        self.model = model
        id = strdup(model.id)
        architecture = strdup(model.architecture)
        description = strdup(model.description)
    }

    deinit { for text in [id, architecture, description] { free(text) } }

    private static let embeddedCache = OnceLoaded<ModelHandle>()

    /// The default model's handle, one for the process.
    static func embedded() throws -> ModelHandle { try embeddedCache.value { ModelHandle(try Model.embedded()) } }

    static func from(_ pointer: OpaquePointer) -> ModelHandle {
        Unmanaged<ModelHandle>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
    }

    func retained() -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }
}

/// Stores a new handle in *model once nothing can fail any more.
private func open(_ model: UnsafeMutablePointer<OpaquePointer?>?, _ load: () throws -> ModelHandle) -> nc_status {
    boundary { (try required(model, "model")).pointee = try load().retained() }
}

@_cdecl("nc_model_open_default")
public func exportModelOpenDefault(_ model: UnsafeMutablePointer<OpaquePointer?>?) -> nc_status { open(model) { try ModelHandle.embedded() } }

@_cdecl("nc_model_open")
public func exportModelOpen(_ nameOrPath: UnsafePointer<CChar>?, _ model: UnsafeMutablePointer<OpaquePointer?>?) -> nc_status {
    open(model) { ModelHandle(try Model.open(String(cString: try required(nameOrPath, "name_or_path")))) }
}

@_cdecl("nc_model_open_memory")
public func exportModelOpenMemory(_ data: UnsafeRawPointer?, _ size: Int, _ model: UnsafeMutablePointer<OpaquePointer?>?) -> nc_status {
    open(model) { ModelHandle(try Model(bytes: try inputBytes(data, size, "data"))) }
}

@_cdecl("nc_model_get_info")
public func exportModelGetInfo(_ model: OpaquePointer?, _ info: UnsafeMutablePointer<nc_model_info>?) -> nc_status {
    boundary {
        let info = try required(info, "info")
        try checkSize(info.pointee.struct_size, nc_model_info.self, "info")
        let handle = try model.map(ModelHandle.from) ?? ModelHandle.embedded()
        info.pointee.id = UnsafePointer(handle.id)
        info.pointee.architecture = UnsafePointer(handle.architecture)
        info.pointee.description = UnsafePointer(handle.description)
        withUnsafeMutableBytes(of: &info.pointee.hash) { $0.copyBytes(from: handle.model.hash) }
        info.pointee.parameters = UInt64(handle.model.parameterCount)
        info.pointee.variable_rate = 1
    }
}

@_cdecl("nc_model_close")
public func exportModelClose(_ model: UnsafeMutablePointer<OpaquePointer?>?) {
    guard let model, let pointer = model.pointee else { return }
    Unmanaged<ModelHandle>.fromOpaque(UnsafeRawPointer(pointer)).release()
    model.pointee = nil
}
