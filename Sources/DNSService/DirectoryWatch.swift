import Glibc
import NIOCore
import NIOPosix

/// Tells when files of a directory have been written, renamed or removed (inotify), once they have settled: nothing
/// for 200 ms, but no later than 600 ms after the first change, however busy the directory.
final class DirectoryWatch: Sendable {
    static let settle = TimeAmount.milliseconds(200)
    static let settleMost = TimeAmount.milliseconds(600)
    /// How often a directory that has gone away is looked for.
    static let searchInterval = TimeAmount.seconds(1)

    struct Failure: Error, CustomStringConvertible {
        var directory: String
        var code: Int32
        var description: String { "\(directory): can't be watched: \(String(cString: strerror(code)))" }
    }

    private let channel: any Channel

    /// - Parameter changed: called on an event loop when the directory has changed and settled.
    init(
        _ directory: String, group: any EventLoopGroup, changed: @escaping @Sendable () -> Void
    ) async throws {
        let notifier = inotify_init1(Int32(IN_NONBLOCK) | Int32(bitPattern: UInt32(IN_CLOEXEC)))
        guard notifier >= 0 else { throw Failure(directory: directory, code: errno) }
        guard Self.watch(directory, notifier) else {
            let code = errno
            close(notifier)
            throw Failure(directory: directory, code: code)
        }
        channel = try await NIOPipeBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        SettlingHandler(changed: changed) { Self.watch(directory, notifier) })
                }
            }
            .takingOwnershipOfDescriptor(input: notifier).get()
    }

    func stop() async { try? await channel.close().get() }

    private static func watch(_ directory: String, _ notifier: Int32) -> Bool {
        let events = UInt32(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF)
        return inotify_add_watch(notifier, directory, events) >= 0
    }
}

/// Waits until changes have settled, and finds a directory again that was replaced by another of its name.
private final class SettlingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let changed: @Sendable () -> Void
    private let watchAgain: @Sendable () -> Bool
    private var firstChange: NIODeadline?
    private var timer: Scheduled<Void>?

    init(changed: @escaping @Sendable () -> Void, watchAgain: @escaping @Sendable () -> Bool) {
        self.changed = changed
        self.watchAgain = watchAgain
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var events = unwrapInboundIn(data)
        var isGone = false
        // struct inotify_event: descriptor, mask, cookie, length of the name that follows.
        while let header = events.readMultipleIntegers(endianness: .host, as: (Int32, UInt32, UInt32, UInt32).self) {
            if header.1 & UInt32(IN_IGNORED | IN_MOVE_SELF) != 0 { isGone = true }
            events.moveReaderIndex(forwardBy: min(Int(header.3), events.readableBytes))
        }
        if isGone { search(context) }
        note(context)
    }

    func channelInactive(context: ChannelHandlerContext) { timer?.cancel() }

    private func note(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        let first = firstChange ?? now
        firstChange = first
        timer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let due = min(now + DirectoryWatch.settle, first + DirectoryWatch.settleMost)
        timer = context.eventLoop.scheduleTask(deadline: due) {
            bound.value.firstChange = nil
            bound.value.changed()
        }
    }

    private func search(_ context: ChannelHandlerContext) {
        if watchAgain() { return note(context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: DirectoryWatch.searchInterval) {
            let (handler, context) = bound.value
            if context.channel.isActive { handler.search(context) }
        }
    }
}
