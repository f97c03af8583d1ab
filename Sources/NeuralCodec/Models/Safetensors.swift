// SPDX-License-Identifier: Apache-2.0

/// A safetensors file in memory: named arrays and a metadata map. Every length and offset is checked here, before use.
package struct Safetensors {
    package struct Tensor {
        package let name: String
        package let type: String
        package let shape: [Int]
        package let bytes: UnsafeRawBufferPointer

        package var count: Int { shape.reduce(1, *) }
    }

    package let tensors: [String: Tensor]
    package let metadata: [String: String]

    private static let longestHeader = 1 << 20
    private static let sizes = ["F32": 4, "F16": 2, "I32": 4, "U16": 2]

    /// The views point into `file`, which must outlive them.
    package init(_ file: UnsafeRawBufferPointer) throws {
        guard file.count >= 8 else { throw Self.damaged("it is shorter than its header") }
        let length = Int(clamping: UInt64(littleEndian: file.loadUnaligned(as: UInt64.self)))
        guard length <= Self.longestHeader, length <= file.count - 8 else { throw Self.damaged("its header of \(length) bytes does not fit") }
        guard case .object(let members)? = JSON(UnsafeRawBufferPointer(rebasing: file[8 ..< 8 + length])) else { throw Self.damaged("its header is not valid") }
        let data = UnsafeRawBufferPointer(rebasing: file[(8 + length)...])
        var tensors: [String: Tensor] = [:]
        var metadata: [String: String] = [:]
        for (name, value) in members {
            if name == "__metadata__" {
                guard case .object(let entries) = value else { throw Self.damaged("its metadata is not valid") }
                for (key, text) in entries {
                    guard let text = text.string else { throw Self.damaged("its metadata '\(key)' is no text") }
                    metadata[key] = text
                }
            } else {
                tensors[name] = try Self.tensor(name, value, data)
            }
        }
        try Self.checkCover(tensors.values.map(\.bytes), data)
        self.tensors = tensors
        self.metadata = metadata
    }

    private static func tensor(_ name: String, _ value: JSON, _ data: UnsafeRawBufferPointer) throws -> Tensor {
        guard let type = value["dtype"]?.string, let size = sizes[type], let shape = value["shape"]?.integers,
            let range = value["data_offsets"]?.integers, range.count == 2
        else { throw damaged("tensor '\(name)' has no usable type, shape and offsets") }
        var bytes = size
        for side in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: side)
            guard side >= 0, !overflow else { throw damaged("tensor '\(name)' has an impossible shape") }
            bytes = product
        }
        guard range[0] >= 0, range[0] <= range[1], range[1] <= data.count, range[1] - range[0] == bytes else {
            throw damaged("tensor '\(name)' does not lie inside the file")
        }
        return Tensor(name: name, type: type, shape: shape, bytes: UnsafeRawBufferPointer(rebasing: data[range[0] ..< range[1]]))
    }

    /// The tensors lie one behind the other and fill the data: nothing is shared, and nothing is hidden.
    private static func checkCover(_ parts: [UnsafeRawBufferPointer], _ data: UnsafeRawBufferPointer) throws {
        let ranges = parts.map { (start: $0.baseAddress! - data.baseAddress!, count: $0.count) }.sorted { ($0.start, $0.count) < ($1.start, $1.count) }
        var end = 0
        for range in ranges {
            guard range.start == end else { throw damaged("its tensors overlap or leave gaps") }
            end += range.count
        }
        guard end == data.count else { throw damaged("its tensors do not end where it ends") }
    }

    static func damaged(_ reason: String) -> CodecError { CodecError(.badModel, "the model file is damaged: \(reason)") }
}
