import CDatagram
import Glibc

extension DatagramLoop {
    /// Runs the loop on a thread of its own and returns at once. The handler stays on that thread: code that needs it
    /// later passes work to `execute` or `query`, and opens the returned `LoopBound` there.
    /// - Parameter name: the thread's name, at most 15 bytes, as `top -H` shows it.
    @discardableResult
    public func start<Handler: DatagramHandler>(
        handler: sending Handler, name: String = "datagrams"
    ) throws(DatagramError) -> LoopBound<Handler> {
        let bound = LoopBound(handler, loop: self)
        let task = ThreadTask(loop: self, handler: bound.handedOver, name: name)
        let opaque = Unmanaged.passRetained(task).toOpaque()
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { opaque in
                guard let opaque else { return nil }
                let task = Unmanaged<ThreadTask>.fromOpaque(opaque).takeRetainedValue()
                cdg_thread_set_name(task.name)
                task.loop.run(handler: task.handler)
                return nil
            }, opaque)
        guard code == 0 else {
            Unmanaged<ThreadTask>.fromOpaque(opaque).release()
            throw DatagramError(operation: "pthread_create", code: code, subject: name)
        }
        pthread_detach(thread)
        return bound
    }
}

/// The arguments of a new thread.
private final class ThreadTask {
    let loop: DatagramLoop
    let handler: any DatagramHandler
    let name: String

    init(loop: DatagramLoop, handler: any DatagramHandler, name: String) {
        self.name = name
        self.loop = loop
        self.handler = handler
    }
}

/// The signal that a loop has ended. It is raised once, and threads may wait for it.
///
/// `@unchecked Sendable`: the only mutable state is read and written between lock and unlock of `mutex`.
final class EndSignal: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var raised = false

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func raise() {
        pthread_mutex_lock(mutex)
        raised = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    func wait() {
        pthread_mutex_lock(mutex)
        while !raised { pthread_cond_wait(condition, mutex) }
        pthread_mutex_unlock(mutex)
    }
}
