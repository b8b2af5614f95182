import Foundation
import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import Synchronization

@testable import RelayService

/// Runs a program to its end; standard output and error go to a file, so that no pipe can fill.
func run(_ arguments: [String], folder: String) async throws -> (status: Int32, output: String) {
    let output = "\(folder)/output-\(UUID().uuidString)"
    _ = FileManager.default.createFile(atPath: output, contents: nil)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
    process.standardOutput = handle
    process.standardError = handle
    process.standardInput = FileHandle.nullDevice
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        process.terminationHandler = { _ in continuation.resume() }
        do { try process.run() } catch { continuation.resume(throwing: error) }
    }
    return (process.terminationStatus, (try? String(contentsOfFile: output, encoding: .utf8)) ?? "")
}

/// A program that runs in parallel to a test until `stop`.
final class Companion {
    private let process = Process()

    /// Its output is discarded: otherwise it would hold the test runner's pipes open if the test crashes.
    init(_ arguments: [String], folder: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// Uses SIGKILL: a child of a concurrency thread inherits a signal mask that blocks SIGTERM.
    func stop() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

/// Records everything that ingest hands over.
final class MemorySink: IngestSink {
    struct Contents {
        var bytes: [UInt8] = []
        var bytesByStream: [StreamName: Int] = [:]
        var payloadLengths: [Int] = []
        var opened: [IngestSession] = []
        /// For each session that opened, whether its bytes follow those of the one before.
        var isContinued: [Bool] = []
        var closed: [IngestSession] = []
        /// Sessions that closed because the next one replaced them.
        var replaced: [IngestSession] = []
        var payloads: [[UInt8]] = []
        var strays = 0
        /// While `isHolding`, the callbacks to call later.
        var held: [@Sendable (Bool) -> Void] = []
        var isHolding = false
    }

    private let contents = Mutex(Contents())
    private let admission: Mutex<IngestAdmission>

    init(admission: IngestAdmission = .admitted(StreamPolicy(isPull: false))) {
        self.admission = Mutex(admission)
    }

    var now: Contents { contents.withLock { $0 } }

    /// What the zone and the election say from now on.
    func set(_ new: IngestAdmission) { admission.withLock { $0 = new } }

    /// From now on, no batch is reported as taken until `release`.
    func hold() { contents.withLock { $0.isHolding = true } }

    func release() {
        let held = contents.withLock { contents in
            defer { contents.held = [] }
            contents.isHolding = false
            return contents.held
        }
        for taken in held { taken(true) }
    }

    func admit(_ stream: StreamName, isPull: Bool) async -> IngestAdmission { admission.withLock { $0 } }

    func open(_ session: IngestSession, isContinued: Bool) async -> Bool {
        contents.withLock {
            $0.opened.append(session)
            $0.isContinued.append(isContinued)
        }
        return true
    }

    func take(_ batch: PayloadBatch, of session: IngestSession, taken: @escaping @Sendable (Bool) -> Void) {
        let isHeld = contents.withLock { contents in
            if contents.opened.last(where: { $0.stream == session.stream }) != session
                || contents.closed.contains(session)
            {
                contents.strays += 1
            }
            contents.bytes += batch.bytes
            contents.bytesByStream[session.stream, default: 0] += batch.bytes.count
            contents.payloadLengths += batch.payloads.map(\.count)
            contents.payloads += batch.payloads
            if contents.isHolding { contents.held.append(taken) }
            return contents.isHolding
        }
        if !isHeld { taken(true) }
    }

    func close(_ session: IngestSession, isReplaced: Bool) {
        contents.withLock { contents in
            contents.closed.append(session)
            if isReplaced { contents.replaced.append(session) }
        }
    }
}

/// A UDP socket of a test: sends datagrams, and answers those that it receives.
final class DatagramPeer: Sendable {
    /// Maps a datagram and its sender to the answers.
    typealias Response = @Sendable ([UInt8], Endpoint) async -> [[UInt8]]

    /// Like `Response`, but the answers may be sent at any time.
    private typealias Respond =
        @Sendable (
            [UInt8], Endpoint, _ reply: @escaping @Sendable ([[UInt8]]) -> Void
        ) -> Void

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        let respond: Respond
        init(_ respond: @escaping Respond) { self.respond = respond }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            guard let client = envelope.remoteAddress.endpoint else { return }
            respond(Array(envelope.data.readableBytesView), client) { [channel = context.channel] replies in
                for reply in replies {
                    let answer = AddressedEnvelope(
                        remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: reply))
                    channel.writeAndFlush(answer, promise: nil)
                }
            }
        }
    }

    private let channel: any Channel
    let endpoint: Endpoint

    convenience init(host: String, respond: @escaping @Sendable ([UInt8]) -> [[UInt8]] = { _ in [] }) async throws {
        // This responds on the event loop, because the threads that run tasks may be busy with other tests for longer
        // than any time-out.
        try await self.init(host) { query, _, reply in reply(respond(query)) }
    }

    convenience init(hostAsynchronous host: String, respond: @escaping Response) async throws {
        try await self.init(host) { query, client, reply in Task { reply(await respond(query, client)) } }
    }

    private init(_ host: String, _ respond: @escaping Respond) async throws {
        channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(respond))
                }
            }
            .bind(host: host, port: 0).get()
        guard let endpoint = channel.localAddress?.endpoint else { throw ChannelError.unknownLocalAddress }
        self.endpoint = endpoint
    }

    func send(_ bytes: [UInt8], to endpoint: Endpoint) async throws {
        try await channel.writeAndFlush(
            AddressedEnvelope(remoteAddress: try SocketAddress(endpoint), data: ByteBuffer(bytes: bytes)))
    }

    /// Sends multicast through the interface that has this address, by default the loopback interface.
    func sendGroups(from address: UInt32 = 0x7f00_0001) async throws {
        guard let socket = channel as? any SocketOptionProvider else { return }
        try await socket.setIPMulticastIF(in_addr(s_addr: address.bigEndian)).get()
    }

    func close() async { try? await channel.close() }
}

/// Records log lines, as `message key=value …`.
final class LogCollector: Sendable {
    private let collected = Mutex<[String]>([])

    var lines: [String] { collected.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(collector: self) } }

    private struct Handler: LogHandler {
        let collector: LogCollector
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let values = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            collector.collected.withLock { $0.append(([event.message.description] + values).joined(separator: " ")) }
        }
    }
}

/// A virtual network interface, for tests that remove one and create it again.
struct TestInterface {
    private let name: String
    private let address: String

    /// False if this user may not create one.
    static let isAllowed = (try? TestInterface("reflector-t1", address: "198.51.100.77/32"))?.remove() != nil

    init(_ name: String, address: String) throws {
        self.name = name
        self.address = address
        remove()
        try make()
    }

    func make() throws {
        try Self.ip("link", "add", name, "type", "bridge")
        try Self.ip("address", "add", address, "dev", name)
        try Self.ip("link", "set", name, "up")
    }

    func remove() { try? Self.ip("link", "delete", name) }

    private static func ip(_ words: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ip"] + words
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.featureUnsupported) }
    }
}
