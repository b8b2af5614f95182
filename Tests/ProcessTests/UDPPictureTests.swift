import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Pictures over UDP", .serialized)
struct UDPPictureTests {
    /// Sends 25 pictures of 1 MB, each in one burst, at 45 Mb/s on average, in datagrams of 1,472 bytes as ffmpeg does.
    /// Each TS packet has its number after its header.
    private static let encoder = """
        import socket, sys, time
        host, port = sys.argv[1].rsplit(':', 1)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        number, rest, start, sent = 0, b'', time.monotonic(), 0
        for picture in range(25):
            for packet in range(5319):
                rest += bytes([0x47, 1, 0, 0x10 | number & 15]) + number.to_bytes(8, 'big') + bytes(176)
                number += 1
                while len(rest) >= 1472:
                    s.sendto(rest[:1472], (host, int(port)))
                    rest = rest[1472:]
                    sent += 1472
            time.sleep(max(start + sent * 8 / 45e6 - time.monotonic(), 0))
        """

    @Test("pictures of 1 MB that leave the encoder in one burst come out of an edge complete")
    func pictures() async throws {
        try await TestNetwork.with(net: 61) { network in
            let port = Endpoint(address: try network.node("ep-bos").address, port: 7_001)
            try await network.startAll(options: ["ep-bos": ["--udp", "live/news=\(port)"]])
            try await network.startProgram("python3", ["-c", Self.encoder, "\(port)"], name: "encoder")
            try await eventually("the stream at the entrypoint") {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 50
            }
            let output = network.folder + "/edge-bos.out"
            try await network.startViewer(of: "edge-bos", name: "viewer", output: output)
            let last = UInt64(25 * 5_319 - 8)
            func numbers() throws -> [UInt64] {
                let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: output)))
                return stride(from: 0, through: data.count - 188, by: 188).map { start in
                    data[start + 4..<start + 12].reduce(0) { $0 << 8 | UInt64($1) }
                }
            }
            try await eventually("the last picture at the viewer", within: .seconds(20), every: .milliseconds(250)) {
                try numbers().last ?? 0 >= last
            }
            let received = try numbers()
            #expect(received.count > 10 * 5_319)
            #expect(zip(received, received.dropFirst()).allSatisfy { $0 + 1 == $1 })
            let counters = try await network.status(of: "ep-bos").counters
            for name in ["over_rate", "overload", "kernel_dropped"] {
                #expect(counters["ingest_datagram_\(name)"] == 0, "\(name)")
            }
            #expect(counters["ingest_bytes_out_of_sync"] == 0)
        }
    }
}
