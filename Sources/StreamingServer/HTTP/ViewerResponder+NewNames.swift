import HTTPTypes
import Hummingbird
import NIOCore
import ReflectorModel

/// Requests for streams that are not here: a few pass at once, more are delayed, too many are refused.
extension ViewerResponder {
    /// Waits, if necessary, until the viewer's address may request a new name. False if the address has requested too
    /// many, or if the viewer leaves meanwhile.
    func mayAsk(for name: StreamName, _ context: ViewerContext) async -> Bool {
        guard !hub.holds(name) else { return true }
        switch hub.newNames.ask(IPAddress(context.channel.remoteAddress), at: .now) {
        case .admitted: return true
        case .wait(let span):
            hub.count("names_delayed")
            try? await Task.sleep(for: span)
            // A viewer that has left in the meantime needs no stream.
            return !Task.isCancelled && context.channel.isActive
        case .refused:
            hub.count("names_refused")
            return false
        }
    }

    /// Refunds the cost of a new name, because the requested stream has arrived.
    func refund(_ viewer: StreamViewer, _ context: ViewerContext) {
        if viewer.isCold { hub.newNames.refund(IPAddress(context.channel.remoteAddress), at: .now) }
    }

    func tooManyNames(_ name: StreamName) -> Response {
        var response = Self.text(
            .tooManyRequests, "Your address requests too many streams that are not here; \(name) was not looked up.")
        response.headers[.retryAfter] = "2"
        return response
    }
}

extension IPAddress {
    /// The address of a connection's peer; nil if the socket is not an IP socket.
    init?(_ address: SocketAddress?) {
        guard let text = address?.ipAddress else { return nil }
        self.init(text.prefix { $0 != "%" })
    }
}
