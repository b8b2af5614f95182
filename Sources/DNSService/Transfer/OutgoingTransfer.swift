import TransactionSigning
import ZoneCompiler

/// The transfer of a zone to a secondary, generated message by message as the connection accepts them: AXFR (RFC 5936),
/// IXFR (RFC 1995) or, for a client that is up to date, only the SOA.
struct OutgoingTransfer {
    /// The content to send.
    enum Kind: Sendable {
        case whole(AliasedZone)
        /// The condensed difference of two generations.
        case changes(from: AliasedZone, to: AliasedZone)
        /// The client is up to date.
        case nothing(AliasedZone)

        var zone: AliasedZone {
            switch self {
            case .whole(let zone), .nothing(let zone), .changes(_, let zone): zone
            }
        }

        /// The name in metrics and the log.
        var name: String {
            switch self {
            case .whole: "axfr"
            case .changes: "ixfr"
            case .nothing: "current"
            }
        }
    }

    /// Number of records sent so far.
    private(set) var records = 0
    private(set) var bytes = 0
    private(set) var messages = 0
    let kind: Kind
    let client: Client

    /// The client that requested it.
    struct Client: Sendable {
        var id: UInt16
        var request: TransferRequest
        /// TSIG session of a signed request: every message is then signed.
        var session: TSIGSession?
    }

    private enum Step { case begin, middle, end, done }

    private var session: TSIGSession?
    private var step = Step.begin
    /// The record that did not fit into the previous message.
    private var held: ZoneRecord?
    private var all: ZoneRecordCursor?
    private var removed: ZoneDifference?
    private var added: ZoneDifference?

    init(_ kind: Kind, for client: Client) {
        self.kind = kind
        self.client = client
        session = client.session
    }

    var isDone: Bool { step == .done && held == nil }

    /// The next message, without TCP's length field; nil when all have been sent, or if it could not be signed.
    mutating func next(now: Int64) -> [UInt8]? {
        guard !isDone else { return nil }
        var message = TransferMessage(id: client.id, request: client.request)
        if messages == 0, client.request.sizeOffset != nil {
            // The OPT record follows the answers, so space is reserved for it.
            _ = fill(&message, reserved: 11 + (session?.length ?? 0))
            message.appendOPT(udpSize: 1_232)
        } else {
            _ = fill(&message, reserved: session?.length ?? 0)
        }
        guard message.records > 0 else {
            // A record that fits in no message: the compiler refuses such records, and without this the messages would
            // never end.
            step = .done
            held = nil
            return nil
        }
        records += Int(message.records)
        var result = message.bytes
        if session != nil, session?.sign(&result, now: now) != true {
            step = .done
            held = nil
            return nil
        }
        messages += 1
        bytes += result.count + 2
        return result
    }

    private mutating func fill(_ message: inout TransferMessage, reserved: Int) -> Bool {
        while let record = held ?? nextRecord() {
            held = nil
            guard message.append(record, reserved: reserved) else {
                held = record
                return true
            }
        }
        return false
    }

    private mutating func nextRecord() -> ZoneRecord? {
        let zone = kind.zone
        switch (kind, step) {
        case (_, .done): return nil
        case (.nothing, _):
            step = .done
            return zone.startOfAuthority
        case (.whole, .begin):
            all = zone.records
            step = .middle
            return zone.startOfAuthority
        case (.whole, _):
            if let record = all?.next() { return record }
            step = .done
            return zone.startOfAuthority
        case (.changes, _): return nextChange()
        }
    }

    /// The next record of an incremental transfer. Order: new SOA; old SOA and removed records; new SOA and added
    /// records; new SOA (RFC 1995 §4).
    private mutating func nextChange() -> ZoneRecord? {
        guard case .changes(let old, let new) = kind else { return nil }
        if step == .begin {
            step = .middle
            return new.startOfAuthority
        }
        if step == .middle {
            guard removed != nil else {
                removed = ZoneDifference(from: old, to: new, .removed)
                return old.startOfAuthority
            }
            if let record = removed?.next() { return record }
            added = ZoneDifference(from: old, to: new, .added)
            step = .end
            return new.startOfAuthority
        }
        if let record = added?.next() { return record }
        step = .done
        return new.startOfAuthority
    }
}
