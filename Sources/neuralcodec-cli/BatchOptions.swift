// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import NeuralCodec

/// How a batch is worked through.
struct RunningOptions: ParsableArguments {
    @Option(
        name: [.customShort("j", allowingJoined: true), .long],
        help: ArgumentHelp("Pictures at a time, each of which takes its memory; 0: as many as cores.", valueName: "n"))
    var jobs = 0

    @Flag(help: "Also write files that are newer than their source.")
    var force = false

    @Flag(help: "Print a JSON object on what became of each file.")
    var json = false

    func validate() throws {
        guard (0...1024).contains(jobs) else { throw ValidationError("--jobs \(jobs) is not in 0...1024") }
    }

    /// How many of so many pictures are worked on at a time.
    func jobCount(_ pictures: Int) -> Int { min(jobs == 0 ? Library.coreCount : jobs, pictures) }

    /// Threads of each of them, where --threads is `threads`: by default they share the cores.
    func threadsEach(of threads: Int, _ pictures: Int) -> Int { threads == 0 ? max(Library.coreCount / max(jobCount(pictures), 1), 1) : threads }
}

/// Options of encode and decode for several files.
struct BatchOptions: ParsableArguments {
    static let discussion = """
        With --output-dir, every picture of the given files and folders, and of patterns like 'photos/*.png', is written below that folder, under its name with the \
        new ending; what is below a given folder keeps its place. Files that are newer than their source are left alone. A failure does not stop the others: \
        all are listed at the end. The memory is that of one picture times --jobs.
        """

    @Option(help: ArgumentHelp("Work on all the paths and write below this folder.", valueName: "dir"), completion: .directory)
    var outputDir: String?

    @OptionGroup var running: RunningOptions

    func validate(_ paths: [String]) throws {
        if outputDir != nil {
            guard !paths.contains("-") else { throw ValidationError("standard input cannot be part of a batch") }
        } else {
            guard paths.count == 2 else { throw ValidationError("\(paths.count == 1 ? "an output is missing" : "too many paths"); several pictures need --output-dir") }
            guard running.jobs == 0, !running.force, !running.json else { throw ValidationError("--jobs, --force and --json need --output-dir") }
        }
    }
}
