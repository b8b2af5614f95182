import CCurl
import NIOHTTP1

/// Owns an easy handle of libcurl from the request to the end of its answer. Used only on libcurl's thread.
final class CurlTransfer {
    let easy: UnsafeMutableRawPointer
    let exchange: Exchange
    private let idleTimeout: Duration?
    private var fields: UnsafeMutablePointer<curl_slist>?
    private var headReader = AnswerHeadReader()
    /// The reason why a receiver ended the transfer.
    private var failure: HTTPFetchFailure?
    private var isPaused = false
    private var lastProgress: ContinuousClock.Instant

    init(_ fetch: HTTPFetch, _ exchange: Exchange, at now: ContinuousClock.Instant) throws(HTTPFetchFailure) {
        guard let easy = curl_easy_init() else { throw .libcurl(CURLE_OUT_OF_MEMORY.rawValue) }
        (self.easy, self.exchange) = (easy, exchange)
        (idleTimeout, lastProgress) = (fetch.idleTimeout, now)
        try configure(fetch)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(fields)
    }

    /// When the server's silence exceeds the limit; nil while silence is allowed.
    var idleDeadline: ContinuousClock.Instant? {
        guard let idleTimeout, !isPaused else { return nil }
        return lastProgress + idleTimeout
    }

    /// Gives the reader the bytes for which it had no room. If this fails, the transfer ends with the returned code.
    func resume(at now: ContinuousClock.Instant) -> CURLcode {
        guard isPaused else { return CURLE_OK }
        // libcurl calls the receiver inside `reflector_curl_resume`, and the receiver may pause the transfer again.
        (isPaused, lastProgress) = (false, now)
        return reflector_curl_resume(easy)
    }

    /// Reports the end to the reader.
    func finish(_ code: CURLcode) { exchange.finish(result(of: code)) }

    private func result(of code: CURLcode) -> Result<Void, HTTPFetchFailure> {
        if let failure { return .failure(failure) }
        return switch code {
        case CURLE_OK: .success(())
        case CURLE_OPERATION_TIMEDOUT: .failure(.timedOut)
        case CURLE_COULDNT_CONNECT:
            .failure(.notConnected(errno: Int32(truncatingIfNeeded: reflector_curl_errno(easy))))
        // Older and newer versions of libcurl have different codes for a line longer than libcurl's own limit (100 kB).
        case CURLE_OUT_OF_MEMORY, CURLcode(100): .failure(.headTooLong)
        default: .failure(.libcurl(code.rawValue))
        }
    }

    private func receiveHead(_ line: UnsafeRawBufferPointer) -> Bool {
        lastProgress = .now
        do {
            if let head = try headReader.take(line) { exchange.receive(head) }
            return true
        } catch {
            failure = error
            return false
        }
    }

    private func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Exchange.Receipt {
        lastProgress = .now
        // No reader waits for a body without a head, so the transfer would never end.
        guard headReader.isComplete else {
            failure = .headMalformed
            return .ended
        }
        let receipt = exchange.receive(bytes)
        if receipt == .full { isPaused = true }
        return receipt
    }
}

// MARK: Options

extension CurlTransfer {
    private func configure(_ fetch: HTTPFetch) throws(HTTPFetchFailure) {
        try set(CURLOPT_URL, fetch.url)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        // Ignores the proxies that environment variables set.
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_NOSIGNAL, 1)
        // A connection or address of one request must not affect the next one.
        try set(CURLOPT_FRESH_CONNECT, 1)
        try set(CURLOPT_FORBID_REUSE, 1)
        try set(CURLOPT_DNS_CACHE_TIMEOUT, 0)
        // Otherwise the end of one transfer would wait for its name look-up, and all other transfers would wait too.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_CONNECTTIMEOUT_MS, fetch.connectTimeout.milliseconds)
        if let timeout = fetch.timeout { try set(CURLOPT_TIMEOUT_MS, timeout.milliseconds) }
        try check(reflector_curl_close_on_exec(easy))
        if let body = fetch.body {
            try check(body.withUnsafeBytes { reflector_curl_set_body(easy, $0.baseAddress, $0.count) })
            // Removes fields that libcurl adds to a POST: a wrong Content-Type, and an Expect before a long body.
            if !fetch.headers.contains(name: "Content-Type") { try add("Content-Type:") }
            try add("Expect:")
        }
        for field in fetch.headers { try add("\(field.name): \(field.value)") }
        try check(reflector_curl_set_fields(easy, fields))
        let receiveHead: reflector_curl_receiver = { bytes, one, count, context in
            guard let bytes, let context else { return 0 }
            let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.receiveHead(UnsafeRawBufferPointer(start: bytes, count: one * count)) ? one * count : 0
        }
        let receiveBody: reflector_curl_receiver = { bytes, one, count, context in
            guard let bytes, let context else { return 0 }
            let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
            return switch transfer.receiveBody(UnsafeRawBufferPointer(start: bytes, count: one * count)) {
            case .taken: one * count
            case .full: reflector_curl_pause()
            case .ended: 0
            }
        }
        // Unretained: the thread holds the transfer as long as libcurl has its handle.
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(reflector_curl_set_receivers(easy, receiveHead, receiveBody, context))
    }

    private func add(_ field: String) throws(HTTPFetchFailure) {
        guard let longer = curl_slist_append(fields, field) else { throw .libcurl(CURLE_OUT_OF_MEMORY.rawValue) }
        fields = longer
    }

    private func set(_ option: CURLoption, _ value: Int) throws(HTTPFetchFailure) {
        try check(reflector_curl_set_number(easy, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(HTTPFetchFailure) {
        try check(reflector_curl_set_text(easy, option, value))
    }

    private func check(_ code: CURLcode) throws(HTTPFetchFailure) {
        guard code == CURLE_OK else { throw .libcurl(code.rawValue) }
    }
}

extension Duration {
    /// Whole milliseconds, at least 1 (0 means "no limit" to libcurl) and at most a day.
    fileprivate var milliseconds: Int { max(1, Int(min(self, .seconds(86_400)) / .milliseconds(1))) }
}
