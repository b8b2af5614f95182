import ArgumentParser
import Foundation
import IdentityKeys

/// A program that forwards one stream to many children, and how to start it.
enum Contender: String, CaseIterable, Codable, ExpressibleByArgument {
    /// A forwarder in C with recvmmsg and sendmmsg.
    case floor
    /// The same with UDP_GRO and UDP_SEGMENT.
    case floorGSO = "floor-gso"
    /// A set reflector: sealing verified, link headers, ring, leases.
    case ours
    /// srt-live-transmit serves one receiver: a process for each child.
    case srt
    /// One ristsender with an output for each child.
    case rist
    /// ffmpeg's tee, a plain UDP output for each child.
    case ffmpeg

    /// The processor of forwarders, and the processor of everything else.
    static let processor = 0
    static let otherProcessor = 1

    /// Addresses and ports of a measurement, all below one /16 of the loopback network.
    struct Testbed {
        var net: Int
        var forwarder: String { "127.\(net).0.1" }
        var source: String { "127.\(net).0.2" }
        var sinks: String { "127.\(net).0.3" }
        var receivers: String { "127.\(net).0.4" }
        var nameServer: String { "127.\(net).0.9" }
        let input = 5_000
        let transport = 10_000
        let output = 20_000
    }

    /// The files of a measurement.
    struct Folder {
        var path: String
        var programs: String
        var zones: String { path + "/zones" }
        var identities: LocalIdentities { LocalIdentities(path + "/identities") }
        var stream: String { path + "/stream.ts" }
        var log: String { path + "/log" }
    }

    /// The name of the peer's program on the PATH.
    var program: String? {
        switch self {
        case .floor, .floorGSO, .ours: nil
        case .srt: "srt-live-transmit"
        case .rist: "ristsender"
        case .ffmpeg: "ffmpeg"
        }
    }

    /// Bytes of the input datagrams. The floor's are 47 bytes longer, because our packets carry as much in headers and
    /// seal.
    var inputLength: Int { self == .floor || self == .floorGSO ? 1_316 + 47 : 1_316 }

    /// Starts the forwarder for this number of children. Returns its processes and their input addresses.
    func start(children: Int, in testbed: Testbed, _ folder: Folder) throws -> (
        processes: [Companion], inputs: [String]
    ) {
        let input = "\(testbed.forwarder):\(testbed.input)"
        func run(_ words: [String]) throws -> Companion {
            try Companion(words, processor: Self.processor, log: folder.log)
        }
        switch self {
        case .floor, .floorGSO:
            let mode = self == .floor ? "sendmmsg" : "gso"
            let forwarder = try run(
                ["\(folder.programs)/relay-floor", mode, testbed.forwarder, "\(testbed.input)", testbed.sinks]
                    + ["\(testbed.output)", "\(children)"])
            return ([forwarder], [input])
        case .ours:
            let endpoint = "\(testbed.forwarder):4900"
            try folder.identities.make(
                [.init(name: "set-1", role: .set)], zone: BenchIdentity.zone, now: UInt64(time(nil)))
            let node = try run(
                ["\(folder.programs)/reflector", "set", "set-1", "--zone", BenchIdentity.zone]
                    + ["--identity", folder.identities.folder(of: "set-1")]
                    + ["--server", "\(testbed.nameServer):5300", "--listen", endpoint]
                    + ["--ops", "\(testbed.forwarder):4980"])
            return ([node], [endpoint])
        case .srt:
            let inputs = (0..<children).map { "\(testbed.forwarder):\(testbed.input + $0)" }
            let processes = try inputs.enumerated().map { index, input in
                let to = "srt://\(testbed.receivers):\(testbed.transport + index)?latency=120"
                return try run(["srt-live-transmit", "-q", "-loglevel:fatal", "udp://\(input)", to])
            }
            return (processes, inputs)
        case .rist:
            let outputs = (0..<children).map { "rist://\(testbed.receivers):\(testbed.transport + 2 * $0)?buffer=120" }
            let sender = try run(
                ["ristsender", "-p", "1", "-v", "-1", "-S", "0", "-i", "udp://@\(input)"]
                    + ["-o", outputs.joined(separator: ",")])
            return ([sender], [input])
        case .ffmpeg:
            let outputs = (0..<children).map {
                "[f=mpegts]udp\\://\(testbed.sinks)\\:\(testbed.output + $0)?pkt_size=1316"
            }
            let encoder = try run(
                ["ffmpeg", "-nostdin", "-loglevel", "error", "-probesize", "200k", "-analyzeduration", "300000"]
                    + ["-f", "mpegts", "-i", "udp://\(input)?fifo_size=50000&overrun_nonfatal=1", "-map", "0:v"]
                    + ["-c", "copy", "-f", "tee", outputs.joined(separator: "|")])
            return ([encoder], [input])
        }
    }

    /// Starts the receivers between the forwarder and the sinks, if the forwarder's protocol needs them.
    func startReceivers(children: Int, in testbed: Testbed, _ folder: Folder) throws -> [Companion] {
        try (0..<children).compactMap { index in
            let sink = "udp://\(testbed.sinks):\(testbed.output + index)"
            let words: [String]
            switch self {
            case .floor, .floorGSO, .ours, .ffmpeg: return nil
            case .srt:
                let from = "srt://\(testbed.receivers):\(testbed.transport + index)?mode=listener&latency=120"
                words = ["srt-live-transmit", "-q", "-loglevel:fatal", from, sink]
            case .rist:
                let from = "rist://@\(testbed.receivers):\(testbed.transport + 2 * index)?buffer=120"
                words = ["ristreceiver", "-p", "1", "-v", "-1", "-S", "0", "-i", from, "-o", sink]
            }
            return try Companion(words, processor: Self.otherProcessor, log: folder.log)
        }
    }
}
