// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Wall-clock time by stage of a call, for measurements.
package final class StageClock {
    package enum Stage: String, CaseIterable {
        case analysis = "analysis transform"
        case parameters = "entropy parameters"
        case coding = "rANS"
        case container = "container"
        case synthesis = "synthesis transform"
    }

    package private(set) var seconds: [Stage: Double] = [:]
    private var last = now()

    package init() {}

    /// What ran since the last mark belongs to `stage`.
    func mark(_ stage: Stage) {
        let time = Self.now()
        seconds[stage, default: 0] += time - last
        last = time
    }

    /// What runs from here on is counted, what ran before is not.
    package func start() { last = Self.now() }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
