import Glibc
import LDNSKit

/// Asks one name server many questions at a time over one UDP socket. It needs no time-out for questions that get no
/// answer: a last question that surely gets one follows each batch, and when that has been answered, another. A server
/// may change the order of what it received together (NSD does, where it discards a query between), but not of what came
/// after it answered.
public final class BatchExchange {
    /// Most questions a batch: few enough for any socket buffer to hold them, or their answers.
    public static let batchMax = 64

    private let socket: Int32
    private let lasts: [[UInt8]]
    private static let lastIDs: [UInt16] = [0xfffe, 0xfffd]

    /// - Parameters:
    ///   - address: dotted IPv4.
    ///   - zone: a zone that the server has.
    public init(_ address: String, port: UInt16, zone: String) throws {
        socket = try DNSTestClient(address, port: port).open(SOCK_DGRAM)
        lasts = try Self.lastIDs.map { try LDNSMessage.query(id: $0, name: zone, type: 6) }
    }

    deinit { close(socket) }

    /// Asks all of `queries`, at most `batchMax`, of which the first two bytes are overwritten with their number.
    /// Returns each one's answer; nil where none came.
    public func ask(_ queries: ArraySlice<[UInt8]>) throws -> [[UInt8]?] {
        for attempt in 1...3 {
            if let answers = try attemptAll(queries, id: UInt16(attempt) << 8) { return answers }
        }
        throw DNSTestClient.Failure(why: "no answer to the last question of a batch")
    }

    /// Nil, if the last answer does not come within a second.
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
