import CAllocations
import Foundation
import IdentityKeys
import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayCore
import RelayService
import RelayWire

/// Runs a set reflector's state machine between those of an entrypoint and of children, in memory and in virtual time;
/// only the calls of the set reflector are timed.
final class CoreBench {
    struct Cost {
        /// For each packet and child.
        var nanoseconds: Double
        /// For each packet.
        var allocations: Double
    }

    private static let packetsPerSecond: Int64 = 20_000
    private static let payloadLength = 1_316
    /// Packets timed together.
    private static let blockLength = 1_024

    private let entrypoint: RelayNode
    private let set: RelayNode
    private let children: [ChildEnd]
    private let streams: [StreamName]
    private let sourceEndpoint = Endpoint(address: IPAddress(v4: 0x0a00_0001), port: 4_900)
    private let setEndpoint = Endpoint(address: IPAddress(v4: 0x0a00_0002), port: 4_900)
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 19, alignment: 64)
    private let datagram = UnsafeMutableRawBufferPointer.allocate(byteCount: 2_048, alignment: 64)
    private let arrivals = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_024 * 1_472, alignment: 64)
    private let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: CoreBench.payloadLength, alignment: 64)
    private var batch: DatagramBatch
    private var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private var nextTick = MonotonicInstant.zero
    private var nextStream = 0
    private var nanoseconds: UInt64 = 0
    private var allocations: UInt64 = 0
    private var isServed = false
    private var isTimed = false

    init(streams: Int, children: Int) throws {
        let network = try BenchOperator()
        self.streams = (0..<streams).compactMap { StreamName("bench/\($0)") }
        var configuration = RelayConfiguration(name: "ep-1", role: .entrypoint)
        configuration.flushInterval = .zero
        var crypto = try LibcryptoPacketCrypto()
        entrypoint = RelayNode(
            configuration: configuration, crypto: crypto,
            handshakes: try network.identity("ep-1", .entrypoint).handshakes(installingIn: crypto, at: now), seed: 1,
            sink: nil, now: now)
        configuration = RelayConfiguration(name: "set-1", role: .set)
        // The benchmark flushes, after each run of packets.
        configuration.flushInterval = .zero
        configuration.linksPerAddressMax = max(children, configuration.linksPerAddressMax)
        crypto = try LibcryptoPacketCrypto()
        set = RelayNode(
            configuration: configuration, crypto: crypto,
            handshakes: try network.identity("set-1", .set).handshakes(installingIn: crypto, at: now), seed: 2,
            sink: nil, makeMeasurements: { LinkHistograms() }, now: now)
        let shared = try LibcryptoPacketCrypto()
        self.children = try (0..<children).map { [streams = self.streams, parent = setEndpoint, now] number in
            ChildEnd(
                parent: parent, parentName: "set-1", streams: streams,
                handshakes: try network.identity("child-\(number)", .edge).handshakes(installingIn: shared, at: now),
                crypto: shared)
        }
        batch = DatagramBatch(countMax: 1_024, headers: memory)
        payload.initializeMemory(as: UInt8.self, repeating: 0x47)
        for name in self.streams { _ = entrypoint.provide(name, at: now) }
    }

    deinit {
        memory.deallocate()
        datagram.deallocate()
        arrivals.deallocate()
        payload.deallocate()
    }

    /// - Parameters:
    ///   - packets: number of timed packets.
    ///   - run: packets received before the output is sent.
    func measure(packets: Int, run: Int) throws -> Cost {
        var steps = 0
        while !children.allSatisfy({ $0.isSubscribed && $0.packets > 0 }) {
            steps += 1
            guard steps < 20_000 else { throw Companion.Failure(description: "core: children were never served") }
            advance(packets: 1, by: .milliseconds(1))
        }
        let interval = TimeSpan(nanoseconds: 1_000_000_000 / Self.packetsPerSecond) * Int64(run)
        isServed = true
        // Warm-up: queues and tables reach their size, and the packet log wraps once. Before that, each packet is
        // written to memory that the kernel must allocate first.
        let warmUp = max(RelayConfiguration(name: "set-1", role: .set).packetsMax, streams.count * 2)
        for _ in 0..<warmUp / run + 1 { advance(packets: run, by: interval) }
        isTimed = true
        // Measures in blocks and takes their median, because other work on the machine adds to some of them.
        var blocks: [Double] = []
        while blocks.count < max(packets / Self.blockLength, 3) {
            nanoseconds = 0
            for _ in 0..<Self.blockLength / run { advance(packets: run, by: interval) }
            blocks.append(Double(nanoseconds) / Double(Self.blockLength * children.count))
        }
        return Cost(
            nanoseconds: blocks.sorted()[blocks.count / 2],
            allocations: Double(allocations) / Double(blocks.count * Self.blockLength))
    }

    // MARK: One step of time

    private func advance(packets: Int, by span: TimeSpan) {
        now = now + span
        for _ in 0..<packets {
            entrypoint.ingest(UnsafeRawBufferPointer(payload), stream: streams[nextStream], at: now)
            nextStream = nextStream + 1 == streams.count ? 0 : nextStream + 1
        }
        if entrypoint.nextTimeout <= now { entrypoint.handleTimeout(at: now) }
        answerLookUps(of: entrypoint)
        drain(entrypoint, from: sourceEndpoint)
        if set.nextTimeout <= now { timed { set.handleTimeout(at: now) } }
        answerLookUps(of: set)
        drainSet()
        if now >= nextTick {
            nextTick = now + .milliseconds(100)
            for child in children { child.tick(at: now) }
        }
        for (index, child) in children.enumerated() { sendOutput(of: child, index) }
        drainSet()
    }

    private func timed(_ body: () -> Void) {
        guard isTimed else { return body() }
        let before = allocations_of_this_thread()
        let start = Self.time()
        body()
        nanoseconds += Self.time() - start
        allocations += allocations_of_this_thread() - before
    }

    /// The monotonic clock, read without a system call.
    private static func time() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func join(_ entry: DatagramBatch.Entry, of batch: DatagramBatch) -> UnsafeRawBufferPointer {
        let header = UnsafeRawBufferPointer(
            rebasing: batch.headers[Int(entry.headerOffset)..<Int(entry.headerOffset + entry.headerLength)])
        datagram.copyMemory(from: header)
        if let body = entry.body {
            UnsafeMutableRawBufferPointer(rebasing: datagram[header.count...]).copyMemory(
                from: UnsafeRawBufferPointer(start: body, count: Int(entry.bodyLength)))
        }
        return UnsafeRawBufferPointer(rebasing: datagram[..<entry.length])
    }

    private func drain(_ node: RelayNode, from source: Endpoint) {
        var more = node.hasOutput(at: now)
        while more {
            batch.removeAll()
            more = node.transmit(at: now, into: &batch)
            var (arrived, used): ([UnsafeRawBufferPointer], Int) = ([], 0)
            for entry in batch.entries where entry.destination == setEndpoint {
                let bytes = join(entry, of: batch)
                let copy = UnsafeMutableRawBufferPointer(rebasing: arrivals[used..<used + bytes.count])
                copy.copyMemory(from: bytes)
                arrived.append(UnsafeRawBufferPointer(copy))
                used += bytes.count
            }
            timed { for bytes in arrived { set.receive(bytes, from: source, at: now) } }
        }
    }

    /// Takes the set reflector's output: passes control messages on, and data packets only until all children are
    /// served.
    private func drainSet() {
        var more = set.hasOutput(at: now)
        while more {
            batch.removeAll()
            timed { more = set.transmit(at: now, into: &batch) }
            for entry in batch.entries {
                if entry.destination == sourceEndpoint {
                    entrypoint.receive(join(entry, of: batch), from: setEndpoint, at: now)
                } else if entry.body == nil || !isServed {
                    let index = Int(entry.destination.port) - 10_000
                    guard children.indices.contains(index) else { continue }
                    _ = children[index].receive(join(entry, of: batch), at: now)
                }
            }
        }
    }

    private func sendOutput(of child: ChildEnd, _ index: Int) {
        guard !child.output.isEmpty else { return }
        // A node accepts at most 256 links from one address.
        let address = IPAddress(v4: 0x0a00_0100 + UInt32(index / 200))
        let source = Endpoint(address: address, port: UInt16(10_000 + index))
        for entry in child.output.entries {
            let bytes = join(entry, of: child.output)
            timed { set.receive(bytes, from: source, at: now) }
        }
        child.removeOutput()
    }

    private func answerLookUps(of node: RelayNode) {
        while let action = node.nextAction() {
            guard case .lookUp(let name) = action else { continue }
            var answer = LookUpAnswer(hosts: [], ttlSeconds: 86_400)
            if case .announceTargets = name {
                answer.hosts = [ResolvedHost(name: "set-1", endpoint: setEndpoint, priority: 0, weight: 1)]
            } else if case .candidates = name {
                answer.hosts = [ResolvedHost(name: "ep-1", endpoint: sourceEndpoint, priority: 0, weight: 1)]
                answer.portset = PortsetID(4)
            }
            node.lookUpFinished(name, .records(answer), at: now)
        }
    }
}
