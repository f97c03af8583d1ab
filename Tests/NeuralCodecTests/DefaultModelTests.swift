// SPDX-License-Identifier: Apache-2.0
import Foundation
import XCTest

@testable import NeuralCodec

final class DefaultModelTests: XCTestCase {
    /// The embedded model's hash is not computed when it is loaded.
    func testStatedHashIsTheComputedOne() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../models/nic-2.safetensors")
        let computed = try Data(contentsOf: path).withUnsafeBytes { try Model(bytes: $0) }
        let embedded = try Model.embedded()
        XCTAssertEqual(embedded.hash.count, 32)
        XCTAssertEqual(embedded.hash, computed.hash)
        XCTAssertEqual(embedded.id, computed.id)
    }
}
