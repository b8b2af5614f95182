import Glibc
import NIOCore
import ReflectorModel

/// Options of a UDP stream's socket that NIO does not have: the multicast group to join, a receive buffer larger than
/// `net.core.rmem_max`, and the kernel's count of dropped datagrams.
struct DatagramPortOptions {
    /// Why the interface cannot be used or the group cannot be joined.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    /// linux/socket.h, linux/in.h, linux/in6.h.
    private enum Option {
        static let receiveBuffer: CInt = 8
        static let receiveBufferForce: CInt = 33
        static let memoryInformation: CInt = 55
        static let joinGroup: CInt = 42
        static let joinSourceGroup: CInt = 46
        static let leaveGroup: CInt = 45
        static let leaveSourceGroup: CInt = 47
        static let allGroupsV4: CInt = 49
        static let allGroupsV6: CInt = 29
    }

    /// SK_MEMINFO_VARS numbers (linux/sock_diag.h).
    private struct MemoryInformation {
        var others: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0, 0, 0)
        var drops: UInt32 = 0
    }

    private let port: IngestConfiguration.RawPort
    /// 0 means the interface that the routing table picks.
    private let interface: UInt32

    /// Throws if the interface does not exist.
    init(_ port: IngestConfiguration.RawPort) throws {
        self.port = port
        guard let name = port.interface else {
            interface = 0
            return
        }
        interface = if_nametoindex(name)
        guard interface != 0 else {
            throw Problem(
                description: "no interface '\(name)' for the encoder of \(port.stream); 'ip link' lists the interfaces"
            )
        }
    }

    /// The address to bind. For a multicast group it is the group's own address, so that the socket receives no other
    /// datagrams that are sent to the port. An IPv6 address includes the interface if one is named.
    var bindAddress: SocketAddress {
        get throws { try socketAddress(port.listen, scope: interface) }
    }

    /// Joins the group, if the address is a multicast group.
    func join(on channel: any Channel) async throws {
        guard port.isGroup, let socket = channel as? any SocketOptionProvider else { return }
        // Receive only the groups that this socket has joined, not those that other processes have joined.
        try? await socket.unsafeSetSocketOption(
            level: level, name: SocketOptionName(isV4 ? Option.allGroupsV4 : Option.allGroupsV6), value: CInt(0)
        ).get()
        do {
            try await setMembership(joins: true, of: socket)
        } catch let error as IOError {
            let hint =
                interface == 0 ? "; name the interface: --udp \(port.stream)=\(port.listen),interface=eth0" : ""
            throw Problem(
                description: "cannot join \(port.listen.address) for the encoder of \(port.stream): "
                    + String(cString: strerror(error.errnoCode)) + hint)
        }
    }

    /// Joins the group again and ends the membership of `old`. An interface that was removed and re-created, for
    /// example by a restart of the network or of a tunnel, has lost its memberships, and a switch may have dropped
    /// ours.
    func join(again channel: any Channel, inPlaceOf old: DatagramPortOptions) async {
        guard port.isGroup, let socket = channel as? any SocketOptionProvider else { return }
        try? await old.setMembership(joins: false, of: socket)
        try? await setMembership(joins: true, of: socket)
    }

    private var isV4: Bool { port.listen.address.isV4 }
    private var level: SocketOptionLevel { SocketOptionLevel(isV4 ? IPPROTO_IP : IPPROTO_IPV6) }

    private func setMembership(joins: Bool, of socket: any SocketOptionProvider) async throws {
        let group = try storage(port.listen)
        if let source = port.source {
            var request = group_source_req()
            request.gsr_interface = interface
            request.gsr_group = group
            request.gsr_source = try storage(Endpoint(address: source, port: 0))
            let option = joins ? Option.joinSourceGroup : Option.leaveSourceGroup
            try await socket.unsafeSetSocketOption(
                level: level, name: SocketOptionName(option), value: request
            ).get()
        } else {
            var request = group_req()
            request.gr_interface = interface
            request.gr_group = group
            let option = joins ? Option.joinGroup : Option.leaveGroup
            try await socket.unsafeSetSocketOption(
                level: level, name: SocketOptionName(option), value: request
            ).get()
        }
    }

    /// Requests a receive buffer of this size, and returns the size that the kernel granted.
    func setReceiveBuffer(_ bytes: Int, of channel: any Channel) async -> Int {
        guard let socket = channel as? any SocketOptionProvider else { return bytes }
        let level = SocketOptionLevel(SOL_SOCKET)
        for option in [Option.receiveBufferForce, Option.receiveBuffer] {
            let set: Void? = try? await socket.unsafeSetSocketOption(
                level: level, name: SocketOptionName(option), value: CInt(bytes)
            ).get()
            if set != nil { break }
        }
        let granted: CInt? = try? await socket.unsafeGetSocketOption(
            level: level, name: SocketOptionName(Option.receiveBuffer)
        ).get()
        // The kernel doubles the requested size, for its own bookkeeping (socket(7)).
        return granted.map { Int($0) / 2 } ?? bytes
    }

    /// Datagrams that the kernel has dropped because the receive buffer was full, since the socket was opened; wraps.
    static func drops(of channel: any Channel) -> EventLoopFuture<UInt32> {
        guard let socket = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededFuture(0)
        }
        let information: EventLoopFuture<MemoryInformation> = socket.unsafeGetSocketOption(
            level: SocketOptionLevel(SOL_SOCKET), name: SocketOptionName(Option.memoryInformation))
        return information.map { $0.drops }
    }

    private func socketAddress(_ endpoint: Endpoint, scope: UInt32) throws -> SocketAddress {
        let address = try SocketAddress(endpoint)
        guard case .v6(let v6) = address, scope != 0 else { return address }
        var raw = v6.address
        raw.sin6_scope_id = scope
        return SocketAddress(raw, host: "")
    }

    private func storage(_ endpoint: Endpoint) throws -> sockaddr_storage {
        var storage = sockaddr_storage()
        try socketAddress(endpoint, scope: interface).withSockAddr { address, length in
            withUnsafeMutableBytes(of: &storage) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: min(length, $0.count)))
            }
        }
        return storage
    }
}
