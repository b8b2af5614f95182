/// Answers about the server itself: CHAOS names, `_status`, and `explain`.
extension Responder {
    /// CHAOS TXT: `version.bind`, `version.server`, `id.server`, `hostname.bind` (RFC 4892). No server is authoritative
    /// for them: AA stays clear, as in other implementations.
    func respondChaos(_ query: Query, _ writer: inout ReplyWriter) -> UInt16 {
        writer.extendedError = query.recordClass == RecordClass.chaos ? .notAuthoritative : .notSupported
        guard query.recordClass == RecordClass.chaos, name.labelCount == 2,
            query.type == RecordType.txt || query.type == RecordType.any
        else { return refuse(.badClass) }
        let isBind = name.label(1, is: "bind")
        guard isBind || name.label(1, is: "server") else { return refuse(.badClass) }
        let text: FlatArray<UInt8>
        if name.label(0, is: "version") {
            text = engine.version
        } else if name.label(0, is: isBind ? "hostname" : "id") {
            text = engine.identity
        } else {
            return refuse(.badClass)
        }
        writer.extendedError = nil
        add(.chaosAnswered)
        writer.text(recordClass: RecordClass.chaos) { $0.string("", text.base, count: text.count) }
        return ResponseCode.noError
    }

    func status(
        _ query: Query, _ zone: UnsafePointer<ZoneView>, labels: Int, _ writer: inout ReplyWriter
    ) -> UInt16 {
        guard labels == 1 else { return deny(zone, .nameError, &writer) }
        guard query.type == RecordType.txt || query.type == RecordType.any else { return deny(zone, .noData, &writer) }
        add(.answered)
        add(.explained)
        let age = UInt64(max(now - engine.servedSince, 0))
        let status = engine.status
        writer.text(recordClass: RecordClass.internet) { text in
            text.string("serial=", number: UInt64(zone.pointee.serial))
            text.string("age=", number: age)
            text.string("rules=", number: UInt64(zone.pointee.ruleCount))
            text.wire(status.base, count: status.count)
        }
        return ResponseCode.noError
    }

    private func deny(
        _ zone: UnsafePointer<ZoneView>, _ outcome: AnswerCounter, _ writer: inout ReplyWriter
    ) -> UInt16 {
        writer.append(zone.pointee.negative, of: zone, ttl: 0)
        add(outcome)
        return outcome == .nameError ? ResponseCode.nameError : ResponseCode.noError
    }

    /// Answers `NAME.explain`: why NAME is answered the way it is.
    mutating func explain(
        _ query: Query, _ zone: UnsafePointer<ZoneView>, labels: Int, _ writer: inout ReplyWriter
    ) -> UInt16 {
        guard labels > 1 else { return deny(zone, .noData, &writer) }
        guard let place = locateExplained(zone, labels: labels) else { return deny(zone, .nameError, &writer) }
        let wantsText = query.type == RecordType.txt || query.type == RecordType.any
        let explanation: UInt32
        switch place {
        case .nameError, .delegated: return deny(zone, .nameError, &writer)
        case .emptyNonTerminal: return deny(zone, .noData, &writer)
        case .stored(let node): explanation = zone.pointee.nodes[node].explanation
        case .parents, .rootSets: explanation = RRsetArena.empty
        }
        guard wantsText else { return deny(zone, .noData, &writer) }
        add(.answered)
        add(.explained)
        switch place {
        case .parents(let rank, let tag, let portset, let region):
            writer.text(recordClass: RecordClass.internet) {
                zone.pointee.explain(rank: rank, tag: tag, portset: portset, region: region, &$0)
            }
        case .rootSets(let number, let portset):
            let roots = engine.zones[zone - views].rootSets(number)
            writer.text(recordClass: RecordClass.internet) { text in
                text.string("portset=s", number: UInt64(portset))
                text.string("serial=", number: UInt64(zone.pointee.serial))
                for root in roots {
                    zone.pointee.string("set=", zone.pointee.setNames[root], &text)
                    zone.pointee.state(of: root, &text)
                }
            }
        default:
            writer.append(explanation, of: zone, ttl: 0)
        }
        return ResponseCode.noError
    }

    /// Looks up the name without its `explain` label. If there is no such name, `news.live.explain` is short for
    /// `news.live.streams.explain`.
    private mutating func locateExplained(_ zone: UnsafePointer<ZoneView>, labels: Int) -> NameLookup? {
        let place = locateExplained(zone, labels: labels, inStreams: false)
        guard case .nameError? = place else { return place }
        return locateExplained(zone, labels: labels, inStreams: true) ?? place
    }

    private mutating func locateExplained(
        _ zone: UnsafePointer<ZoneView>, labels: Int, inStreams: Bool
    ) -> NameLookup? {
        let label: StaticString = "streams"
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: WireName.lengthMax) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            var count = Int(name.offsets[labels - 1])
            let extra = inStreams ? label.utf8CodeUnitCount + 1 : 0
            guard count + extra + zone.pointee.zoneLength <= WireName.lengthMax else { return nil }
            start.update(from: name.bytes, count: count)
            if inStreams {
                start[count] = UInt8(label.utf8CodeUnitCount)
                (start + count + 1).update(from: label.utf8Start, count: label.utf8CodeUnitCount)
                count += extra
            }
            (start + count).update(
                from: name.bytes + (name.length - zone.pointee.zoneLength), count: zone.pointee.zoneLength)
            guard inner.load(start, start: 0, end: count + zone.pointee.zoneLength) else { return nil }
            return zone.pointee.locate(inner, labels: labels - 1 + (inStreams ? 1 : 0))
        }
    }
}
