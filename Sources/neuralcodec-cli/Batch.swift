// SPDX-License-Identifier: Apache-2.0
import Glibc
import NeuralCodec

/// What became of one picture.
struct Outcome {
    /// For --verbose.
    let line: String
    /// Bytes of what was written.
    let size: Int
    /// More members of its JSON object.
    let members: [(String, JSON)]
}

/// Works through a plan on several threads, a picture on each. Each picture succeeds or fails for itself.
final class Batch: @unchecked Sendable {
    typealias Work = @Sendable (_ item: BatchItem, _ progress: @escaping Progress, _ warn: (String) -> Void) throws -> Outcome

    private let plan: BatchPlan
    private let options: RunningOptions
    private let done: String
    private let verbose: Bool

    // Under the lock:
    private let lock = Lock()
    private let bar: ProgressBar
    private var next = 0
    private var finished = 0
    /// Of the pictures that are being worked on, by item.
    private var fractions: [Int: Double] = [:]
    private var entries: [BatchEntry]

    /// - Parameters:
    ///   - label: what is being done, for the progress bar
    ///   - done: what has been done to a picture, for the report
    init(_ plan: BatchPlan, _ options: RunningOptions, label: String, done: String, verbose: Bool) {
        self.plan = plan
        self.options = options
        self.done = done
        self.verbose = verbose
        bar = ProgressBar(label)
        entries = plan.items.map { BatchEntry($0) }
    }

    /// Prints the report; throws if a picture failed or a signal ended the work.
    func run(_ work: @escaping Work) throws {
        let started = ContinuousClock.now
        onThreads(options.jobCount(plan.items.count)) { self.workThrough(work) }
        bar.clear()
        let report = BatchReport(done: done, entries: entries, unreadable: plan.unreadable, passedOver: plan.passedOver, duration: ContinuousClock.now - started)
        try report.print(json: options.json)
        if Interruption.signal != nil { throw CodecError(.cancelled, "interrupted") }
        if report.failures > 0 { throw Failure("\(report.failures) failed, \(report.count(of: .done)) \(done)") }
    }

    private func workThrough(_ work: Work) {
        while let index = takeNext() {
            let item = plan.items[index]
            var entry = BatchEntry(item)
            if !options.force, isNewer(item.output, than: item.source) {
                entry.state = .upToDate
            } else {
                do {
                    try makeFolders(of: item.output)
                    let outcome = try work(item, { self.update(index, $0) }, { entry.warnings.append($0) })
                    entry.state = .done
                    entry.outcome = outcome
                } catch {
                    // Work that a signal ended has not failed.
                    if Interruption.signal == nil {
                        entry.state = .failed
                        entry.error = describe(error, of: item)
                    }
                }
            }
            finish(index, entry)
        }
    }

    private func takeNext() -> Int? {
        lock.locked {
            guard next < plan.items.count, Interruption.signal == nil else { return nil }
            defer { next += 1 }
            return next
        }
    }

    private func update(_ index: Int, _ fraction: Double) -> Bool {
        lock.locked {
            fractions[index] = fraction
            return draw()
        }
    }

    private func finish(_ index: Int, _ entry: BatchEntry) {
        lock.locked {
            fractions[index] = nil
            entries[index] = entry
            finished += 1
            if verbose, let line = entry.outcome?.line {
                bar.clear()
                printError(line)
            }
            _ = draw()
        }
    }

    private func draw() -> Bool {
        bar.note = " (\(finished) of \(plan.items.count))"
        return bar.update((Double(finished) + fractions.values.reduce(0, +)) / Double(plan.items.count))
    }
}

/// The message, which names the file.
private func describe(_ error: Error, of item: BatchItem) -> String {
    let message = (error as? CodecError)?.message ?? (error as? Failure)?.message ?? "\(error)"
    return message.contains(item.source) || message.contains(item.output) ? message : "\(item.source): \(message)"
}

/// Runs `body` on this thread and on `count` - 1 others; on fewer where the system gives no more. Returns when all are done.
private func onThreads(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var threads: [pthread_t] = []
    for _ in 1..<max(count, 1) {
        let box = Unmanaged.passRetained(Box(body))
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
        guard status == 0 else {
            box.release()
            break
        }
        threads.append(thread)
    }
    body()
    for thread in threads { pthread_join(thread, nil) }
}
