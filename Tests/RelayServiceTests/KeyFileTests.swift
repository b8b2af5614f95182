import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService
@testable import SecretFiles

@Suite("Key files")
struct KeyFileTests {
    private let hex = String(repeating: "0f", count: 32)

    private func stream(_ text: String) throws -> StreamName { try #require(StreamName(text)) }

    @Test("Keys for the exact name take precedence over those for a pattern, and the longest pattern over shorter ones")
    func verdicts() throws {
        let file = try KeyFile.parse(
            """
            # secrets
            stream live/news news-key-1
            stream live/news news-key-2
            stream live/* live-key-1
            stream live/sport/* sport-key

            """, path: "k")
        let keys = file.streamKeys
        #expect(try keys.verdict(on: "news-key-2", for: stream("live/news")) == .accepted)
        #expect(try keys.verdict(on: "live-key-1", for: stream("live/news")) == .wrong)
        #expect(try keys.verdict(on: "live-key-1", for: stream("live/other")) == .accepted)
        #expect(try keys.verdict(on: "live-key-1", for: stream("live/sport/ski")) == .wrong)
        #expect(try keys.verdict(on: "sport-key", for: stream("live/sport/ski")) == .accepted)
        #expect(try keys.verdict(on: "sport-ke", for: stream("live/sport/ski")) == .wrong)
        #expect(try keys.verdict(on: nil, for: stream("live/news")) == .missing)
        #expect(try keys.verdict(on: "live-key-1", for: stream("tv/news")) == .unknownStream)
    }

    @Test("Lines may end in CR LF")
    func carriageReturns() throws {
        let file = try KeyFile.parse("# secrets\r\nstream live/news news-key-1\r\n", path: "k")
        #expect(try file.streamKeys.keys(for: stream("live/news")) == ["news-key-1"])
    }

    @Test("All problems are reported at once with line and column, without secrets")
    func problems() throws {
        let text = """
              network 1 \(hex)
            stream live/News topsecret
            stream live/news short
            stream live/news
            stream live/a topsecret more
            stream live/b topsecret
            stream live/b topsecret
            stream live/c topsecret
            """
        let error = #expect(throws: KeyFile.Invalid.self) { try KeyFile.parse(text, path: "k") }
        let problems = try #require(error).problems
        #expect(
            problems.map { "\($0.line):\($0.column)" } == [
                "1:3", "2:8", "3:18", "4:17", "5:25", "7:15", "8:24",
            ])
        #expect(!problems.contains { $0.text.contains("topsecret") || $0.text.contains(hex) })
    }

    @Test("A generated file has mode 0600, can be read again and is never overwritten")
    func generate() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/keys"
            let patterns = try ["live/*", "tv/one", "live/*"].map { try #require(StreamKeys.Pattern($0)) }
            let keys = KeyFile.generate(streams: patterns)
            try keys.write(to: path)
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
            #expect(try KeyFile.load(path) == keys)
            #expect(try keys.streamKeys.keys(for: stream("tv/one"))?.count == 1)
            #expect(keys != KeyFile.generate(streams: patterns))
            #expect(throws: KeyFile.Invalid.self) { try keys.write(to: path) }
        }
    }

    @Test("A file that others may read, a missing one and a directory are refused with the reason")
    func access() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/keys"
            try KeyFile.generate(streams: []).write(to: path)
            for mode in [0o640, 0o604, 0o660] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
                let error = #expect(throws: KeyFile.Invalid.self) { try KeyFile.load(path) }
                #expect(error?.description.contains("chmod 600") == true)
            }
            try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: path)
            #expect(throws: Never.self) { try KeyFile.load(path) }
            #expect(throws: KeyFile.Invalid.self) { try KeyFile.load(folder + "/none") }
            let error = #expect(throws: KeyFile.Invalid.self) { try KeyFile.load(folder) }
            #expect(error?.description.contains("not a regular file") == true)
        }
    }
}

@Suite("Other secret files")
struct SecretFileTests {
    private let hex = String(repeating: "0f", count: 32)

    @Test("Lines of operators are refused in the nodes' file, without printing the key")
    func misplaced() throws {
        for word in ["operator-private", "operator-secret", "operator-public", "operator"] {
            let error = #expect(throws: KeyFile.Invalid.self) {
                try KeyFile.parse("stream live/a topsecret\n\(word) 1 \(hex)\n", path: "k")
            }
            #expect(error?.description.hasPrefix("k:2:1: unknown word") == true)
            #expect(error?.description.contains(hex) == false)
        }
    }

    @Test(
        "A systemd credential (root's file, which an access control list opens only to us) is private; others are not"
    )
    func accessLists() {
        func list(_ entries: [(tag: UInt16, permissions: UInt16, id: UInt32)]) -> AccessList? {
            AccessList(
                bytes: [2, 0, 0, 0]
                    + entries.flatMap { entry -> [UInt8] in
                        let id = entry.id
                        return [
                            UInt8(entry.tag), 0, UInt8(entry.permissions), 0, UInt8(id & 255), UInt8(id >> 8 & 255),
                            UInt8(id >> 16 & 255), UInt8(id >> 24),
                        ]
                    })
        }
        let none = UInt32.max
        // The access control list of systemd 254 for a service of user 64,123: u::r--, u:64123:r--, g::---, m::r--,
        // o::---.
        let credential = list([(1, 4, none), (2, 4, 64_123), (4, 0, none), (16, 4, none), (32, 0, none)])
        #expect(credential?.isPrivate(to: 64_123) == true)
        #expect(credential?.isPrivate(to: 64_124) == false)
        for other in [
            list([(1, 6, none), (2, 4, 1), (4, 4, none), (16, 4, none), (32, 0, none)]),
            list([(1, 6, none), (2, 4, 1), (4, 0, none), (8, 4, 50), (16, 4, none), (32, 0, none)]),
            list([(1, 6, none), (4, 0, none), (32, 4, none)]), list([(1, 6, none), (99, 0, none)]),
        ] {
            #expect(other?.isPrivate(to: 1) == false)
        }
        // The mask removes access.
        #expect(list([(1, 6, none), (2, 4, 7), (4, 4, none), (16, 0, none), (32, 0, none)])?.isPrivate(to: 1) == true)
        for broken in [[], [2, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0, 1]] as [[UInt8]] {
            #expect(AccessList(bytes: broken) == nil)
        }
    }
}

@Suite("State files")
struct StateFileTests {
    private let name = ReflectorName.parents(.first, RegionID(1_283), PortsetID(4_096))

    private func answer(_ serial: UInt32) throws -> LookUpAnswer {
        let hosts = try ["127.47.0.1:4900", "[2001:db8::1]:4901"].map {
            ResolvedHost(name: "lon-1", endpoint: try #require(Endpoint($0)), priority: 1, weight: 10)
        }
        return LookUpAnswer(
            hosts: hosts, ttlSeconds: 20, text: ["set=\"lon\"", "serial=\(serial)"], serial: serial,
            portset: PortsetID(4_096))
    }

    @Test("Answers are restored as they were saved, and an unchanged answer causes no write")
    func roundTrip() async throws {
        try await withTemporaryFolder { folder in
            let file = SavedAnswersFile(path: folder + "/state.json")
            #expect(file.load() == (SavedAnswers(), nil))
            var answers = SavedAnswers()
            #expect(try answers.keep(answer(1), for: name, unixSeconds: 100))
            #expect(try !answers.keep(answer(1), for: name, unixSeconds: 200))
            try file.save(answers)
            let loaded = file.load()
            #expect(loaded.problem == nil)
            #expect(loaded.answers == answers)
            #expect(try loaded.answers.answer(for: name)?.answer == answer(1))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["state.json"])
        }
    }

    @Test("A damaged file is reported and treated as empty, whichever byte is damaged")
    func damage() async throws {
        try await withTemporaryFolder { folder in
            let file = SavedAnswersFile(path: folder + "/state.json")
            var answers = SavedAnswers()
            _ = try answers.keep(answer(1), for: name, unixSeconds: 100)
            try file.save(answers)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: file.path))
            for cut in [0, 1, bytes.count / 2, bytes.count - 1] {
                try bytes.prefix(cut).write(to: URL(fileURLWithPath: file.path))
                #expect(file.load().answers.count == 0)
                #expect(file.load().problem != nil)
            }
            for index in bytes.indices {
                var damaged = bytes
                damaged[index] = 0xff
                try damaged.write(to: URL(fileURLWithPath: file.path))
                #expect(file.load().problem != nil)
            }
        }
    }

    @Test("The oldest name is evicted when there are too many")
    func bounded() throws {
        var answers = SavedAnswers()
        for region in 0...SavedAnswers.namesMax {
            let name = ReflectorName.parents(.first, RegionID(UInt32(region)), nil)
            _ = try answers.keep(answer(1), for: name, unixSeconds: Int64(region))
        }
        #expect(answers.count == SavedAnswers.namesMax)
        #expect(answers.answer(for: .parents(.first, RegionID(0), nil)) == nil)
        #expect(answers.answer(for: .parents(.first, RegionID(1), nil)) != nil)
    }
}
