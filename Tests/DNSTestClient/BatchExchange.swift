import Glibc
import LDNSKit

/// Sends many questions at a time to one name server over one UDP socket. It needs no timeout for questions without an
/// answer: each batch ends with a question that is always answered, and after its answer a second such question
/// follows. A server may reorder datagrams that it received together (NSD does when it drops a query between them), but
/// not those that it receives after it has answered.
public final class BatchExchange {
    /// Maximum number of questions per batch: any socket buffer can hold them, or their answers.
    public static let batchMax = 64

    private let socket: Int32
    private let lasts: [[UInt8]]
    private static let lastIDs: [UInt16] = [0xfffe, 0xfffd]

    /// - Parameters:
    ///   - address: dotted IPv4.
    ///   - zone: a zone that the server serves.
    public init(_ address: String, port: UInt16, zone: String) throws {
        socket = try DNSTestClient(address, port: port).open(SOCK_DGRAM)
        lasts = try Self.lastIDs.map { try LDNSMessage.query(id: $0, name: zone, type: 6) }
    }

    deinit { close(socket) }

    /// Sends all of `queries`, at most `batchMax`, and overwrites their first two bytes with their number. Returns the
    /// answer to each; nil if there was none.
    public func ask(_ queries: ArraySlice<[UInt8]>) throws -> [[UInt8]?] {
        for attempt in 1...3 {
            if let answers = try attemptAll(queries, id: UInt16(attempt) << 8) { return answers }
        }
        throw DNSTestClient.Failure(why: "no answer to the last question of a batch")
    }

    /// Nil if the last answer does not arrive within a second.
    private func attemptAll(_ queries: ArraySlice<[UInt8]>, id: UInt16) throws -> [[UInt8]?]? {
        for (number, query) in queries.enumerated() {
            var bytes = query
            let own = id | UInt16(number)
            if bytes.count >= 2 { (bytes[0], bytes[1]) = (UInt8(own >> 8), UInt8(own & 255)) }
            guard send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
                throw DNSTestClient.Failure(why: "send: \(String(cString: strerror(errno)))")
            }
        }
        _ = send(socket, lasts[0], lasts[0].count, Int32(MSG_NOSIGNAL))
        var answers = [[UInt8]?](repeating: nil, count: queries.count)
        return try withUnsafeTemporaryAllocation(byteCount: 65_535, alignment: 8) { buffer in
            let deadline = ContinuousClock.now + .seconds(30)
            while ContinuousClock.now < deadline {
                let count = recv(socket, buffer.baseAddress, buffer.count, 0)
                if count < 0, errno == EAGAIN { return nil }
                guard count >= 0 else {
                    throw DNSTestClient.Failure(why: "recv: \(String(cString: strerror(errno)))")
                }
                guard count >= 2 else { continue }
                let answered = UInt16(buffer[0]) << 8 | UInt16(buffer[1])
                if answered == Self.lastIDs[0] { _ = send(socket, lasts[1], lasts[1].count, Int32(MSG_NOSIGNAL)) }
                if answered == Self.lastIDs[1] { return answers }
                let number = Int(answered & 255)
                guard answered & 0xff00 == id, number < answers.count else { continue }
                answers[number] = Array(buffer[..<count])
            }
            return nil
        }
    }
}
