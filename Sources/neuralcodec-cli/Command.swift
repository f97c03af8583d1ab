// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import NeuralCodec

struct NeuralCodecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neuralcodec",
        abstract: "A learned image codec: encodes PNG, PPM, PGM and PAM pictures to .nic files and back. Also quantizes vectors.",
        discussion: "Exit status: 0 success, 1 failure, 3 target size or PSNR unreachable, 64 wrong usage, 130 interrupted. See neuralcodec(1).",
        version: "neuralcodec \(Library.version) (\(Library.cpuInfo))",
        subcommands: [Encode.self, Decode.self, Transcode.self, Info.self, Compare.self, Analyze.self, Models.self, Quantize.self, Lattice.self])
}

@main
enum Main {
    static func main() {
        Interruption.install()
        do {
            var command = try NeuralCodecCommand.parseAsRoot()
            try command.run()
        } catch {
            finish(with: error)
        }
    }

    /// One line on standard error and the exit status of the error.
    private static func finish(with error: Error) -> Never {
        if let signal = Interruption.signal {
            exit(128 + signal)
        }
        if let error = error as? CodecError {
            printError(error.message)
            switch error.status {
            case .targetUnreachable: exit(3)
            case .invalidArgument: exit(EX_USAGE)
            default: exit(1)
            }
        }
        if let error = error as? Failure {
            printError(error.message)
            exit(1)
        }
        if NeuralCodecCommand.exitCode(for: error) != .success {
            printError("\(NeuralCodecCommand.message(for: error)) (see 'neuralcodec --help')")
            exit(EX_USAGE)
        }
        // --help and --version arrive here too.
        NeuralCodecCommand.exit(withError: error)
    }
}

/// A failure of the command itself rather than of the library: a file that cannot be opened, a picture of an unknown kind.
struct Failure: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }

    /// "doing it: No such file or directory", from `errno`.
    init(_ action: String, errno code: Int32) {
        message = "\(action): \(String(cString: strerror(code)))"
    }
}
