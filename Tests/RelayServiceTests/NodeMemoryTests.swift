import Foundation
import Logging
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService
@testable import SecretFiles

@Suite("State that a node keeps")
struct NodeMemoryTests {
    private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func answer(serial: UInt32) throws -> LookUpAnswer {
        let host = ResolvedHost(
            name: "nyc-1", endpoint: try #require(Endpoint("127.0.0.1:4900")), priority: 0, weight: 1)
        return LookUpAnswer(hosts: [host], ttlSeconds: 5, serial: serial)
    }

    @Test("A thousand answers that arrive at once are written together, and all exist after a restart")
    func coalesced() async throws {
        try await withTemporaryFolder { folder in
            let memory = NodeMemory(directory: folder + "/state", logger: silent, writeInterval: .seconds(60))
            for number in 0..<1_000 {
                try await memory.keep(answer(serial: 7), for: .parents(.first, RegionID(UInt32(number)), PortsetID(1)))
            }
            // The first answer is written at once, so that a node that dies soon has saved something; the others follow
            // in one write.
            #expect(await memory.writes == 1)
            await memory.flush()
            #expect(await memory.writes == 2)
            await memory.flush()
            #expect(await memory.writes == 2)
            let again = NodeMemory(directory: folder + "/state", logger: silent)
            #expect(await again.names.count == 1_000)
        }
    }

    @Test("A postponed write happens on its own")
    func later() async throws {
        try await withTemporaryFolder { folder in
            let memory = NodeMemory(directory: folder, logger: silent, writeInterval: .milliseconds(50))
            for number in UInt32(0)..<3 {
                try await memory.keep(answer(serial: 7), for: .parents(.first, RegionID(number), PortsetID(1)))
            }
            #expect(await eventually { await memory.writes == 2 })
            #expect(await NodeMemory(directory: folder, logger: silent).names.count == 3)
        }
    }

    @Test("The address is kept in a file of mode 0600, and garbage in it is ignored")
    func address() async throws {
        try await withTemporaryFolder { folder in
            let memory = NodeMemory(directory: folder, logger: silent)
            let address = try #require(IPAddress("127.3.2.1"))
            await memory.keep(addresses: [address])
            #expect(await memory.addresses == [address])
            let mode = try FileManager.default.attributesOfItem(atPath: folder + "/address")[.posixPermissions] as? Int
            #expect(mode == 0o600)
            try String(repeating: "x", count: 10_000).write(
                toFile: folder + "/address", atomically: false, encoding: .utf8)
            #expect(await memory.addresses.isEmpty)
        }
    }

    @Test("A failed replacement leaves the old file, and no temporary file")
    func failedWrite() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/target"
            try FileManager.default.createDirectory(atPath: path + "/inside", withIntermediateDirectories: true)
            #expect(throws: PrivateFile.Failure.self) { try PrivateFile.replace(path, bytes: [1]) }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names == ["target"])
        }
    }
}
