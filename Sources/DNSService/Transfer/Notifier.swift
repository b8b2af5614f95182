import DNSAnswers
import DatagramIO
import Glibc
import Logging
import ReflectorModel
import TransactionSigning

/// Notifies secondaries of new serials (RFC 1996), on its own loop.
final class Notifier: Sendable {
    private let loop: DatagramLoop
    private let handler: LoopBound<NotifyLoop>

    /// Nil if there are no secondaries to notify.
    /// - Parameter endpoints: the endpoints that the server listens on; secondaries know us by the addresses of these
    ///   endpoints (`NotifySource`).
    init?(
        _ configuration: NameServer.Configuration, from endpoints: [Endpoint], log: TransferLog, logger: Logger
    ) throws {
        let targets = configuration.notify
        guard !targets.isEmpty else { return nil }
        for target in targets {
            if let key = target.key, configuration.transfers.keys[key] == nil {
                throw NameServer.StartError.unknownKey(key)
            }
        }
        var options = DatagramLoop.Options()
        options.receiveBufferBytes = 4_096
        let loop = try DatagramLoop(options: options)
        self.loop = loop
        var socketOptions = DatagramSocketOptions.queries
        socketOptions.receiveBufferBytes = 1 << 16
        socketOptions.sendBufferBytes = 1 << 16
        // One socket for each source address.
        var sockets: [DatagramSocket] = []
        var socketOfTarget: [Int] = []
        for target in targets {
            let wanted = NotifySource.address(
                towards: target, listening: endpoints.map(\.address),
                route: LocalAddresses.source(towards: target.endpoint))
            if let known = sockets.firstIndex(where: { $0.local.address == wanted }) {
                socketOfTarget.append(known)
                continue
            }
            let socket = try DatagramSocket(bind: Endpoint(address: wanted, port: 0), options: socketOptions)
            try loop.add(socket)
            socketOfTarget.append(sockets.count)
            sockets.append(socket)
        }
        let handler = NotifyLoop(
            targets: targets, policy: configuration.transfers, loop: loop, sockets: sockets,
            socketOfTarget: socketOfTarget, log: log, logger: logger)
        self.handler = try loop.start(handler: handler, name: "dns-notify")
    }

    /// Notifies every secondary of each zone whose serial has changed since the zone was last announced.
    func announce(_ zones: [(content: ZoneContent, serial: UInt32)]) {
        let handler = handler
        let serials = zones.map { (zone: $0.content.zone, serial: $0.serial) }
        loop.execute {
            for zone in serials { handler.value.announce(zone: zone.zone, serial: zone.serial) }
        }
    }

    func stop() { loop.stop() }
}

/// The state of the notifier on its loop.
final class NotifyLoop: DatagramHandler {
    private static let notify: UInt16 = 0x2000
    private static let lengthMax = 1_232

    private let targets: [NotifyTarget]
    private let policy: TransferPolicy
    private let loop: DatagramLoop
    private let sockets: [DatagramSocket]
    /// Index in `sockets` for each target.
    private let socketOfTarget: [Int]
    private let log: TransferLog
    private let logger: Logger
    private var schedule = NotifySchedule()
    private var announced: [String: UInt32] = [:]
    private var sessions = NotifySessions()
    private let headers = UnsafeMutableRawBufferPointer.allocate(byteCount: lengthMax, alignment: 16)

    init(
        targets: [NotifyTarget], policy: TransferPolicy, loop: DatagramLoop, sockets: [DatagramSocket],
        socketOfTarget: [Int], log: TransferLog, logger: Logger
    ) {
        self.socketOfTarget = socketOfTarget
        self.targets = targets
        self.policy = policy
        self.loop = loop
        self.sockets = sockets
        self.log = log
        self.logger = logger
    }

    deinit { headers.deallocate() }

    func announce(zone: String, serial: UInt32) {
        guard announced[zone] != serial else { return }
        announced[zone] = serial
        for target in targets.indices {
            schedule.announce(
                target: target, zone: zone, serial: serial, id: UInt16.random(in: 0...UInt16.max), at: loop.now)
        }
        sendDue(at: loop.now)
        loop.nextWakeup = schedule.nextDue
    }

    func timerFired(at now: MonotonicInstant) {
        sendDue(at: now)
        loop.nextWakeup = schedule.nextDue
    }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        let bytes = Array(datagram.bytes)
        // The datagram must be a NOTIFY response from a target, with a pending id.
        guard bytes.count >= 12, bytes.word(2) & 0xf800 == 0x8000 | Self.notify,
            let target = targets.firstIndex(where: { $0.endpoint == datagram.source }),
            let message = schedule.message(target: target, id: bytes.word(0))
        else { return }
        if targets[target].key != nil {
            guard sessions.accept(bytes, as: message, now: WallClock.seconds) else { return }
        }
        schedule.answered(message)
        loop.nextWakeup = schedule.nextDue
        log.add(.notifyAnswered)
        let rcode = bytes.word(2) & 15
        if rcode != 0 {
            logger.warning(
                "NOTIFY rejected",
                metadata: ["by": "\(datagram.source)", "zone": "\(message.zone)", "rcode": "\(rcode)"])
        }
    }

    private func sendDue(at now: MonotonicInstant) {
        for message in schedule.due(at: now) {
            let target = targets[message.target]
            guard let bytes = bytes(message, target) else { continue }
            let socket = sockets[socketOfTarget[message.target]]
            var batch = DatagramBatch(countMax: 1, headers: headers)
            batch.append(to: target.endpoint, headerLengthMax: bytes.count, body: nil) {
                $0.copyBytes(from: bytes)
                return bytes.count
            }
            socket.send(batch)
            log.add(.notifySent)
        }
        for message in schedule.givenUp {
            sessions.forget(message)
            log.add(.notifyGivenUp)
            logger.warning(
                "secondary does not answer NOTIFY",
                metadata: [
                    "secondary": "\(targets[message.target].endpoint)", "zone": "\(message.zone)",
                    "serial": "\(message.serial)",
                ])
        }
    }

    /// A NOTIFY with the zone's SOA as its question (RFC 1996 §3.7). It contains no serial: a secondary queries the
    /// serial anyway, so a forged NOTIFY cannot mislead a secondary. Nil if the message can't be signed or is too long.
    private func bytes(_ message: NotifySchedule.Message, _ target: NotifyTarget) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.append(word: message.id)
        bytes.append(word: Self.notify | 0x0400)
        bytes += [0, 1, 0, 0, 0, 0, 0, 0]
        bytes += message.zone.utf8.split(separator: UInt8(ascii: ".")).flatMap { [UInt8($0.count & 63)] + $0 } + [0]
        bytes += [0, 6, 0, 1]
        if let name = target.key {
            guard let key = policy.keys[name] else { return nil }
            var session = TSIGSession(key)
            guard session.sign(&bytes, now: WallClock.seconds) else { return nil }
            sessions.keep(session, for: message)
        }
        return bytes.count <= Self.lengthMax ? bytes : nil
    }
}
