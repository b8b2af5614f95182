import ReflectorModel
import RelayWire

/// A node's reports about itself, for `/status`, `trace` and `up`.
extension RelayNode {
    /// True once the node is operational: an entrypoint once a link to a set reflector is alive, any other node at
    /// once. False again while it drains.
    public var isReady: Bool {
        guard !server.isDraining else { return false }
        return origin?.isHeard(core) ?? true
    }

    /// - Parameters:
    ///   - page: the streams to report.
    ///   - viewers: returns the number of a stream's viewers at this node's streaming server.
    public func status(
        zone: String, endpoint: Endpoint, streams page: StreamPage = .first, at now: MonotonicInstant,
        viewers: (StreamName) -> Int = { _ in 0 }
    ) -> NodeStatus {
        var counted: [String: UInt64] = [:]
        for counter in RelayCounter.allCases { counted[counter.name] = counters[counter] }
        let listed = core.streams.page(page)
        let links =
            page.isFirst
            ? core.links.parents.all.map { status($0, at: now) }
                + core.links.children.all.map { status($0, at: now) } : []
        var report = NodeStatus(
            name: core.configuration.name, role: core.configuration.role.description,
            region: core.configuration.region?.description, zone: zone, endpoint: endpoint.description,
            uptimeSeconds: (now - core.clock.startedAt).seconds, serial: fetcher.directory.serial,
            links: links,
            streams: listed.elements.map { status(of: $0, viewers: viewers($0.name), at: now) },
            counters: counted,
            streamsTotal: core.streams.count, nextStreams: listed.next, residence: core.context.residence,
            unavailable: core.streams.unavailable.isEmpty
                ? nil
                : core.streams.unavailable.reversed().map { stream in
                    UnavailableStream(
                        name: stream.name.text, reason: stream.reason.description, secondsAgo: (now - stream.at).seconds
                    )
                })
        if page.isFirst {
            report.standbys = standbyStatus(at: now)
            (report.members, report.setRegion) = (region?.status(core, at: now), core.configuration.setRegion)
        }
        return report
    }

    private func status(_ link: ParentLink, at now: MonotonicInstant) -> LinkStatus {
        let state =
            switch link.state {
            case .greeting, .opening: "opening"
            case .alive: "alive"
            case .dead: "dead"
            }
        return LinkStatus(
            peer: link.peerName, endpoint: link.remote.description,
            part: link.isForAnnouncing ? "announce" : link.isMember ? "member" : "parent", state: state,
            roundTripMilliseconds: link.roundTrip.smoothed.map { $0.seconds * 1_000 },
            lossPercent: link.lossPercent, packetsSent: 0, packetsReceived: link.window.arrived,
            retransmits: link.retransmitsAsked, subscriptions: link.subscriptions.count,
            roundTrip: link.measurements?.summary(of: .roundTrip, at: now),
            delayVariation: link.measurements?.summary(of: .delayVariation, at: now),
            breaker: link.breaker.level(at: now).description)
    }

    private func status(_ link: ChildLink, at now: MonotonicInstant) -> LinkStatus {
        let reported = Double(link.report.received) + Double(link.report.lost)
        return LinkStatus(
            peer: link.name, endpoint: link.endpoint.description, part: "child", state: "alive",
            roundTripMilliseconds: link.roundTrip.smoothed.map { $0.seconds * 1_000 },
            lossPercent: reported == 0 ? 0 : 100 * Double(link.report.lost) / reported,
            packetsSent: link.queues.packetsSent, packetsReceived: 0, retransmits: link.queues.retransmitsSent,
            subscriptions: link.ordered.count,
            roundTrip: link.measurements?.summary(of: .roundTrip, at: now),
            delayVariation: link.measurements?.summary(of: .delayVariation, at: now),
            residence: link.measurements?.summary(of: .residence, at: now),
            breaker: link.breaker.level(at: now).description, payloadMax: link.size.payload)
    }

    private func status(of stream: StreamState, viewers: Int, at now: MonotonicInstant)
        -> StreamStatus
    {
        let paths = stream.paths.all.map { path in
            let state =
                switch path.state {
                case .joining: "joining"
                case .live: "live"
                case .leaving: "leaving"
                }
            // The answer in use now: a renewed answer with the same hosts does not change the path's entry.
            let current = currentAnswer(for: path, of: stream)
            return PathStatus(
                parent: path.candidate.name, endpoint: path.link.remote.description,
                rank: Int(path.candidate.rank), state: state, cause: path.candidate.cause,
                answer: current?.text.joined(separator: " ") ?? path.candidate.answer,
                serial: current?.serial ?? path.candidate.serial,
                roundTripMilliseconds: path.link.roundTrip.smoothed.map { $0.seconds * 1_000 },
                lossPercent: path.link.lossPercent, packets: path.packets,
                retransmitsAsked: path.retransmitsAsked,
                delayVariation: path.link.measurements?.summary(of: .delayVariation, at: now),
                twin: path.twin.map { twin in
                    TwinStatus(
                        state: twin.isMerged ? "merged" : "learning", shift: twin.isMerged ? twin.shift : nil,
                        filled: twin.filled)
                }, group: path.isOnLAN ? path.lan?.place.group.description : nil)
        }
        var report = StreamStatus(
            name: stream.name.text, portset: stream.portset?.description ?? "?",
            source: stream.incarnation.map { hostName(of: $0.source, in: stream.name) },
            incarnation: stream.incarnation?.incarnation.description,
            highestSequence: stream.incarnation?.index.highest ?? 0, packetsIn: stream.arrivals.packetsIn,
            bytesIn: stream.arrivals.bytesIn, packetsOut: stream.departures.packetsOut, children: stream.children.count,
            viewers: viewers, paths: paths, delivered: stream.deliveries.delivered, lost: stream.deliveries.lost,
            repaired: stream.arrivals.repaired, duplicates: stream.arrivals.duplicates, late: stream.late,
            gapMillisecondsMax: stream.deliveries.gapMax.seconds * 1_000, residence: stream.departures.residence,
            problem: stream.candidates.problem?.description, feedsDifferent: feedsDifferent(of: stream, at: now))
        report.election = electionStatus(of: stream.name, at: now)
        return report
    }

    private func feedsDifferent(of stream: StreamState, at now: MonotonicInstant) -> [String]? {
        guard let hosts = stream.hot?.different(at: now), !hosts.isEmpty else { return nil }
        return hosts
    }

    private func currentAnswer(for path: StreamPath, of stream: StreamState) -> LookUpAnswer? {
        guard let rank = ParentRank(rawValue: path.candidate.rank), let region = core.configuration.region,
            let portset = stream.portset
        else { return nil }
        return fetcher.directory[.parents(rank, region, portset)]?.answer
    }

    /// Host name of an entrypoint if it is this node, is among the stream's candidates in the zone or is a child of
    /// this node; else its id.
    func hostName(of node: NodeID, in stream: StreamName) -> String {
        if node == id { return core.configuration.name }
        let candidates = fetcher.directory[.candidates(stream)]?.answer?.hosts ?? []
        if let host = candidates.first(where: { $0.id == node }) { return host.name }
        return core.links.children.all.first { $0.node == node }?.name ?? node.description
    }
}
