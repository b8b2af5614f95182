import DNSAnswers
import DatagramIO
import Glibc
import Logging
import ReflectorModel

/// All sockets of a running name server and the loops that answer on them.
struct Listeners: Sendable {
    /// Maximum number of free ports to try for port 0, if TCP can't use the same port as UDP.
    private static let portAttemptsMax = 8

    private let loops: [(loop: DatagramLoop, handler: LoopBound<QueryLoop>)]
    private let tcp: TCPService
    /// Addresses with their actual ports.
    let endpoints: [Endpoint]

    static func open(
        _ configuration: NameServer.Configuration, engine: AnswerEngine, settings: QueryLoop.Settings,
        transferService: TransferService, logger: Logger
    ) async throws -> Listeners {
        let tcp = try TCPService(
            engine: engine, privileged: settings.privileged, limits: configuration.tcp,
            requestHandler: transferService.requestHandler(engine), sources: transferService.sources)
        do {
            if let cookies = settings.cookies { tcp.replace(cookies) }
            let (endpoints, missing) = try await bindTCP(tcp, configuration.listen, logger)
            var loops: [(DatagramLoop, LoopBound<QueryLoop>)] = []
            do {
                for _ in 0..<max(configuration.workers, 1) {
                    loops.append(try startLoop(configuration, endpoints, missing, engine, settings, transferService))
                }
            } catch {
                for (loop, _) in loops { loop.stop() }
                throw error
            }
            return Listeners(loops: loops, tcp: tcp, endpoints: endpoints)
        } catch {
            await tcp.stop()
            throw error
        }
    }

    /// Returns the endpoints on which TCP listens, and those of them whose address is on no interface. An address may
    /// be missing at first, such as an IPv6 address during duplicate address detection, or the address of a tunnel. The
    /// server then answers on the other addresses, and on the missing one as soon as an interface has it. Throws if all
    /// addresses are missing.
    private static func bindTCP(
        _ tcp: TCPService, _ listen: [Endpoint], _ logger: Logger
    ) async throws -> (endpoints: [Endpoint], missing: Set<Endpoint>) {
        var bound: [Endpoint?] = []
        var failure: DatagramError?
        for wanted in listen {
            do {
                bound.append(try await bindTCP(tcp, wanted))
            } catch let error as DatagramError where [EADDRNOTAVAIL, EAFNOSUPPORT].contains(error.code) {
                failure = failure ?? error
                bound.append(nil)
            }
        }
        if let failure, !bound.contains(where: { $0 != nil }) { throw failure }
        var missing: Set<Endpoint> = []
        for (index, wanted) in listen.enumerated() where bound[index] == nil {
            bound[index] = try? await tcp.listen(wanted, freeBind: true)
            if let free = bound[index] { missing.insert(free) }
            logger.warning(
                "address not on any interface: answering on the others",
                metadata: [
                    "address": "\(wanted)",
                    "remedy": .string(
                        bound[index] == nil
                            ? "this machine has no addresses of this family: remove the --listen"
                            : "add it to an interface, then it is used at once; or correct the --listen"),
                ])
        }
        return (bound.compactMap(\.self), missing)
    }

    /// Makes TCP listen, before UDP is bound, and returns the actual endpoint. For port 0, TCP needs a port that is
    /// free for UDP too, so it tries ports that the kernel has just selected for UDP. Since TCP's port can't be shared,
    /// a second server on the same address fails here, even where SO_REUSEPORT would let it share the UDP port.
    private static func bindTCP(_ tcp: TCPService, _ wanted: Endpoint) async throws -> Endpoint {
        guard wanted.port == 0 else { return try await tcp.listen(wanted) }
        for _ in 0..<portAttemptsMax {
            let probe = try DatagramSocket(bind: wanted, options: .queries).local
            if let bound = try? await tcp.listen(probe) { return bound }
        }
        throw NameServer.StartError.ports(wanted)
    }

    private static func startLoop(
        _ configuration: NameServer.Configuration, _ endpoints: [Endpoint], _ missing: Set<Endpoint>,
        _ engine: AnswerEngine, _ settings: QueryLoop.Settings, _ transferService: TransferService
    ) throws -> (DatagramLoop, LoopBound<QueryLoop>) {
        var options = DatagramLoop.Options()
        // No query is longer than this, and the loops of a large name server should not use megabytes each.
        options.receiveBufferBytes = 2_048
        options.gathering = .microseconds(100)
        let loop = try DatagramLoop(options: options)
        var socketOptions = DatagramSocketOptions.queries
        socketOptions.reusePort = configuration.workers > 1
        var sockets: [DatagramSocket] = []
        for endpoint in endpoints {
            socketOptions.freeBind = missing.contains(endpoint)
            let socket = try DatagramSocket(bind: endpoint, options: socketOptions)
            try loop.add(socket)
            sockets.append(socket)
        }
        var generator = SystemRandomNumberGenerator()
        let handler = QueryLoop(
            engine: engine, sockets: sockets, settings: settings,
            requestHandler: transferService.requestHandler(engine), seed: generator.next())
        return (loop, try loop.start(handler: handler, name: "dns"))
    }

    /// Gives a new generation to every loop. Each loop switches after it has finished a batch, so that a query is
    /// answered from one generation without locks or reference counting. Returns once all loops have switched.
    func replace(_ engine: AnswerEngine) async {
        // All loops get it before the first is awaited, so that their answers differ for as short a time as possible.
        for (loop, handler) in loops { loop.execute { handler.value.replace(engine) } }
        await tcp.replace(engine)
        for (loop, _) in loops { await loop.query {} }
    }

    /// Gives new secrets to every loop.
    func replace(_ cookies: ServerCookies) {
        for (loop, handler) in loops { loop.execute { handler.value.replace(cookies) } }
        tcp.replace(cookies)
    }

    var counters: [String: UInt64] {
        get async { await tcp.counters.merging(report.counters) { $0 &+ $1 } }
    }

    var samples: [MetricSample] {
        get async { await report.samples + tcp.samples }
    }

    /// Totals of all UDP loops.
    private var report: LoopReport {
        get async {
            var result = LoopReport()
            for (loop, handler) in loops { result += await loop.query { handler.value.report } ?? LoopReport() }
            return result
        }
    }

    func close() async {
        for (loop, _) in loops { loop.stop() }
        await tcp.stop()
    }
}
