import LDNSKit
import NIOCore
import ReflectorModel

/// Sends one question to the name servers in turn until one gives a usable answer.
actor ServerQueries {
    /// Time-outs of one query, over UDP and over TCP.
    private static let tryTimeout = TimeSpan.milliseconds(400)
    private static let streamTimeout = TimeSpan.seconds(1)
    /// How often a server may request a new cookie before the next server is queried.
    private static let cookieRetriesMax = 1
    private static let badCookie: UInt16 = 23
    private static let serverFailure: UInt8 = 2

    private let servers: [Endpoint]
    private let zone: String
    private let exchange: QueryExchange
    private var order: ServerOrder
    private let clientCookies: [[UInt8]]
    private var serverCookies: [[UInt8]?]
    private var random = SystemRandomNumberGenerator()

    init(servers: [Endpoint], zone: String, exchange: QueryExchange) {
        self.servers = servers
        self.zone = zone
        self.exchange = exchange
        order = ServerOrder(count: servers.count)
        clientCookies = servers.map { _ in OutgoingQuery.newClientCookie() }
        serverCookies = servers.map { _ in nil }
    }

    struct Outcome: Sendable {
        var reading: AnswerReading
        /// The answer's additional section.
        var additional: [LDNSRecord]
    }

    /// - Parameter name: absolute, without the final dot.
    func ask(
        _ name: String, _ type: UInt16, until deadline: MonotonicInstant
    ) async -> Result<Outcome, UnansweredLookUp> {
        var failure = LookUpFailure.timedOut
        var problems: [UnansweredLookUp.Problem?] = servers.map { _ in nil }
        func unanswered() -> UnansweredLookUp {
            let known = zip(servers, problems).compactMap { server, problem in
                problem.map { UnansweredLookUp.Server(endpoint: server, problem: $0) }
            }
            return UnansweredLookUp(name: name, zone: zone, failure: failure, problems: known)
        }
        while true {
            for index in order.indices(at: exchange.loop.instant) {
                let left = deadline - exchange.loop.instant
                guard left > .zero, !Task.isCancelled else { return .failure(unanswered()) }
                let message: LDNSMessage
                switch await ask(index, name, type, left: left) {
                case .success(let answer): message = answer
                case .failure(let cause):
                    problems[index] = .init(cause)
                    continue
                }
                let reading = AnswerReading(message, name: name.lowercased(), type: type)
                if case .lame(let rcode) = reading {
                    exchange.counters.add(to: .lame)
                    order.failed(index, at: exchange.loop.instant)
                    failure = .serverFailure(rcode: rcode)
                    problems[index] = .init(
                        rcode: UInt8(clamping: message.rcode), isAuthoritative: message.isAuthoritative)
                    continue
                }
                return .success(Outcome(reading: reading, additional: message.additional))
            }
            // All have failed. Servers that refuse at once must not be retried in a tight loop.
            let left = deadline - exchange.loop.instant
            guard left > .zero, !servers.isEmpty else { return .failure(unanswered()) }
            try? await Task.sleep(for: .nanoseconds(min(left, .milliseconds(100)).nanoseconds))
        }
    }

    /// How a query is sent.
    enum Transport {
        /// Over UDP, and over TCP if the answer is truncated.
        case datagrams
        /// Over TCP at once, for an answer that is known to be long.
        case stream
    }

    /// Asks one server only, once.
    /// - Parameter name: absolute, without the final dot.
    func ask(
        server index: Int, _ name: String, _ type: UInt16, over transport: Transport = .datagrams,
        until deadline: MonotonicInstant
    ) async -> Result<AnswerReading, QueryExchange.Failure> {
        let left = deadline - exchange.loop.instant
        guard servers.indices.contains(index), left > .zero else { return .failure(.timedOut) }
        return await ask(index, name, type, over: transport, left: left).map {
            AnswerReading($0, name: name.lowercased(), type: type)
        }
    }

    private func ask(
        _ index: Int, _ name: String, _ type: UInt16, over transport: Transport = .datagrams, left: TimeSpan
    ) async -> Result<LDNSMessage, QueryExchange.Failure> {
        for _ in 0...Self.cookieRetriesMax {
            guard
                let query = try? OutgoingQuery(
                    name: name, type: type, clientCookie: clientCookies[index], serverCookie: serverCookies[index],
                    random: &random)
            else { return .failure(.malformed) }
            do throws(QueryExchange.Failure) {
                var answer: QueryExchange.Answer
                switch transport {
                case .stream:
                    answer = try await exchange.overTCP(
                        query, to: servers[index], timeout: min(left, Self.streamTimeout))
                case .datagrams:
                    answer = try await exchange.overUDP(
                        query, to: servers[index], timeout: min(left, Self.tryTimeout))
                    if case .answer(let message, _) = answer.reply, message.isTruncated {
                        let timeout = min(left, Self.streamTimeout)
                        answer = try await exchange.overTCP(query, to: servers[index], timeout: timeout)
                    }
                }
                guard case .answer(let message, let cookie) = answer.reply else { return .failure(.malformed) }
                if let cookie { serverCookies[index] = cookie }
                if message.rcode == Self.badCookie {
                    exchange.counters.add(to: .badCookie)
                    continue
                }
                order.succeeded(index, roundTrip: answer.roundTrip)
                return .success(message)
            } catch {
                // The answer to the next query needs no cookie: the server may no longer send cookies.
                serverCookies[index] = nil
                order.failed(index, at: exchange.loop.instant)
                return .failure(error)
            }
        }
        order.failed(index, at: exchange.loop.instant)
        return .failure(.malformed)
    }
}

extension UnansweredLookUp.Problem {
    fileprivate init(_ failure: QueryExchange.Failure) {
        switch failure {
        case .timedOut: self = .silent
        case .unreachable: self = .unreachable
        case .malformed: self = .malformed
        }
    }
}
