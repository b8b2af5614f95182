import ArgumentParser
import Foundation

/// How the packets of a measurement arrive.
enum Shape: String, CaseIterable, Codable, ExpressibleByArgument {
    /// One by one, evenly: every packet is forwarded on its own.
    case single
    /// 32 at once, as an encoder sends a picture.
    case runs

    var burst: Int { self == .single ? 1 : 32 }

    /// Packets a second: so few that even a slow forwarder needs at most one processor for all children.
    func rate(children: Int) -> Double {
        switch self {
        case .single: min(1_000, 16_000 / Double(children))
        case .runs: min(2_000, 32_000 / Double(children))
        }
    }
}

/// One measured point, a line of the results file.
struct Measurement: Codable {
    var contender: Contender
    var children: Int
    var shape: Shape
    var report: LoadReport

    /// CPU time of a packet sent to one child, in microseconds.
    var microseconds: Double { Double(report.nanoseconds) / 1_000 / Double(max(report.received, 1)) }
    /// Share of the expected packets that arrived.
    var delivered: Double { Double(report.received) / Double(max(report.sent, 1)) / Double(children) }
}

/// Runs one contender once.
struct MeasurementRun {
    var testbed: Contender.Testbed
    var folder: Contender.Folder
    var seconds: Double

    func measure(_ contender: Contender, children: Int, shape: Shape) throws -> Measurement? {
        let output = folder.path + "/report"
        let receivers = try contender.startReceivers(children: children, in: testbed, folder)
        defer { receivers.forEach { $0.end() } }
        if !receivers.isEmpty { usleep(300_000) }
        let (forwarders, inputs) = try contender.start(children: children, in: testbed, folder)
        defer { forwarders.forEach { $0.end() } }
        usleep(300_000)
        var words = [folder.programs + "/relay-bench", "load", "--from", testbed.source, "--sinks", testbed.sinks]
        words += ["--children", "\(children)", "--rate", "\(shape.rate(children: children))"]
        words += ["--burst", "\(shape.burst)", "--seconds", "\(seconds)", "--length", "\(contender.inputLength)"]
        for forwarder in forwarders { words += ["--pid", "\(forwarder.pid)"] }
        for input in inputs { words += ["--to", input] }
        switch contender {
        case .ours: words += ["--identities", folder.identities.path]
        case .ffmpeg: words += ["--port", "\(testbed.output)", "--payload", folder.stream]
        default: words += ["--port", "\(testbed.output)"]
        }
        let load = try Companion(words, processor: Contender.otherProcessor, output: output, log: folder.log)
        guard load.wait(), let text = FileManager.default.contents(atPath: output) else { return nil }
        let report = try JSONDecoder().decode(LoadReport.self, from: text)
        return Measurement(contender: contender, children: children, shape: shape, report: report)
    }
}
