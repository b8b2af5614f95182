import DNSAnswers
import DNSTestClient
import DatagramIO
import Foundation
import Logging
import ReflectorModel
import Synchronization
import TestSupport
import Testing

@testable import DNSService

private let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

@Suite("A serial never falls", .serialized)
struct SerialTests {
    /// A zone whose serials are dates, above Unix time until 2034.
    private static let dates = ServedDirectory.zone.replacing(" 1 3600", with: " 2026112601 3600")

    /// Runs `body` with the endpoint and serial of a server that acts as a secondary with a high serial.
    private func withSecondary(
        _ address: String, serial: UInt32, _ body: @escaping @Sendable (Endpoint, UInt32) async throws -> Void
    ) async throws {
        let zone = ServedDirectory.zone.replacing(" 1 3600", with: " \(serial) 3600")
        try await ServedDirectory.serve(address, files: ["example.net.zone": zone]) { served async throws in
            let endpoint = try #require(Endpoint("\(address):\(served.client.port)"))
            try await body(endpoint, try served.serial())
        }
    }

    @Test("Without state a server asks a secondary, and continues above its serial")
    func withoutState() async throws {
        try await withSecondary("127.83.1.1", serial: 2_026_112_650) { secondary, theirs async throws in
            try await ServedDirectory.serve(
                "127.83.1.2", files: ["example.net.zone": Self.dates],
                configure: { $0.notify = [NotifyTarget(endpoint: secondary)] }
            ) { served async throws in
                #expect(theirs == 2_026_112_650)
                #expect(ZoneSerial.isAfter(try served.serial(), theirs))
            }
        }
    }

    @Test("Another server of the NS set is asked too; without servers to ask there is no delay")
    func nameServers() async throws {
        try await withSecondary("127.83.1.3", serial: 2_026_112_650) { other, theirs async throws in
            let zone = Self.dates + "@ NS ns2\nns2 A 127.83.1.3\n"
            try await ServedDirectory.serve(
                "127.83.1.4", port: other.port, files: ["example.net.zone": zone]
            ) { served async throws in
                #expect(ZoneSerial.isAfter(try served.serial(), theirs))
            }
        }
        let start = ContinuousClock.now
        try await ServedDirectory.serve("127.83.1.5") { _ async throws in }
        #expect(ContinuousClock.now - start < .seconds(2))
    }

    @Test("State restored from a backup: the serial is raised above the secondary's")
    func backup() async throws {
        try await withTemporaryFolder { state in
            try await ServedDirectory.serve("127.83.1.6", state: state, files: ["example.net.zone": Self.dates]) {
                served async throws in #expect(try served.serial() == 2_026_112_601)
            }
            try await withSecondary("127.83.1.7", serial: 2_026_112_609) { secondary, theirs async throws in
                try await ServedDirectory.serve(
                    "127.83.1.6", state: state, files: ["example.net.zone": Self.dates],
                    configure: { $0.notify = [NotifyTarget(endpoint: secondary)] }
                ) { served async throws in
                    #expect(ZoneSerial.isAfter(try served.serial(), theirs))
                }
            }
        }
    }

    @Test("A zone moved away and back continues with its last serial, even without state")
    func movedAway() async throws {
        let other = ServedDirectory.zone
        try await ServedDirectory.serve(
            "127.83.1.8", files: ["example.net.zone": Self.dates, "other.example.zone": other]
        ) { served async throws in
            for parents in ["b a", "a b", "b a"] {
                let before = try served.serial()
                try served.replacePortsets(ServedDirectory.portsets + "map s7 r* \(parents)\n")
                _ = try await served.wait { try served.serial() != before }
            }
            let last = try served.serial()
            #expect(last > 2_026_112_602)
            let files = ["example.net.zone", "example.net.portsets"]
            for name in files {
                try FileManager.default.moveItem(atPath: "\(served.path)/\(name)", toPath: "\(served.path)/.\(name)")
            }
            _ = try await served.wait { await served.server.status.zones.count == 1 }
            for name in files {
                try FileManager.default.moveItem(atPath: "\(served.path)/.\(name)", toPath: "\(served.path)/\(name)")
            }
            _ = try await served.wait { await served.server.status.zones.count == 2 }
            #expect(try served.serial() == last)
        }
    }

    @Test("A damaged serial file is distinguished from a missing one, and the archive is used instead")
    func damaged() async throws {
        try await withTemporaryFolder { state in
            let store = SerialStore(directory: state)
            #expect(store.load(zone: "example.net") == .absent)
            let path = state + "/example.net.serial"
            for text in ["", "rubbish\n", "17 \n", "99999999999 0\n", "17 0 0000000000000000\n"] {
                try text.write(toFile: path, atomically: false, encoding: .utf8)
                guard case .damaged(let why) = store.load(zone: "example.net") else {
                    Issue.record("'\(text)' is accepted")
                    continue
                }
                #expect(why.contains(path))
            }
            try FileManager.default.removeItem(atPath: path)
            let last = Mutex<UInt32>(0)
            try await ServedDirectory.serve("127.83.1.9", state: state, files: ["example.net.zone": Self.dates]) {
                served async throws in
                try served.replacePortsets(ServedDirectory.portsets + "map s7 r* b a\n")
                _ = try await served.wait { try served.serial() != 2_026_112_601 }
                let serial = try served.serial()
                last.withLock { $0 = serial }
                _ = try await served.wait {
                    FileManager.default.fileExists(atPath: "\(state)/example.net.\(serial).generation")
                }
            }
            try "rubbish\n".write(toFile: path, atomically: false, encoding: .utf8)
            try await ServedDirectory.serve("127.83.1.9", state: state, files: ["example.net.zone": Self.dates]) {
                served async throws in
                #expect(ZoneSerial.isAfter(try served.serial(), last.withLock { $0 }))
            }
        }
    }

    @Test("Where the file can't be replaced, as on a full disk, the serial is written over the old one")
    func fullDisk() async throws {
        try await withTemporaryFolder { state in
            let store = SerialStore(directory: state)
            let digest = String(repeating: "a", count: 32)
            try store.save(.init(serial: 2_026_112_601, digest: digest, sidecars: ["portsets"]), zone: "example.net")
            // A directory with the name of the new file prevents its creation.
            try FileManager.default.createDirectory(
                atPath: state + "/example.net.serial.new", withIntermediateDirectories: true)
            #expect(throws: SerialStore.Failure.self) {
                try store.save(.init(serial: 2_026_112_607, digest: digest), zone: "example.net")
            }
            guard case .entry(let entry) = store.load(zone: "example.net") else {
                Issue.record("nothing kept")
                return
            }
            #expect(entry.serial == 2_026_112_607 && entry.sidecars == ["portsets"])
        }
    }

    @Test("An operator's request for a higher serial is applied once, while the server runs")
    func raise() async throws {
        try await withTemporaryFolder { state in
            try await ServedDirectory.serve("127.83.1.10", state: state) { served async throws in
                let before = try served.serial()
                try SerialStore(directory: state).askForRaise(above: before + 1_000_000, zone: "example.net")
                _ = try await served.wait { try served.serial() != before }
                #expect(try served.serial() == before + 1_000_001)
                #expect(!FileManager.default.fileExists(atPath: state + "/example.net.raise"))
                try SerialStore(directory: state).askForRaise(above: before + 1_000_001, zone: "example.net")
                _ = try await served.wait { try served.serial() == before + 1_000_002 }
                #expect(try served.serial() == before + 1_000_002)
            }
        }
    }

    @Test("Only an authoritative answer to the question counts")
    func answers() {
        let query = SerialInquiry.query("example.net")
        let soa: [UInt8] =
            [0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0] + [1, 2, 3, 4] + Array(repeating: 0, count: 16)
        func reply(_ flags: [UInt8], _ tail: [UInt8], question: [UInt8]? = nil, answers: UInt8 = 1) -> [UInt8] {
            Array(query[..<2]) + flags + [0, 1, 0, answers, 0, 0, 0, 0] + (question ?? Array(query[12...])) + tail
        }
        #expect(SerialInquiry.serial(in: reply([0x84, 0], soa), to: query) == 0x0102_0304)
        let wrong = [
            reply([0x80, 0], soa), reply([0x04, 0], soa), reply([0x84, 5], soa), reply([0x84, 0], soa, answers: 0),
            reply([0x84, 0], Array(soa.dropLast(3))), reply([0x84, 0], []), [], query,
            reply([0x84, 0], soa, question: Array(SerialInquiry.query("example.org")[12...])),
        ]
        for message in wrong { #expect(SerialInquiry.serial(in: message, to: query) == nil) }
        for length in 0..<reply([0x84, 0], soa).count {
            #expect(SerialInquiry.serial(in: Array(reply([0x84, 0], soa).prefix(length)), to: query) == nil)
        }
    }
}

@Suite("A removed sidecar", .serialized)
struct MissingSidecarTests {
    private static let name = "n1.r1283.s4096.example.net"

    @Test("The removal of the map is refused, an empty file is accepted")
    func removed() async throws {
        try await ServedDirectory.serve("127.83.2.1") { served async throws in
            let path = served.path + "/example.net.portsets"
            try FileManager.default.removeItem(atPath: path)
            _ = try await served.wait { await served.server.status.refusals == 1 }
            #expect(try served.address(Self.name) == [127, 0, 2, 1])
            let problems = await served.server.status.problems
            #expect(problems.count == 1 && problems[0].contains("example.net.portsets:1:1: was there and is gone"))
            #expect(problems[0].contains("zone accept"))
            try Data().write(to: URL(fileURLWithPath: path))
            _ = try await served.wait { await served.server.status.problems.isEmpty }
            #expect(try served.client.ask(Self.name).rcode == 3)
        }
    }

    @Test("With state, a removal while the server is stopped is refused too")
    func restart() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let state = folder.path
        try await ServedDirectory.serve("127.83.2.2", state: state) { served async throws in
            _ = try await served.wait { (try? FileManager.default.contentsOfDirectory(atPath: state).count) == 2 }
        }
        try await ServedDirectory.serve("127.83.2.2", state: state, files: ["example.net.portsets": nil]) {
            served async throws in
            #expect(try served.address(Self.name) == [127, 0, 2, 1], "the generation that was kept")
            #expect(await served.server.status.problems.first?.contains("was there and is gone") == true)
        }
    }
}

@Suite("Source address of NOTIFY, and local clients")
struct OwnAddressTests {
    @Test(
        "A listening address that reaches the secondary is used, preferably the route's; loopback only for loopback",
        arguments: [
            ("192.0.2.9:53", ["127.0.0.1", "192.0.2.1"], "192.0.2.1", "192.0.2.1"),
            ("192.0.2.9:53", ["127.0.0.1", "192.0.2.1"], "192.0.2.7", "192.0.2.1"),
            ("192.0.2.9:53", ["192.0.2.1", "192.0.2.2"], "192.0.2.2", "192.0.2.2"),
            ("192.0.2.9:53", ["127.0.0.1"], "192.0.2.7", "0.0.0.0"),
            ("192.0.2.9:53", ["0.0.0.0"], "192.0.2.7", "0.0.0.0"),
            ("192.0.2.9:53", ["::", "2001:db8::1"], nil, "0.0.0.0"),
            ("127.0.0.1:5301", ["192.0.2.1", "127.0.0.3"], "127.0.0.1", "127.0.0.3"),
            ("127.0.0.1:5301", ["192.0.2.1"], "127.0.0.1", "192.0.2.1"),
            ("[2001:db8::9]:53", ["192.0.2.1", "::1", "2001:db8::1"], nil, "2001:db8::1"),
            ("192.0.2.9:53,from=192.0.2.33", ["192.0.2.1"], "192.0.2.1", "192.0.2.33"),
        ] as [(String, [String], String?, String)])
    func source(target: String, listening: [String], route: String?, wanted: String) throws {
        let target = try #require(NotifyTarget(target))
        let found = NotifySource.address(
            towards: target, listening: listening.compactMap { IPAddress($0) }, route: route.flatMap { IPAddress($0) })
        #expect(found == IPAddress(wanted))
    }

    @Test("explain and _status are answered to the machine's own addresses, unless others are configured")
    func local() throws {
        let own = LocalAddresses.all
        #expect(own.contains(IPAddress(v4: 0x7f00_0001)))
        let listen = try #require(Endpoint("192.0.2.1:53"))
        var configuration = NameServer.Configuration(zones: "zones", listen: [listen])
        for address in own { #expect(configuration.privileged.contains { $0.contains(address) }, "\(address)") }
        configuration.explainFrom = CIDRBlock.loopback
        #expect(configuration.privileged == CIDRBlock.loopback)
    }
}
