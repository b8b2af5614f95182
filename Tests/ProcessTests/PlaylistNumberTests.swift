import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

/// RFC 8216 §6.2.2: the sequence numbers of a playlist never decrease, whichever process dies.
@Suite("Sequence numbers of playlists", .serialized)
struct PlaylistNumberTests {
    private struct Playlist {
        var sequence: Int
        var discontinuity: Int
        /// Names of its segments.
        var segments: [String]

        init?(_ text: String) {
            func value(_ tag: String) -> Int? {
                text.split(separator: "\n").first { $0.hasPrefix(tag) }.flatMap { Int($0.dropFirst(tag.count)) }
            }
            guard let sequence = value("#EXT-X-MEDIA-SEQUENCE:") else { return nil }
            self.sequence = sequence
            discontinuity = value("#EXT-X-DISCONTINUITY-SEQUENCE:") ?? 0
            segments = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
        }
    }

    @Test("encoder, entrypoint and edge are killed and restart, one by one and together: no number goes back")
    func restarts() async throws {
        try await TestNetwork.with(net: 111) { network in
            try await network.startAll()
            let stream = try #require(StreamName("live/news"))
            var encoder = try await network.startEncoder(stream, file: TestPictureFile.path, at: "ep-bos")
            let url = "http://\(try network.node("edge-bos").http)/live/news/index.m3u8"
            var seen: [Playlist] = []
            /// The segment of each number. An edge that restarts gives segments new numbers and keeps their names. A
            /// name may come twice: an encoder that restarts repeats the file.
            var names: [Int: String] = [:]

            func look() throws -> Playlist? {
                let result = try Program.run("curl", ["-sf", "-m", "3", url])
                guard let playlist = Playlist(result.output) else { return nil }
                for (index, name) in playlist.segments.enumerated() {
                    let place = playlist.sequence + index
                    #expect(names[place, default: name] == name, "\(place)")
                    names[place] = name
                }
                if let last = seen.last {
                    #expect(playlist.sequence >= last.sequence)
                    #expect(playlist.discontinuity >= last.discontinuity)
                    let next = last.sequence + last.segments.count
                    // New segments follow the old ones, with numbers that no other segment has had.
                    #expect(
                        Set(playlist.segments).isSubset(of: last.segments)
                            || playlist.sequence + playlist.segments.count > next)
                }
                seen.append(playlist)
                return playlist
            }
            func played(_ what: String) async throws {
                let before = names.keys.max() ?? 0
                try await eventually("two new segments after \(what)", within: .seconds(40), every: .milliseconds(250))
                {
                    try look().map { list in list.segments.indices.count { list.sequence + $0 > before } >= 2 } ?? false
                }
            }

            try await played("the start")
            for victims in [["encoder"], ["ep-bos"], ["edge-bos"], ["encoder", "ep-bos", "edge-bos"]] {
                for victim in victims {
                    if victim == "encoder" { kill(encoder, SIGKILL) } else { try await network.kill(victim) }
                }
                if victims.contains("edge-bos") { names = [:] }
                for victim in victims where victim != "encoder" {
                    try await network.start(victim)
                    try await network.waitUntilReady(victim)
                }
                if victims.contains("encoder") || victims.contains("ep-bos") {
                    kill(encoder, SIGKILL)
                    encoder = try await network.startEncoder(stream, file: TestPictureFile.path, at: "ep-bos")
                }
                try await played(victims.joined(separator: ", "))
            }
            let discontinuities = seen.last.map(\.discontinuity) ?? 0
            print("\(names.count) segments over six deaths, \(discontinuities) discontinuities gone from the list")
        }
    }
}
