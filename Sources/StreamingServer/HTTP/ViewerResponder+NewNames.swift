import HTTPTypes
import Hummingbird
import NIOCore
import ReflectorModel

/// Viewers who ask for streams that are not here: a few at once, the rest a little later, too many not at all.
extension ViewerResponder {
    /// False if the viewer's address has asked for too many names.
    func mayAsk(for name: StreamName, _ context: ViewerContext) async -> Bool {
        guard !hub.holds(name) else { return true }
        switch hub.newNames.ask(IPAddress(context.channel.remoteAddress), at: .now) {
        case .admitted: return true
        case .wait(let span):
            hub.count("names_delayed")
            try? await Task.sleep(for: span)
            // Whoever has gone meanwhile needs no stream.
            return !Task.isCancelled && context.channel.isActive
        case .refused:
            hub.count("names_refused")
            return false
        }
    }

    /// What was asked for has come.
    func refund(_ viewer: StreamViewer, _ context: ViewerContext) {
        if viewer.isCold { hub.newNames.refund(IPAddress(context.channel.remoteAddress), at: .now) }
    }

    func tooManyNames(_ name: StreamName) -> Response {
        var response = Self.text(
            .tooManyRequests, "Your address asks for too many streams that are not here; \(name) was not looked for.")
        response.headers[.retryAfter] = "2"
        return response
    }
}

extension IPAddress {
    /// Of a connection's other end; nil for other kinds of sockets.
    init?(_ address: SocketAddress?) {
        guard let text = address?.ipAddress else { return nil }
        self.init(text.prefix { $0 != "%" })
    }
}
