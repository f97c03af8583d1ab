// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// Writes "neuralcodec: message" to standard error.
func printError(_ message: String) { printToStandardError("neuralcodec: \(message)\n") }

func printToStandardError(_ text: String) {
    var text = text
    text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Ctrl-C, SIGTERM and a closed terminal end the work at the next progress report, so that no temporary file stays behind. A second one ends the process at once.
enum Interruption {
    private static let received = Atomic<Int32>(0)

    /// The signal that asked to stop.
    static var signal: Int32? {
        let number = received.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    static func install() {
        received.store(0, ordering: .relaxed)  // initialised before a handler can run
        for number in [SIGINT, SIGTERM, SIGHUP] {
            var previous = sigaction()
            // A command started with the signal ignored (nohup, a background job of a script) stays that way.
            guard sigaction(number, nil, &previous) == 0, unsafeBitCast(previous.__sigaction_handler.sa_handler, to: Int.self) != 1 else { continue }
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { Interruption.received.store($0, ordering: .relaxed) }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))  // no SA_RESTART: a blocked read or write ends
            sigaction(number, &action, nil)
        }
    }
}

/// Fraction done, drawn on standard error if that is a terminal and the work has lasted a second.
final class ProgressBar {
    private let label: String
    private let started = ContinuousClock.now
    private var drawn: ContinuousClock.Instant?
    private let isTerminal = isatty(STDERR_FILENO) == 1
    /// Stands after the bar.
    var note = ""

    init(_ label: String) {
        self.label = label
    }

    /// A progress callback of the library: draws, and answers whether to go on.
    func update(_ fraction: Double) -> Bool {
        let now = ContinuousClock.now
        if isTerminal, now - started > .seconds(1), drawn.map({ now - $0 > .milliseconds(100) }) ?? true {
            drawn = now
            let width = 40, done = Int(fraction * Double(width))
            draw("\r\(label) [" + String(repeating: "#", count: done) + String(repeating: ".", count: width - done) + "] \(Int(fraction * 100))%\(note)")
        }
        return Interruption.signal == nil
    }

    /// Takes the bar away.
    func clear() {
        if drawn != nil { draw("\r\u{1B}[K") }
        drawn = nil
    }

    deinit { clear() }

    private func draw(_ text: String) {
        var text = text
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
