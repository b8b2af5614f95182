import NIOCore
import NIOPosix
import NodeIdentity
import ReflectorModel
import Synchronization

@testable import RelayService

/// A name server that says about revocation lists what a test tells it, over UDP and TCP at one port.
final class FakeNameServer: Sendable {
    /// What it says; nil: that the name does not exist.
    struct Answers: Sendable {
        /// Strings at `revocations`.
        var announcement: [String]?
        /// RDATA at `list.revocations`.
        var list: [UInt8]?
        /// It answers nothing.
        var isSilent = false
    }

    private struct State: Sendable {
        var answers = Answers()
        var announcements = 0
        var fetches = 0
    }

    private let state: SharedState
    private let datagrams: DatagramPeer
    private let stream: any Channel
    var endpoint: Endpoint { datagrams.endpoint }

    private final class SharedState: Sendable {
        let value = Mutex(State())
    }

    init(host: String) async throws {
        let state = SharedState()
        self.state = state
        datagrams = try await DatagramPeer(host: host) { query in
            state.value.withLock { $0.announcements += 1 }
            return Self.answer(query, state).map { [$0] } ?? []
        }
        stream = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StreamHandler(state))
                }
            }
            .bind(host: host, port: Int(datagrams.endpoint.port)).get()
    }

    /// Publishes a list, with its true announcement.
    func publish(_ list: RevocationList) {
        say(Answers(announcement: RevocationRecords.announcement(of: list), list: RevocationRecords.data(of: list)))
    }

    func say(_ answers: Answers) { state.value.withLock { $0.answers = answers } }

    /// Queries over TCP so far.
    var fetches: Int { state.value.withLock { $0.fetches } }
    /// Queries over UDP so far.
    var announcements: Int { state.value.withLock { $0.announcements } }

    func close() async {
        await datagrams.close()
        try? await stream.close()
    }

    private static func answer(_ query: [UInt8], _ state: SharedState) -> [UInt8]? {
        let answers = state.value.withLock { $0.answers }
        guard !answers.isSilent, query.count > 12 else { return nil }
        // The first label of the question: `list` or `revocations`.
        return query[12] == 4 ? reply(to: query, answers.list) : reply(to: query, answers.announcement.map(data))
    }

    /// An answer with one TXT record of these strings.
    static func reply(to query: [UInt8], strings: [String]) -> [UInt8] { reply(to: query, data(strings)) ?? [] }

    private static func data(_ strings: [String]) -> [UInt8] {
        strings.isEmpty ? [0] : strings.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }

    /// An answer with one TXT record; without data, NXDOMAIN.
    private static func reply(to query: [UInt8], _ data: [UInt8]?) -> [UInt8]? {
        var end = 12
        while end < query.count, query[end] > 0 { end += 1 + Int(query[end]) }
        guard end + 5 <= query.count else { return nil }
        let (code, count): (UInt8, UInt8) = data == nil ? (3, 0) : (0, 1)
        let head: [UInt8] = Array(query[..<2]) + [0x84, code, 0, 1, 0, count, 0, 0, 0, 0] + query[12..<(end + 5)]
        guard let data else { return head }
        let record: [UInt8] = [0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 1, UInt8(data.count >> 8), UInt8(data.count & 255)]
        return head + record + data
    }

    private final class StreamHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let state: SharedState
        private var received = ByteBuffer()

        init(_ state: SharedState) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var part = unwrapInboundIn(data)
            received.writeBuffer(&part)
            guard let query = received.readLengthPrefixedSlice(as: UInt16.self) else { return }
            state.value.withLock { $0.fetches += 1 }
            guard let answer = FakeNameServer.answer(Array(query.readableBytesView), state) else { return }
            var reply = ByteBuffer()
            reply.writeInteger(UInt16(answer.count))
            reply.writeBytes(answer)
            context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
        }
    }
}
