import NIOCore

/// Back-pressure: stops reading from a connection while its session is not ready. It is the first handler of the
/// pipeline.
final class ReadBackPressure: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = Never

    private var isOpen: Bool
    private var isWaiting = false
    private var context: ChannelHandlerContext?

    init(isOpen: Bool = true) { self.isOpen = isOpen }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if isOpen { context.read() } else { isWaiting = true }
    }

    func set(open: Bool) {
        isOpen = open
        guard open, isWaiting, let context else { return }
        isWaiting = false
        context.read()
    }
}
