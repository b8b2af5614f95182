import CCurl
import Foundation
import Synchronization

/// The thread that runs all transfers with libcurl's multi interface. It starts with the first transfer and never ends.
final class CurlThread: Sendable {
    static let shared = CurlThread()

    /// Maximum number of simultaneous transfers.
    static let transfersMax = 4_096

    /// Requests that tasks send to the thread.
    enum Command: Sendable {
        case start(HTTPFetch, Exchange)
        case resume(Exchange)
        case cancel(Exchange)
    }

    private let inbox = Mutex<[Command]>([])
    /// Other threads only call curl_multi_wakeup with it, which is safe from any thread.
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer

    private init() {
        // Both fail only if memory is exhausted.
        guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK, let multi = curl_multi_init() else {
            fatalError("libcurl does not start: no memory")
        }
        self.multi = multi
        let thread = Thread { self.run() }
        thread.name = "http-fetch"
        thread.start()
    }

    /// May be called from any thread. The thread executes commands in order.
    func post(_ command: Command) {
        inbox.withLock { $0.append(command) }
        curl_multi_wakeup(multi)
    }

    private func run() {
        // Other threads handle signals. On this thread, a write to a closed connection returns an error and raises no
        // SIGPIPE.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, nil)
        var transfers = CurlTransfers(multi)
        while true {
            for command in inbox.withLock({ commands in
                defer { commands = [] }
                return commands
            }) {
                transfers.execute(command)
            }
            transfers.perform()
            transfers.endIdle(at: .now)
            curl_multi_poll(multi, nil, 0, transfers.wait(from: .now), nil)
        }
    }
}

/// The running transfers.
private struct CurlTransfers {
    private let multi: UnsafeMutableRawPointer
    private var transfers: [ObjectIdentifier: CurlTransfer] = [:]

    init(_ multi: UnsafeMutableRawPointer) { self.multi = multi }

    mutating func execute(_ command: CurlThread.Command) {
        switch command {
        case .start(let fetch, let exchange): start(fetch, exchange)
        case .resume(let exchange):
            guard let transfer = transfers[ObjectIdentifier(exchange)] else { return }
            let code = transfer.resume(at: .now)
            if code != CURLE_OK { end(transfer, code) }
        case .cancel(let exchange):
            guard let transfer = transfers[ObjectIdentifier(exchange)] else { return }
            end(transfer, CURLE_ABORTED_BY_CALLBACK)
        }
    }

    private mutating func start(_ fetch: HTTPFetch, _ exchange: Exchange) {
        guard !exchange.hasEnded else { return }
        guard transfers.count < CurlThread.transfersMax else { return exchange.finish(.failure(.tooManyFetches)) }
        do {
            let transfer = try CurlTransfer(fetch, exchange, at: .now)
            guard curl_multi_add_handle(multi, transfer.easy) == CURLM_OK else {
                return transfer.finish(CURLE_FAILED_INIT)
            }
            transfers[ObjectIdentifier(exchange)] = transfer
        } catch {
            exchange.finish(.failure(error))
        }
    }

    /// Reads and writes on all sockets that are ready.
    mutating func perform() {
        var running: Int32 = 0
        curl_multi_perform(multi, &running)
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE,
                let context = reflector_curl_context(message.pointee.easy_handle)
            else { continue }
            // Read before the handle is removed, which removes the message too.
            let code = message.pointee.data.result
            end(Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue(), code)
        }
    }

    /// Ends the transfers whose servers have been silent for too long.
    mutating func endIdle(at now: ContinuousClock.Instant) {
        let idle = transfers.values.filter { transfer in transfer.idleDeadline.map { $0 <= now } ?? false }
        for transfer in idle { end(transfer, CURLE_OPERATION_TIMEDOUT) }
    }

    /// Milliseconds until the next idle time-out, at most a minute; libcurl handles its own time-outs.
    func wait(from now: ContinuousClock.Instant) -> Int32 {
        let next = transfers.values.compactMap(\.idleDeadline).min() ?? now + .seconds(60)
        return Int32((min(max(next - now, .zero), .seconds(60)) / .milliseconds(1)).rounded(.up))
    }

    private mutating func end(_ transfer: CurlTransfer, _ code: CURLcode) {
        transfers[ObjectIdentifier(transfer.exchange)] = nil
        curl_multi_remove_handle(multi, transfer.easy)
        transfer.finish(code)
    }
}
