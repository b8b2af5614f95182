import Foundation
import Glibc
import LocalNetwork
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

/// Viewers while entrypoints die, with real encoders and real players. `tools/bench/failover` measures the gaps.
@Suite("Viewers while entrypoints die", .serialized)
struct FailoverTests {
    private static let stream = "live/news"
    private static let edges = ["edge-bos", "edge-nen"]
    private static let entrypoints = ["ep-bos", "ep-nyc"]
    /// Frames that every player must decode after each event: 8 s, so that playlists tell of it.
    private static let framesBetween = 200

    @Test("hot: one ffmpeg with tee feeds two entrypoints; each is killed in turn, and no player reports an error")
    func hot() async throws {
        try await Self.withNetwork(net: 121, standby: "hot") { network in
            try await Self.startTee(network)
            let players = try await Self.startPlayers(network)
            for victim in Self.entrypoints {
                let before = try await Self.lost(network)
                try await network.kill(victim)
                try await Self.play(players, after: "\(victim) was killed")
                if victim == Self.entrypoints[0] { #expect(try await Self.lost(network) == before) }
                try await network.start(victim)
                try await network.waitUntilReady(victim)
                // ffmpeg opens the connection again by itself.
                try await Self.waitForEncoder(at: victim, network)
                try await Self.play(players, after: "\(victim) was back")
            }
            for player in players {
                #expect(network.log(of: player.name) == "", "\(player.name)")
            }
        }
    }

    @Test("warm: two encoders with different clocks; each entrypoint is killed in turn: one discontinuity for a change")
    func warm() async throws {
        try await Self.withNetwork(net: 122, standby: "warm") { network in
            for (index, entrypoint) in Self.entrypoints.enumerated() {
                try await Self.startEncoder(at: entrypoint, clock: Double(1_000 * (index + 1)), network)
            }
            let players = try await Self.startPlayers(network)
            let leader = Self.entrypoints[0]
            try await Self.waitForSource(leader, network)
            for victim in Self.entrypoints {
                // The death of a standby changes nothing.
                let changes = victim == leader ? 1 : 0
                try await Self.expectDiscontinuities(atMost: changes, "\(victim) was killed", network) {
                    try await network.kill(victim)
                    try await Self.play(players, after: "\(victim) was killed")
                }
                try await Self.expectDiscontinuities(atMost: changes, "\(victim) was back", network) {
                    try await network.start(victim)
                    try await network.waitUntilReady(victim)
                    try await Self.startEncoder(at: victim, clock: 10_000, network)
                    try await Self.waitForSource(leader, network)
                    try await Self.play(players, after: "\(victim) was back")
                }
            }
            for player in players {
                print("\(player.name): \(player.frames) frames; \(network.log(of: player.name))")
            }
        }
    }

    // MARK: The network

    private static func withNetwork(
        net: UInt8, standby: String, _ body: (TestNetwork) async throws -> Void
    ) async throws {
        let candidates = entrypoints.joined(separator: ",")
        let line = "stream \(stream) s4096 entrypoints=\(candidates) push standby=\(standby)"
        try await TestNetwork.with(
            net: net,
            edit: { zones in
                try zones.edit("reflector.net.streams") { text in
                    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                    return lines.map { $0.hasPrefix("stream  \(stream) ") ? line : String($0) }.joined(separator: "\n")
                }
            },
            { network in
                try await network.startAll()
                try await body(network)
            })
    }

    /// Packets that the edges gave up.
    private static func lost(_ network: TestNetwork) async throws -> UInt64 {
        var sum: UInt64 = 0
        for edge in edges { sum += try await network.stream(stream, at: edge)?.lost ?? 0 }
        return sum
    }

    /// Waits until both edges get the stream from this entrypoint.
    private static func waitForSource(_ entrypoint: String, _ network: TestNetwork) async throws {
        for edge in edges {
            try await eventually("\(edge) gets the stream from \(entrypoint)", within: .seconds(60)) {
                try await network.stream(stream, at: edge)?.source == entrypoint
            }
        }
    }

    /// Checks how many discontinuities the playlist of each edge gets meanwhile.
    private static func expectDiscontinuities(
        atMost most: Int, _ event: String, _ network: TestNetwork, while body: () async throws -> Void
    ) async throws {
        let before = try discontinuities(network)
        try await body()
        let after = try discontinuities(network)
        for (edge, (before, after)) in zip(edges, zip(before, after)) {
            #expect(after - before <= most, "\(edge), when \(event)")
        }
    }

    // MARK: Encoders

    /// Starts one ffmpeg that pushes the same packets to all entrypoints, each through a queue of its own, so that a
    /// dead one does not hold up the others.
    private static func startTee(_ network: TestNetwork) async throws {
        let name = try #require(StreamName(stream))
        let key = try #require(network.keys.streamKeys.keys(for: name)?.first)
        let outputs = try entrypoints.map {
            "[f=mpegts:onfail=ignore:flush_packets=1:method=PUT]"
                + "http://\(try network.node($0).ingest)/\(stream)?key=\(key)"
        }
        let queues =
            "attempt_recovery=1:recover_any_error=1:recovery_wait_time=0.25:drop_pkts_on_overflow=1"
        try await network.startProgram(
            "ffmpeg",
            [
                "-hide_banner", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1",
                "-i", TestPictureFile.path, "-map", "0:v", "-map", "0:a", "-c", "copy",
                "-f", "tee", "-use_fifo", "1", "-fifo_options", queues, outputs.joined(separator: "|"),
            ], name: "tee")
        for entrypoint in entrypoints { try await waitForEncoder(at: entrypoint, network) }
    }

    /// Starts an encoder of its own for one entrypoint.
    private static func startEncoder(at entrypoint: String, clock: Double, _ network: TestNetwork) async throws {
        let name = try #require(StreamName(stream))
        try await network.startEncoder(name, file: TestPictureFile.path, at: entrypoint, clock: clock)
        try await waitForEncoder(at: entrypoint, network)
    }

    private static func waitForEncoder(at entrypoint: String, _ network: TestNetwork) async throws {
        try await eventually("packets of the encoder at \(entrypoint)", within: .seconds(20)) {
            (try await network.stream(stream, at: entrypoint)?.packetsIn ?? 0) > 50
        }
    }

    // MARK: Players

    /// An ffmpeg that decodes the stream as fast as it comes, and reports how far it is.
    private struct Player {
        var name: String
        var progressFile: String

        /// Frames decoded so far.
        var frames: Int {
            let text = (try? String(contentsOfFile: progressFile, encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").last { $0.hasPrefix("frame=") }
            return line.flatMap { Int($0.dropFirst("frame=".count)) } ?? 0
        }
    }

    /// Starts two players at each edge, one for each protocol, and waits until all of them play.
    private static func startPlayers(_ network: TestNetwork) async throws -> [Player] {
        var players: [Player] = []
        for edge in edges {
            let address = try network.node(edge).http
            for (kind, path) in [("ts", "\(stream).ts"), ("hls", "\(stream)/index.m3u8")] {
                let name = "player-\(kind)-\(edge)"
                let player = Player(name: name, progressFile: "\(network.folder)/\(name).progress")
                try await network.startProgram(
                    "ffmpeg",
                    [
                        "-v", "error", "-nostdin", "-progress", player.progressFile,
                        "-i", "http://\(address)/\(path)", "-f", "null", "-",
                    ], name: name)
                players.append(player)
            }
        }
        try await play(players, after: "the start")
        return players
    }

    /// Waits until every player has decoded some seconds more.
    private static func play(_ players: [Player], after event: String) async throws {
        let before = players.map(\.frames)
        for (player, frames) in zip(players, before) {
            try await eventually(
                "\(player.name) goes on after \(event)", within: .seconds(40), every: .milliseconds(200)
            ) { player.frames >= frames + framesBetween }
        }
    }

    /// For each edge, the discontinuities that its playlist has had so far.
    private static func discontinuities(_ network: TestNetwork) throws -> [Int] {
        try edges.map { edge in
            let url = "http://\(try network.node(edge).http)/\(stream)/index.m3u8"
            let lines = try Program.run("curl", ["-sf", "-m", "3", url]).lines
            let tag = "#EXT-X-DISCONTINUITY-SEQUENCE:"
            let gone = lines.first { $0.hasPrefix(tag) }.flatMap { Int($0.dropFirst(tag.count)) } ?? 0
            return gone + lines.count { $0 == "#EXT-X-DISCONTINUITY" }
        }
    }
}
