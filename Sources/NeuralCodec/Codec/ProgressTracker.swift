// SPDX-License-Identifier: Apache-2.0

/// Turns the steps of a call into one fraction that never falls, and a cancelling callback into an error.
final class ProgressTracker {
    private let report: Progress?
    private var from = 0.0
    private var to = 1.0
    private var last = 0.0

    init(_ report: Progress?) { self.report = report }

    /// The fraction last reported.
    var position: Double { last }

    /// What follows takes the progress from where it stands to `fraction` of the whole call.
    func begin(upTo fraction: Double) {
        from = last
        to = max(from, fraction)
    }

    /// `fraction` of the part that `begin` announced is done.
    func step(_ fraction: Double) throws {
        last = max(last, min(1, from + (to - from) * fraction))
        guard let report else { return }
        guard report(last) else { throw CodecError(.cancelled, "cancelled by the progress callback") }
    }
}
