import Synchronization

/// Opens when all events that a daemon waits for at its start have happened.
final class CountDownLatch: Sendable {
    private let missing: Mutex<Int>
    private let onOpen: @Sendable () -> Void

    /// - Parameter count: events to wait for, at least 1.
    init(count: Int, onOpen: @escaping @Sendable () -> Void) {
        missing = Mutex(count)
        self.onOpen = onOpen
    }

    /// One of the events has happened.
    func arrived() {
        let isOpening = missing.withLock { missing in
            missing -= 1
            return missing == 0
        }
        if isOpening { onOpen() }
    }
}
