import Glibc
import Logging
import NIOCore
import NIOPosix

/// Tells when files of a directory may have changed, once they have settled: nothing for 200 ms, but no later than 600 ms
/// after the first change, however busy the directory.
///
/// It follows the *path*: every directory that holds a component of it is watched (`PathTrace`), and what is watched is
/// found out again after each change. A slow poll finds what inotify does not tell, and is all there is where the
/// system has no inotify instance left.
final class DirectoryWatch: Sendable {
    static let settle = TimeAmount.milliseconds(200)
    static let settleMost = TimeAmount.milliseconds(600)
    static let pollInterval = TimeAmount.seconds(30)

    private let loop: any EventLoop
    private let watcher: NIOLoopBound<Watcher>
    private let channel: (any Channel)?

    /// - Parameter changed: called on an event loop when something has changed and settled.
    init(
        _ directory: String, poll: TimeAmount = pollInterval, group: any EventLoopGroup, logger: Logger,
        changed: @escaping @Sendable () -> Void
    ) async throws {
        let loop = group.next()
        self.loop = loop
        let notifier = inotify_init1(Int32(IN_NONBLOCK) | Int32(bitPattern: UInt32(IN_CLOEXEC)))
        if notifier < 0 {
            logger.warning(
                "no inotify: changes of the zone files are noticed by a poll; raise fs.inotify.max_user_instances",
                metadata: ["every": "\(poll.nanoseconds / 1_000_000_000) s", "error": "\(String(cString: strerror(errno)))"])
        }
        watcher = try await loop.submit {
            let watcher = Watcher(directory, notifier: notifier, loop: loop, changed: changed)
            watcher.start(poll: poll)
            return NIOLoopBound(watcher, eventLoop: loop)
        }.get()
        guard notifier >= 0 else {
            channel = nil
            return
        }
        let watcher = watcher
        channel = try await NIOPipeBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(EventReader(watcher: watcher.value))
                }
            }
            .takingOwnershipOfDescriptor(input: notifier).get()
    }

    func stop() async {
        let watcher = watcher
        try? await loop.submit { watcher.value.stop() }.get()
        try? await channel?.close().get()
    }
}

/// The watch's part on its loop: what is watched, and whether changes have settled.
private final class Watcher {
    private static let events = UInt32(
        IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF)

    private let directory: String
    private let notifier: Int32
    private let loop: any EventLoop
    private let changed: @Sendable () -> Void
    private var trace: PathTrace?
    /// Names that matter, by watch descriptor; nil for all.
    private var names: [Int32: Set<String>?] = [:]
    private var fingerprint: DirectoryFingerprint
    private var firstChange: NIODeadline?
    private var timer: Scheduled<Void>?
    private var poll: RepeatedTask?

    init(_ directory: String, notifier: Int32, loop: any EventLoop, changed: @escaping @Sendable () -> Void) {
        self.directory = directory
        self.notifier = notifier
        self.loop = loop
        self.changed = changed
        fingerprint = DirectoryFingerprint(directory)
    }

    func start(poll interval: TimeAmount) {
        renew()
        let bound = NIOLoopBound(self, eventLoop: loop)
        poll = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in bound.value.lookForChanges() }
    }

    func stop() {
        poll?.cancel()
        timer?.cancel()
    }

    /// Takes one event of inotify.
    func take(descriptor: Int32, mask: UInt32, name: String) {
        if mask & UInt32(IN_Q_OVERFLOW) != 0 { return noteChange() }
        guard let wanted = names[descriptor] else { return }
        // An event without a name is about the directory itself.
        if let wanted, !name.isEmpty, !wanted.contains(name) { return }
        if mask & UInt32(IN_IGNORED) != 0 { names[descriptor] = nil }
        noteChange()
    }

    private func noteChange() {
        let now = NIODeadline.now()
        let first = firstChange ?? now
        firstChange = first
        timer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(deadline: min(now + DirectoryWatch.settle, first + DirectoryWatch.settleMost)) {
            bound.value.settled()
        }
    }

    private func settled() {
        firstChange = nil
        renew()
        fingerprint = DirectoryFingerprint(directory)
        changed()
    }

    private func lookForChanges() {
        renew()
        guard fingerprint != DirectoryFingerprint(directory) else { return }
        noteChange()
    }

    /// Watches what the path leads through by now, and nothing else.
    private func renew() {
        guard notifier >= 0 else { return }
        let trace = PathTrace(directory)
        // A descriptor that was removed with its directory is watched again, although the path is the same.
        guard trace != self.trace || names.count != trace.names.count else { return }
        self.trace = trace
        var watched: [Int32: Set<String>?] = [:]
        for (path, wanted) in trace.names {
            let descriptor = inotify_add_watch(notifier, path, Self.events | UInt32(IN_ONLYDIR))
            // Without permission to read a directory it can't be watched; the poll is left.
            guard descriptor >= 0 else { continue }
            watched[descriptor] = .some(wanted)
        }
        for descriptor in names.keys where watched[descriptor] == nil { inotify_rm_watch(notifier, descriptor) }
        names = watched
    }
}

/// Reads inotify's events from its descriptor.
private final class EventReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let watcher: Watcher

    init(watcher: Watcher) { self.watcher = watcher }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var events = unwrapInboundIn(data)
        // struct inotify_event: descriptor, mask, cookie, length of the name that follows, padded with NUL.
        while let header = events.readMultipleIntegers(endianness: .host, as: (Int32, UInt32, UInt32, UInt32).self) {
            let name = events.readBytes(length: min(Int(header.3), events.readableBytes)) ?? []
            watcher.take(
                descriptor: header.0, mask: header.1, name: String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
        }
    }
}
