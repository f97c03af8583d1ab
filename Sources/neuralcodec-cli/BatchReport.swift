// SPDX-License-Identifier: Apache-2.0
import NeuralCodec

/// What became of one picture of a batch.
struct BatchEntry {
    enum State: String {
        case done
        case upToDate = "up-to-date"
        case failed
        /// A signal ended the work before or while it was this one's turn.
        case notDone = "not-done"
    }

    let item: BatchItem
    var state = State.notDone
    var outcome: Outcome?
    var error: String?
    var warnings: [String] = []

    init(_ item: BatchItem) { self.item = item }
}

/// What a batch says at its end.
struct BatchReport {
    let done: String
    let entries: [BatchEntry]
    /// What was wrong with folders.
    let unreadable: [String]
    /// Files in folders that are no pictures.
    let passedOver: Int
    let duration: Duration

    func count(of state: BatchEntry.State) -> Int { entries.count { $0.state == state } }

    var failures: Int { count(of: .failed) + unreadable.count }

    /// Warnings and failures go to standard error, the summary or JSON to standard output.
    func print(json: Bool) throws {
        for entry in entries { entry.warnings.forEach { printError("warning: \($0)") } }
        unreadable.forEach(printError)
        entries.compactMap(\.error).forEach(printError)
        try printOutput(json ? self.json : text)
    }

    private var sizes: (source: Int, output: Int) {
        entries.reduce(into: (0, 0)) { sizes, entry in
            guard let outcome = entry.outcome else { return }
            sizes.0 += fileSize(entry.item.source)
            sizes.1 += outcome.size
        }
    }

    private var text: String {
        var parts = ["\(count(of: .done)) \(done) (\(sizes.source) to \(sizes.output) bytes)"]
        for (number, what) in [(count(of: .upToDate), "up to date"), (failures, "failed"), (count(of: .notDone), "not done"), (passedOver, "other files passed over")]
        where number > 0 {
            parts.append("\(number) \(what)")
        }
        return parts.joined(separator: ", ") + "\n"
    }

    private var json: String {
        let files = entries.map { entry in
            JSON.object([
                ("source", .string(entry.item.source)),
                ("output", .string(entry.item.output)),
                ("state", .string(entry.state.rawValue)),
                ("error", entry.error.map(JSON.string) ?? .null),
                ("warnings", .array(entry.warnings.map(JSON.string))),
                ("size", entry.outcome.map { .integer($0.size) } ?? .null),
            ] + (entry.outcome?.members ?? []))
        }
        return JSON.object([
            ("done", .integer(count(of: .done))),
            ("up_to_date", .integer(count(of: .upToDate))),
            ("failed", .integer(failures)),
            ("not_done", .integer(count(of: .notDone))),
            ("passed_over", .integer(passedOver)),
            ("source_bytes", .integer(sizes.source)),
            ("output_bytes", .integer(sizes.output)),
            ("seconds", .number(duration / .seconds(1))),
            ("unreadable", .array(unreadable.map(JSON.string))),
            ("files", .array(files)),
        ]).text + "\n"
    }
}
