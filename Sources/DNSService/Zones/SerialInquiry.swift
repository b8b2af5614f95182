import DNSAnswers
import DatagramIO
import Glibc
import NIOPosix
import ReflectorModel

/// Asks other servers of a zone for their serial (SOA), so that ours never falls below it: secondaries would ignore us
/// until our serial caught up. If the state is lost or older than the secondaries' zones, only they know the serial.
struct SerialInquiry: Sendable {
    /// Maximum number of queries per round.
    static let questionsMax = 256
    private static let resendInterval = 0.25

    /// One query.
    struct Question: Hashable, Sendable {
        var zone: String
        var server: Endpoint
        /// The server transfers the zone from us. Other servers of the NS set may have serials of their own.
        var isSecondary: Bool
    }

    struct Answer: Sendable {
        var question: Question
        var serial: UInt32
    }

    /// The servers to ask: secondaries, that is servers that we notify or whose single address has a transfer rule, and
    /// the other servers of the NS sets whose addresses are in the zones.
    static func questions(_ zones: [ZoneContent], _ configuration: NameServer.Configuration) -> [Question] {
        let ports = Set(configuration.listen.map(\.port).filter { $0 != 0 } + [53]).sorted()
        let own = Set(LocalAddresses.all)
        func isOurs(_ endpoint: Endpoint) -> Bool {
            configuration.listen.contains { listened in
                let isWildcard = listened.address == IPAddress(v4: 0) || listened.address == IPAddress(high: 0, low: 0)
                return listened.port == endpoint.port
                    && (listened.address == endpoint.address || isWildcard && own.contains(endpoint.address))
            }
        }
        let told = configuration.notify.map(\.endpoint)
        let taking = configuration.transfers.rules.compactMap(\.block.only).filter { address in
            !told.contains { $0.address == address }
        }
        var result: [Question] = []
        var seen: Set<Question> = []
        for zone in zones {
            let secondaries = told + taking.flatMap { address in ports.map { Endpoint(address: address, port: $0) } }
            let others = zone.nameServerAddresses.flatMap { address in
                ports.map { Endpoint(address: address, port: $0) }
            }.filter { !secondaries.contains($0) }
            for (endpoints, isSecondary) in [(secondaries, true), (others, false)] {
                for endpoint in endpoints where !isOurs(endpoint) && result.count < questionsMax {
                    let question = Question(zone: zone.zone, server: endpoint, isSecondary: isSecondary)
                    if seen.insert(question).inserted { result.append(question) }
                }
            }
        }
        return result
    }

    /// Asks all servers at once. Returns the answers as soon as every server has answered or is known to be unreachable
    /// (ICMP), but after `seconds` at most.
    static func ask(_ questions: [Question], within seconds: Double) async -> [Answer] {
        guard !questions.isEmpty else { return [] }
        return (try? await NIOThreadPool.singleton.runIfActive { askBlocking(questions, within: seconds) }) ?? []
    }

    private struct Pending {
        var question: Question
        var socket: Int32
        var query: [UInt8]
    }

    private static func askBlocking(_ questions: [Question], within seconds: Double) -> [Answer] {
        var pending: [Pending] = []
        var answers: [Answer] = []
        defer { for one in pending { close(one.socket) } }
        for question in questions {
            let isV4 = question.server.address.isV4
            let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = socket(isV4 ? AF_INET : AF_INET6, kind, 0)
            guard descriptor >= 0 else { continue }
            // A connected socket receives from that server only, and reports ICMP errors if nothing listens there.
            guard RawSocketAddress.with(question.server, { connect(descriptor, $0, $1) }) == 0 else {
                close(descriptor)
                continue
            }
            pending.append(Pending(question: question, socket: descriptor, query: query(question.zone)))
        }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var resend = ContinuousClock.now
        while !pending.isEmpty, ContinuousClock.now < deadline {
            if ContinuousClock.now >= resend {
                for one in pending { _ = send(one.socket, one.query, one.query.count, Int32(MSG_NOSIGNAL)) }
                resend = .now + .seconds(resendInterval)
            }
            var descriptors = pending.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
            _ = poll(&descriptors, nfds_t(descriptors.count), 50)
            var left: [Pending] = []
            for (one, descriptor) in zip(pending, descriptors) {
                guard descriptor.revents != 0 else {
                    left.append(one)
                    continue
                }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                let count = recv(one.socket, &buffer, buffer.count, 0)
                if count < 0, errno != EAGAIN {
                    close(one.socket)
                } else if count > 0, let serial = serial(in: Array(buffer.prefix(count)), to: one.query) {
                    answers.append(Answer(question: one.question, serial: serial))
                    close(one.socket)
                } else {
                    left.append(one)
                }
            }
            pending = left
        }
        return answers
    }

    /// A query for the SOA, without recursion.
    static func query(_ zone: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(word: UInt16.random(in: 0...UInt16.max))
        bytes += [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        bytes += WireName.joined(zone, below: [0])
        return bytes + [0, 6, 0, 1]
    }

    /// The serial of an authoritative answer to `query`; nil for any other message.
    static func serial(in message: [UInt8], to query: [UInt8]) -> UInt32? {
        guard message.count > query.count + 12, message.word(0) == query.word(0), message.word(2) & 0xf80f == 0x8000,
            message.word(2) & 0x0400 != 0, message.word(4) == 1, message.word(6) >= 1,
            message[12..<query.count].map({ $0 >= 65 && $0 <= 90 ? $0 | 32 : $0 }) == Array(query[12...])
        else { return nil }
        var at = query.count
        // The owner: a pointer to the question's name, or the name itself.
        if message[at] >= 192 {
            at += 2
        } else {
            while at < message.count, message[at] != 0, message[at] < 64 { at += 1 + Int(message[at]) }
            at += 1
        }
        guard at + 10 <= message.count, message.word(at) == 6, message.word(at + 2) == 1 else { return nil }
        let end = at + 10 + Int(message.word(at + 8))
        guard end <= message.count, end - at - 10 >= 22 else { return nil }
        return UInt32(message.word(end - 20)) << 16 | UInt32(message.word(end - 18))
    }
}

extension ZoneContent {
    /// The addresses that the zone's records give for the servers of its NS set.
    fileprivate var nameServerAddresses: [IPAddress] {
        let apex = WireName.joined(zone, below: [0])
        func lower(_ name: [UInt8]) -> [UInt8] { name.map { $0 >= 65 && $0 <= 90 ? $0 | 32 : $0 } }
        let servers = Set(records.filter { $0.type == 2 && $0.owner == apex }.map { lower($0.data) })
        var result: [IPAddress] = []
        for record in records where servers.contains(record.owner) {
            let address: IPAddress
            switch (record.type, record.data.count) {
            case (1, 4): address = IPAddress(v4: record.data.reduce(0) { $0 << 8 | UInt32($1) })
            case (28, 16):
                func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
                address = IPAddress(high: word(record.data[..<8]), low: word(record.data[8...]))
            default: continue
            }
            if !result.contains(address) { result.append(address) }
        }
        return result
    }
}
