import DatagramIO
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ReflectorModel

/// The address of the connection, in addition to the request.
struct HandoverContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// Answers the requests of streaming servers. Only addresses of `requesters` get another answer than 403.
struct HandoverResponder: HTTPResponder {
    typealias Context = HandoverContext

    /// Longest time between two looks at whether the first byte has come.
    private static let lookIntervalMax = Duration.milliseconds(50)

    let configuration: HandoverConfiguration
    let handover: RunningHandover
    let counters: HandoverCounters
    let logger: Logger

    func respond(to request: Request, context: HandoverContext) async throws -> Response {
        var form = HandoverCall.Form.text
        do throws(HandoverRefusal) {
            guard let server = context.channel.remoteAddress?.ipAddress.flatMap({ IPAddress($0.prefix { $0 != "%" }) }),
                configuration.requesters.contains(where: { $0.contains(server) })
            else { throw .notAllowed }
            guard let body = try? await request.body.collect(upTo: HandoverCall.bodyBytesMax) else {
                throw .malformed
            }
            form = request.uri.path == "/hooks/srs" ? .srs : .text
            let call = try HandoverCall(
                method: request.method.rawValue, path: request.uri.path, query: request.uri.query ?? "",
                body: Array(body.readableBytesView))
            return try await respond(to: call, of: server)
        } catch {
            counters.count(error.counter)
            logger.warning("request refused", metadata: ["reason": "\(error.rawValue)"])
            return answer(error.status, error.text, form)
        }
    }

    private func respond(to call: HandoverCall, of server: IPAddress) async throws(HandoverRefusal) -> Response {
        switch call.action {
        case .ask(let stream, let id, let waits):
            let lifetime = min(call.lifetime ?? configuration.lifetime, configuration.lifetimeMax)
            let order = HandoverOrder(
                stream: stream, requester: try requester(server, id), wanted: call.wanted, isV4: call.isV4,
                lifetime: max(lifetime, .seconds(1)))
            return try await ask(order, waits: waits, form: call.form)
        case .withdraw(let stream, let id):
            let requester = try requester(server, id)
            let count = await handover.withdraw(stream, at: call.wanted, by: requester)
            return answer(200, count > 0 ? "withdrawn" : "there was no such request", call.form)
        case .withdrawAll(let id):
            let requester = try requester(server, id)
            _ = await handover.withdrawAll(of: requester)
            return answer(200, "withdrawn", call.form)
        case .renewAll(let prefix):
            let count = await handover.renewAll(of: server, prefix: prefix)
            return answer(200, "\(count) renewed", call.form)
        case .list: return list(await handover.outputs())
        case .ignore: return answer(200, "accepted", call.form)
        }
    }

    private func ask(
        _ order: HandoverOrder, waits: Bool, form: HandoverCall.Form
    ) async throws(HandoverRefusal) -> Response {
        let destination = try await handover.ask(order)
        let deadline = ContinuousClock.now + (waits ? configuration.firstByteWait : .zero)
        var interval = Duration.milliseconds(5)
        while true {
            switch await handover.progress(of: order.stream, at: destination.endpoint) {
            case .flowing: return answer(200, destination.url, form)
            case .absent(let reason): return answer(404, "stream \(order.stream) is not here: \(reason)", form)
            case .waiting: break
            case nil: throw .unavailable
            }
            guard ContinuousClock.now < deadline, !Task.isCancelled else { return answer(202, destination.url, form) }
            try? await Task.sleep(for: interval)
            interval = min(interval * 2, Self.lookIntervalMax)
        }
    }

    private func requester(_ server: IPAddress, _ id: String) throws(HandoverRefusal) -> Requester {
        guard let requester = Requester(server: server, id: id) else { throw .malformed }
        return requester
    }

    // MARK: Answers

    private func list(_ outputs: [OutputStatus]) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(outputs) else { return answer(500, "the list cannot be encoded", .text) }
        return body(200, String(decoding: data, as: UTF8.self), type: "application/json")
    }

    private func answer(_ status: Int, _ text: String, _ form: HandoverCall.Form) -> Response {
        switch form {
        case .text: return body(status, text, type: "text/plain; charset=utf-8")
        case .srs:
            // SRS accepts only status 200 with code 0.
            let isGood = (200...299).contains(status)
            return body(
                isGood ? 200 : status, isGood ? #"{"code":0}"# : #"{"code":\#(status)}"#, type: "application/json")
        }
    }

    private func body(_ status: Int, _ text: String, type: String) -> Response {
        let buffer = ByteBuffer(string: text + "\n")
        var headers: HTTPFields = [
            .contentType: type, .contentLength: "\(buffer.readableBytes)", .cacheControl: "no-store",
        ]
        if status == 429 || status == 503 { headers[.retryAfter] = "5" }
        return Response(status: .init(code: status), headers: headers, body: ResponseBody(byteBuffer: buffer))
    }
}
