import Foundation
import Glibc
import Logging
import Synchronization
import ZoneCompiler

/// Reports a change of a folder's files once they have settled: after 200 ms without a change, but at most 600 ms after
/// the first change. It follows the folder's path, not its inode: symbolic links on the path may be swapped (git-sync,
/// ConfigMaps, `current`), the folder may be replaced, and links in it or their targets may be written (`FolderPlan`).
/// A poll every 30 s finds changes that inotify does not report, for example on network file systems.
final class DirectoryWatch: Sendable {
    /// Options of a watch.
    struct Options: Sendable {
        var settle = Duration.milliseconds(200)
        var settleMost = Duration.milliseconds(600)
        /// Polling interval with inotify.
        var poll = Duration.seconds(30)
        /// Polling interval without inotify.
        var pollAlone = Duration.seconds(2)
        /// False disables inotify.
        var usesNotices = true
    }

    /// Closing it ends the thread; -1 once closed.
    private let stopDescriptor: Mutex<Int32>

    /// - Parameter changed: called on a thread of the watch when the folder has changed and settled.
    init(
        _ directory: String, options: Options = Options(), logger: Logger, changed: @escaping @Sendable () -> Void
    ) throws(SerialStore.Failure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .init(path: directory, operation: "pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        stopDescriptor = Mutex(ends[1])
        let stop = ends[0]
        let path = FolderPlan.absolute(directory)
        let before = FolderSignature(path)
        let thread = Thread {
            var loop = WatchLoop(path: path, options: options, stop: stop, signature: before, logger: logger)
            loop.run(changed)
        }
        thread.name = "zones-watch"
        thread.start()
    }

    func stop() {
        stopDescriptor.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    deinit { stop() }
}

/// The state of the watch's thread.
private struct WatchLoop {
    /// Maximum number of inotify watches; only polls find changes in files and directories beyond it.
    private static let watchesMax = 4_096

    private let path: String
    private let options: DirectoryWatch.Options
    private let stop: Int32
    private let logger: Logger
    /// inotify descriptor; -1 if there is none.
    private let notices: Int32
    private var plan: FolderPlan?
    /// The purpose of each watch, by its descriptor; nil for a file.
    private var watches: [Int32: FolderPlan.Interest?] = [:]
    private var signature: FolderSignature
    private var firstChange: ContinuousClock.Instant?
    private var due: ContinuousClock.Instant?
    /// inotify or a poll has found a change that is not yet reported. The change is reported even if the next look
    /// finds the same signature.
    private var isFileTold = false
    private var nextPoll = ContinuousClock.now

    init(path: String, options: DirectoryWatch.Options, stop: Int32, signature: FolderSignature, logger: Logger) {
        self.path = path
        self.options = options
        self.stop = stop
        self.logger = logger
        self.signature = signature
        notices =
            options.usesNotices ? inotify_init1(Int32(IN_NONBLOCK) | Int32(bitPattern: UInt32(IN_CLOEXEC))) : -1
        if notices < 0, options.usesNotices {
            logger.warning(
                "inotify unavailable: polling every \(options.pollAlone); raise fs.inotify.max_user_instances",
                metadata: ["folder": "\(path)", "why": "\(String(cString: strerror(errno)))"])
        }
    }

    mutating func run(_ changed: () -> Void) {
        defer {
            close(stop)
            if notices >= 0 { close(notices) }
        }
        // The first poll is due at once: the signature shows changes that were made before the first watch was set.
        nextPoll = .now
        while true {
            var now = ContinuousClock.now
            if let due, now >= due {
                let isDifferent = look()
                if isDifferent, notices < 0, let firstChange, now < firstChange + options.settleMost {
                    settle()
                } else {
                    (self.due, firstChange) = (nil, nil)
                    if isDifferent || isFileTold { changed() }
                    isFileTold = false
                }
            } else if now >= nextPoll {
                // The writer may not have finished yet.
                if look() {
                    isFileTold = true
                    settle()
                }
                nextPoll = now + (notices >= 0 ? options.poll : options.pollAlone)
            }
            now = .now
            guard wait(until: min(due ?? nextPoll, nextPoll), from: now) else { return }
        }
    }

    /// Sets the watches again. True if the files have changed since the previous call.
    private mutating func look() -> Bool {
        setWatches()
        let found = FolderSignature(path)
        defer { signature = found }
        return found != signature
    }

    /// Waits until `wake` or for inotify events, and processes these. False if the watch must end.
    private mutating func wait(until wake: ContinuousClock.Instant, from now: ContinuousClock.Instant) -> Bool {
        let (seconds, attoseconds) = max(wake - now, .zero).components
        let milliseconds = min(seconds, 3_600) * 1_000 + attoseconds / 1_000_000_000_000_000 + 1
        var descriptors = [
            pollfd(fd: stop, events: Int16(POLLIN), revents: 0), pollfd(fd: notices, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&descriptors, 2, Int32(clamping: milliseconds)) >= 0 || errno == EINTR else { return false }
        if descriptors[0].revents != 0 { return false }
        if descriptors[1].revents != 0 { readNotices() }
        return true
    }

    // MARK: inotify events

    private mutating func readNotices() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(notices, &buffer, buffer.count)
            guard count > 0 else { return }
            var at = 0
            // struct inotify_event: descriptor, mask, cookie, length of the name that follows.
            while at + 16 <= count {
                let words = buffer.withUnsafeBytes { bytes in
                    (0..<4).map { bytes.loadUnaligned(fromByteOffset: at + 4 * $0, as: UInt32.self) }
                }
                let end = min(at + 16 + Int(words[3]), count)
                let name = String(decoding: buffer[(at + 16)..<end].prefix { $0 != 0 }, as: UTF8.self)
                note(Int32(bitPattern: words[0]), mask: words[1], name: name)
                at = end
            }
        }
    }

    private mutating func note(_ watch: Int32, mask: UInt32, name: String) {
        let isLost = mask & UInt32(IN_Q_OVERFLOW) != 0
        guard isLost || watches[watch] != nil else { return }
        if isLost {
            isFileTold = true
        } else if let interest = watches[watch] ?? nil {
            if !name.isEmpty {
                let isPart = interest.isFolder && ZoneDirectory.isPart(name) && isWhole(name, mask)
                guard isPart || interest.names.contains(name) else { return }
                if isPart { isFileTold = true }
            }
        } else if mask & UInt32(IN_CLOSE_WRITE) != 0 {
            isFileTold = true
        }
        settle()
    }

    /// Restarts the quiet period.
    private mutating func settle() {
        let now = ContinuousClock.now
        let first = firstChange ?? now
        firstChange = first
        due = min(now + options.settle, first + options.settleMost)
    }

    /// False for a new regular file, since its content has yet to be written. A symbolic or hard link is complete as
    /// soon as it exists.
    private func isWhole(_ name: String, _ mask: UInt32) -> Bool {
        guard mask & UInt32(IN_CREATE) != 0 else { return true }
        guard let folder = plan?.folder else { return true }
        var status = stat()
        guard lstat(folder + "/" + name, &status) == 0 else { return true }
        return status.st_mode & S_IFMT != S_IFREG || status.st_nlink > 1
    }

    private mutating func setWatches() {
        guard notices >= 0 else { return }
        let next = FolderPlan(path)
        // A watch ends with its inode, so watches are set again even if the plan is the same.
        plan = next
        let forDirectories =
            IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_MOVE_SELF
            | IN_DELETE_SELF
        let forFiles = IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF
        var found: [Int32: FolderPlan.Interest?] = [:]
        for (directory, interest) in next.directories.sorted(by: { $0.key < $1.key })
        where found.count < Self.watchesMax {
            let watch = inotify_add_watch(notices, directory, UInt32(forDirectories) | UInt32(IN_ONLYDIR))
            guard watch >= 0 else { continue }
            // Two paths may lead to one directory (bind mounts).
            var whole = (found[watch] ?? nil) ?? FolderPlan.Interest()
            whole.names.formUnion(interest.names)
            whole.isFolder = whole.isFolder || interest.isFolder
            found[watch] = .some(whole)
        }
        for file in next.files where found.count < Self.watchesMax {
            let watch = inotify_add_watch(notices, file, UInt32(forFiles))
            if watch >= 0, found[watch] == nil { found[watch] = .some(nil) }
        }
        for watch in watches.keys where found[watch] == nil { inotify_rm_watch(notices, watch) }
        watches = found
    }
}
