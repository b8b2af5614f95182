import ReflectorModel

/// Answers queries for one loop: query bytes in, reply bytes out, without allocations, locks or reference counting. Not
/// shared between threads: each loop has its own responder and gives it each new engine.
public struct Responder: ~Copyable {
    public enum Transport: Sendable { case udp, tcp }

    /// Maximum number of CNAMEs followed within the zone.
    static let aliasesMax = 8

    /// The generation that answers come from.
    public var engine: AnswerEngine {
        didSet {
            (views, zoneTable) = (engine.views.base, engine.zoneTable)
        }
    }
    /// The secrets of server cookies; with nil, cookies are ignored.
    public var cookies: ServerCookies?
    /// Unix time in seconds, for `_status` and cookies; the loop updates it from time to time.
    public var now: Int64 = 0
    /// The loop's clock, for the limiter; the loop sets it before each batch.
    public var instant = MonotonicInstant(nanoseconds: 0)

    /// True if signed queries and transfers have a handler: `answer` returns -1 for them. If false, they are refused.
    public var hasRequestHandler = false

    private(set) var views: UnsafePointer<ZoneView>
    var zoneTable: ZoneTableView
    var name = QueryName()
    var inner = QueryName()
    private var limiter: ResponseLimiter
    private let words: UnsafeMutablePointer<UInt64>
    /// Hashes of the names whose CNAMEs are in the answer.
    let aliases: UnsafeMutablePointer<UInt64>

    /// - Parameter limiter: rate limit of replies over UDP; nil sends all replies.
    public init(_ engine: AnswerEngine, limiter: ResponseLimiter.Configuration? = nil, seed: UInt64 = 0) {
        self.engine = engine
        self.limiter = ResponseLimiter(limiter, seed: seed)
        (views, zoneTable) = (engine.views.base, engine.zoneTable)
        words = .allocate(capacity: QueryStatistics.words)
        words.initialize(repeating: 0, count: QueryStatistics.words)
        aliases = .allocate(capacity: Self.aliasesMax + 1)
        aliases.initialize(repeating: 0, count: Self.aliasesMax + 1)
    }

    deinit {
        words.deallocate()
        aliases.deallocate()
    }

    public func count(of counter: AnswerCounter) -> UInt64 { words[counter.rawValue] }

    /// All counters so far.
    public var statistics: QueryStatistics { QueryStatistics(words) }

    /// Number of the limiter's buckets that were evicted while in use.
    public var limiterEvictions: UInt64 { limiter.evictions }

    /// Answers one message.
    /// - Parameters:
    ///   - message: the query, without TCP's length field.
    ///   - source: the client's address. Cookies and limits depend on it, records never do; nil disables both.
    ///   - isPrivileged: the source may read `explain` and `_status`.
    ///   - isExempt: the limiter does not apply to the source.
    ///   - buffer: for the reply; at least 1,232 bytes, 65,535 over TCP.
    /// - Returns: length of the reply; 0: send nothing; -1 (only with `hasRequestHandler`): the request handler must
    ///   answer.
    public mutating func answer(
        _ message: UnsafeRawBufferPointer, from source: IPAddress? = nil, over transport: Transport, isPrivileged: Bool,
        isExempt: Bool = false, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        add(.received)
        let query = Query.read(message, name: &name)
        if hasRequestHandler, query.isForDesk {
            add(.handedOver)
            return -1
        }
        if let problem = query.problem {
            add(problem)
            if query.isDropped { return 0 }
        }
        guard let reply = buffer.baseAddress, let start = message.baseAddress,
            buffer.count >= AnswerEngine.udpSizeMax
        else { return 0 }
        let size: Int
        switch transport {
        case .udp: size = query.hasEDNS ? min(query.udpSize, AnswerEngine.udpSizeMax) : 512
        case .tcp: size = min(buffer.count, 65_535)
        }
        let bytes = start.assumingMemoryBound(to: UInt8.self)
        var options = ReplyOptions()
        if query.hasEDNS { fill(&options, for: query, bytes, source) }
        var writer = ReplyWriter(
            reply.assumingMemoryBound(to: UInt8.self), limit: size &- options.length, question: bytes,
            questionEnd: query.questionEnd)
        var rcode = query.rcode
        var isAuthoritative = false
        if query.problem == nil {
            if query.isCookieOnly {
                add(.cookieFetched)
            } else {
                words[QueryStatistics.firstType &+ min(Int(query.type), QueryStatistics.typesMax)] &+= 1
                rcode = respond(query, over: transport, isPrivileged: isPrivileged, &writer, &isAuthoritative)
                if writer.isTruncated { add(.truncated) }
            }
        }
        if limiter.isOn, let source, transport == .udp, !isExempt, !options.hasValidCookie {
            guard limit(&writer, &rcode, source) else { return 0 }
        }
        words[QueryStatistics.firstCode &+ min(Int(rcode), QueryStatistics.codesMax &- 1)] &+= 1
        return writer.finish(query, rcode: rcode, isAuthoritative: isAuthoritative, options)
    }

    @inline(__always) func add(_ counter: AnswerCounter) { words[counter.rawValue] &+= 1 }

    /// Sets the contents of the reply's OPT record.
    @inline(__always) private func fill(
        _ options: inout ReplyOptions, for query: Query, _ message: UnsafePointer<UInt8>, _ source: IPAddress?
    ) {
        options.length = 11
        if query.wantsIdentity {
            options.identity = engine.identity.base
            options.identityLength = engine.identity.count
            options.length &+= 4 &+ options.identityLength
        }
        if query.subnetLength > 0 {
            options.subnet = message + query.subnetOffset
            options.subnetLength = query.subnetLength
            options.length &+= 4 &+ query.subnetLength
        }
        if query.cookieLength > 0, let cookies, let source {
            let cookie = message + query.cookieOffset
            let verdict = cookies.check(cookie, count: query.cookieLength, of: source, at: now)
            if query.cookieLength > 8 { add(verdict.isValid ? .cookieValid : .cookieWrong) }
            options.clientCookie = cookie
            options.serverCookie = (verdict.header, verdict.hash)
            options.hasValidCookie = verdict.isValid
            options.length &+= 28
        }
    }

    /// True if a reply from the request handler may be sent to `source` over UDP. All such replies to one network share
    /// a bucket.
    public mutating func maySend(to source: IPAddress) -> Bool {
        guard limiter.isOn, limiter.take(source, kind: .max, at: instant) != .send else { return true }
        add(.rateDropped)
        return false
    }

    /// Applies the rate limit. False if the reply must not be sent. An error is never sent truncated: a retry over TCP
    /// would not help.
    private mutating func limit(_ writer: inout ReplyWriter, _ rcode: inout UInt16, _ source: IPAddress) -> Bool {
        let kind = writer.subject == 0 ? UInt64(rcode) : writer.subject
        let isError = rcode != ResponseCode.noError && rcode != ResponseCode.nameError
        switch limiter.take(source, kind: kind, at: instant) {
        case .send: return true
        case .truncate where !isError:
            add(.rateTruncated)
            rcode = ResponseCode.noError
            writer.truncate()
            return true
        case .truncate, .drop:
            add(.rateDropped)
            return false
        }
    }

    /// Writes the records for a well-formed query. Returns the response code.
    @inline(__always) private mutating func respond(
        _ query: Query, over transport: Transport, isPrivileged: Bool, _ writer: inout ReplyWriter,
        _ isAuthoritative: inout Bool
    ) -> UInt16 {
        guard query.recordClass == RecordClass.internet || query.recordClass == RecordClass.any else {
            return respondChaos(query, &writer)
        }
        if query.type == RecordType.axfr || query.type == RecordType.ixfr {
            writer.extendedError = .transferProhibited
            let rcode = refuse(.transferRefused)
            // A whole zone is never sent over UDP (RFC 5936 §4.2).
            return query.type == RecordType.axfr && transport == .udp ? ResponseCode.notImplemented : rcode
        }
        var (number, label) = name.longestSuffix(in: zoneTable)
        guard number >= 0 else {
            writer.extendedError = .notAuthoritative
            return refuse(.outOfZone)
        }
        if label == 0, query.type == RecordType.ds, name.labelCount > 0 {
            // DS is in the parent zone (RFC 4035 §3.1.4.1); if that zone is ours too, it answers.
            let parent = name.longestSuffix(in: zoneTable, first: 1)
            if parent.number >= 0 { (number, label) = parent }
        }
        let zone = views + number
        // An answer for class ANY can't be authoritative (RFC 1034 §3.7.1, RFC 1035 §3.2.5).
        isAuthoritative = query.recordClass == RecordClass.internet
        if label > 0 {
            let top = name.label(label - 1)
            if top[0] == 7, top[1] == UInt8(ascii: "e") || top[1] == UInt8(ascii: "_") {
                let isExplain = name.label(label - 1, is: "explain")
                if isExplain || name.label(label - 1, is: "_status") {
                    guard isPrivileged else {
                        writer.extendedError = .explainProhibited
                        isAuthoritative = false
                        return refuse(.explainRefused)
                    }
                    return isExplain
                        ? explain(query, zone, labels: label, &writer) : status(query, zone, labels: label, &writer)
                }
            }
        }
        return resolve(query, zone, labels: label, &writer, &isAuthoritative)
    }

    func refuse(_ reason: AnswerCounter) -> UInt16 {
        add(reason)
        return ResponseCode.refused
    }
}
