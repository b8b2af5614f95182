import LDNSKit
import NIOCore
import ReflectorModel

/// Puts one question to the name servers in turn until one gives an answer to go by.
actor ServerQueries {
    /// How long one server is given.
    private static let tryTimeout = TimeSpan.milliseconds(400)
    private static let streamTimeout = TimeSpan.seconds(1)
    /// A server may ask for a fresh cookie this often before the next is asked.
    private static let cookieRetriesMax = 1
    private static let badCookie: UInt16 = 23
    private static let serverFailure: UInt8 = 2

    private let servers: [Endpoint]
    private let exchange: QueryExchange
    private var standing: ServerOrder
    private let clientCookies: [[UInt8]]
    private var serverCookies: [[UInt8]?]
    private var random = SystemRandomNumberGenerator()

    init(servers: [Endpoint], exchange: QueryExchange) {
        self.servers = servers
        self.exchange = exchange
        standing = ServerOrder(count: servers.count)
        clientCookies = servers.map { _ in OutgoingQuery.newClientCookie() }
        serverCookies = servers.map { _ in nil }
    }

    struct Outcome: Sendable {
        var reading: AnswerReading
        /// Additional section of the answer.
        var additional: [LDNSRecord]
    }

    /// - Parameter name: absolute, without the final dot.
    func ask(_ name: String, _ type: UInt16, until deadline: MonotonicInstant) async -> Result<Outcome, LookUpFailure> {
        var failure = LookUpFailure.timedOut
        while true {
            for index in standing.order(at: exchange.loop.instant) {
                let left = deadline - exchange.loop.instant
                guard left > .zero, !Task.isCancelled else { return .failure(failure) }
                guard let message = await ask(index, name, type, left: left) else { continue }
                let reading = AnswerReading(message, name: name.lowercased(), type: type)
                if case .lame(let rcode) = reading {
                    exchange.counters.add(to: .lame)
                    standing.failed(index, at: exchange.loop.instant)
                    failure = .serverFailure(rcode: rcode)
                    continue
                }
                return .success(Outcome(reading: reading, additional: message.additional))
            }
            // All have failed. Servers that refuse at once must not be asked in a tight circle.
            let left = deadline - exchange.loop.instant
            guard left > .zero, !servers.isEmpty else { return .failure(failure) }
            try? await Task.sleep(for: .nanoseconds(min(left, .milliseconds(100)).nanoseconds))
        }
    }

    private func ask(_ index: Int, _ name: String, _ type: UInt16, left: TimeSpan) async -> LDNSMessage? {
        for _ in 0...Self.cookieRetriesMax {
            guard
                let query = try? OutgoingQuery(
                    name: name, type: type, clientCookie: clientCookies[index], serverCookie: serverCookies[index],
                    random: &random)
            else { return nil }
            do throws(QueryExchange.Failure) {
                var answer = try await exchange.overUDP(query, to: servers[index], timeout: min(left, Self.tryTimeout))
                if case .answer(let message, _) = answer.reply, message.isTruncated {
                    let timeout = min(left, Self.streamTimeout)
                    answer = try await exchange.overTCP(query, to: servers[index], timeout: timeout)
                }
                guard case .answer(let message, let cookie) = answer.reply else { return nil }
                if let cookie { serverCookies[index] = cookie }
                if message.rcode == Self.badCookie {
                    exchange.counters.add(to: .badCookie)
                    continue
                }
                standing.succeeded(index, roundTrip: answer.roundTrip)
                return message
            } catch {
                // A server that no longer sends cookies is heard again from the next query on.
                serverCookies[index] = nil
                standing.failed(index, at: exchange.loop.instant)
                return nil
            }
        }
        standing.failed(index, at: exchange.loop.instant)
        return nil
    }
}
