/// Answers queries on behalf of one loop: query bytes in, reply bytes out, without allocation, lock or reference
/// count. Not shared between threads: each loop has its own and gives it a new engine when there is one.
public struct Responder: ~Copyable {
    public enum Transport: Sendable { case udp, tcp }

    /// Most CNAMEs followed within the zone.
    static let aliasesMax = 8

    /// The generation that is answered from.
    public var engine: AnswerEngine {
        didSet {
            (views, zoneTable, zoneLabelsMax) = (engine.views.base, engine.zoneTable, engine.zoneLabelsMax)
        }
    }
    /// Wall clock in seconds since 1970, for `_status`; the loop sets it now and then.
    public var now: Int64 = 0

    /// There is somebody to answer signed queries and transfers: `answer` gives -1 for them. Else they are refused.
    public var hasDesk = false

    private(set) var views: UnsafePointer<ZoneView>
    private var zoneTable: NameTableView
    private var zoneLabelsMax: Int
    var name = NameScratch()
    var inner = NameScratch()
    private let counters: UnsafeMutablePointer<UInt64>
    /// Hashes of the names whose CNAMEs are in the answer.
    private let aliases: UnsafeMutablePointer<UInt64>

    public init(_ engine: AnswerEngine) {
        self.engine = engine
        (views, zoneTable, zoneLabelsMax) = (engine.views.base, engine.zoneTable, engine.zoneLabelsMax)
        counters = .allocate(capacity: AnswerCounter.allCases.count)
        counters.initialize(repeating: 0, count: AnswerCounter.allCases.count)
        aliases = .allocate(capacity: Self.aliasesMax + 1)
        aliases.initialize(repeating: 0, count: Self.aliasesMax + 1)
    }

    deinit {
        counters.deallocate()
        aliases.deallocate()
    }

    public func count(of counter: AnswerCounter) -> UInt64 { counters[counter.rawValue] }

    /// Answers one message.
    /// - Parameters:
    ///   - message: the query, without TCP's length.
    ///   - isPrivileged: the source may read `explain` and `_status`.
    ///   - buffer: for the reply; at least 1,232 bytes, 65,535 over TCP.
    /// - Returns: length of the reply; 0: none is to be sent; -1: with `hasDesk`, others are to answer.
    public mutating func answer(
        _ message: UnsafeRawBufferPointer, over transport: Transport, isPrivileged: Bool,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        add(.received)
        let query = Query.read(message, name: &name)
        if hasDesk, query.isForDesk {
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
        let reserved = ReplyWriter.optLength(query, identityLength: engine.identity.count)
        var writer = ReplyWriter(
            reply.assumingMemoryBound(to: UInt8.self), limit: size &- reserved, question: bytes,
            questionEnd: query.questionEnd)
        var rcode = query.rcode
        var isAuthoritative = false
        if query.problem == nil {
            rcode = respond(query, isPrivileged: isPrivileged, &writer, &isAuthoritative)
            if writer.isTruncated { add(.truncated) }
        }
        return writer.finish(
            query, message: bytes, rcode: rcode, isAuthoritative: isAuthoritative, identity: engine.identity.base,
            identityLength: engine.identity.count, udpSize: AnswerEngine.udpSizeMax, questionEnd: query.questionEnd)
    }

    @inline(__always) func add(_ counter: AnswerCounter) { counters[counter.rawValue] &+= 1 }

    /// Writes the records for a well-formed query. Returns the response code.
    @inline(__always) private mutating func respond(
        _ query: Query, isPrivileged: Bool, _ writer: inout ReplyWriter, _ isAuthoritative: inout Bool
    ) -> UInt16 {
        if query.recordClass != RecordClass.internet { return respondChaos(query, &writer) }
        if query.type == RecordType.axfr || query.type == RecordType.ixfr { return refuse(.transferRefused) }
        var (number, label) = name.longestSuffix(in: zoneTable, labelsMax: zoneLabelsMax)
        guard number >= 0 else { return refuse(.outOfZone) }
        if label == 0, query.type == RecordType.ds, name.labelCount > 0 {
            // DS stands in the parent zone (RFC 4035 §3.1.4.1); if that is ours too, it answers.
            let parent = name.longestSuffix(in: zoneTable, labelsMax: zoneLabelsMax, first: 1)
            if parent.number >= 0 { (number, label) = parent }
        }
        let zone = views + number
        if label > 0 {
            let top = name.label(label - 1)
            if top[0] == 7, top[1] == UInt8(ascii: "e") || top[1] == UInt8(ascii: "_") {
                if name.label(label - 1, is: "explain") {
                    guard isPrivileged else { return refuse(.explainRefused) }
                    isAuthoritative = true
                    return explain(query, zone, labels: label, &writer)
                }
                if name.label(label - 1, is: "_status") {
                    guard isPrivileged else { return refuse(.explainRefused) }
                    isAuthoritative = true
                    return status(query, zone, labels: label, &writer)
                }
            }
        }
        return resolve(query, zone, labels: label, &writer, &isAuthoritative)
    }

    func refuse(_ reason: AnswerCounter) -> UInt16 {
        add(reason)
        return ResponseCode.refused
    }

    // MARK: Records

    @inline(__always) private mutating func resolve(
        _ query: Query, _ zone: UnsafePointer<ZoneView>, labels count: Int, _ writer: inout ReplyWriter,
        _ isAuthoritative: inout Bool
    ) -> UInt16 {
        isAuthoritative = true
        var labels = count
        var owner = 12
        for followed in 0...Self.aliasesMax {
            var fragment = FragmentArena.empty
            var ttl: UInt32 = 0
            switch zone.pointee.locate(name, labels: labels) {
            case .parents(let rank, let tag, _, _):
                let rule = zone.pointee.rules + (Int(tag) &- 1)
                ttl = rule.pointee.ttl
                let first = zone.pointee.firstSetFragment &+ 4 &* rule.pointee.parent(rank)
                fragment = zone.pointee.fragment(first: first, type: query.type, hasText: true)
            case .rootSets(let number, _):
                let first = zone.pointee.firstRootFragment &+ 3 &* number
                fragment = zone.pointee.fragment(first: first, type: query.type, hasText: false)
            case .emptyNonTerminal:
                break
            case .nameError:
                writer.append(zone.pointee.negative, of: zone, ttl: 0)
                add(.nameError)
                return ResponseCode.nameError
            case .delegated(let node, let isExact):
                if !isExact || query.type != RecordType.ds {
                    // AA is of the name asked for (RFC 1035 §4.1.1): behind a CNAME of ours it stays.
                    if owner == 12 { isAuthoritative = false }
                    writer.append(
                        zone.pointee.nodes[node].referral, of: zone, ttl: 0, owner: owner, ownerLength: name.length)
                    add(.referred)
                    return ResponseCode.noError
                }
                fragment = zone.pointee.fragment(node: zone.pointee.nodes[node], type: query.type)
            case .stored(let node):
                let stored = zone.pointee.nodes[node]
                if stored.alias != 0, query.type != RecordType.cname, query.type != RecordType.any {
                    guard !isLoop(followed) else {
                        add(.answered)
                        return ResponseCode.noError
                    }
                    let start = writer.position
                    writer.append(stored.alias, of: zone, ttl: 0, owner: owner)
                    // Owner (a pointer), type, class, TTL and length take 12 bytes; then comes the target.
                    owner = start &+ 12
                    guard !writer.isTruncated, name.load(writer.bytes, start: owner, end: writer.position),
                        let above = labelsAbove(zone)
                    else {
                        add(.answered)
                        return ResponseCode.noError
                    }
                    labels = above
                    continue
                }
                fragment = zone.pointee.fragment(node: stored, type: query.type)
            }
            if zone.pointee.fragments[Int(fragment)].answers == 0 {
                writer.append(zone.pointee.negative, of: zone, ttl: 0)
                add(.noData)
            } else {
                writer.append(fragment, of: zone, ttl: ttl, owner: owner, ownerLength: name.length)
                add(.answered)
            }
            return ResponseCode.noError
        }
        // A long chain of CNAMEs: what was followed is answer enough.
        add(.answered)
        return ResponseCode.noError
    }

    /// True if `name` is one whose CNAME is in the answer already. Notes it as number `followed` of the chain.
    private func isLoop(_ followed: Int) -> Bool {
        let hash = name.wholeHash
        for earlier in 0..<followed where aliases[earlier] == hash { return true }
        aliases[followed] = hash
        return false
    }

    /// Labels of `name` above the zone's apex. Nil, if it is not in this zone, or in another of ours below it.
    private func labelsAbove(_ zone: UnsafePointer<ZoneView>) -> Int? {
        let (number, label) = name.longestSuffix(in: zoneTable, labelsMax: zoneLabelsMax)
        return number >= 0 && views + number == zone ? label : nil
    }
}
