import DNSTestClient
import Glibc
import Testing

@Suite("The stall detector", .serialized)
struct StallDetectorTests {
    /// Stops all threads, as on a host that has lost its processors.
    private func stall() { _ = system("kill -STOP \(getpid()); sleep 0.2; kill -CONT \(getpid())") }

    @Test("A missed limit is measured again if the host stalled meanwhile, up to three times in all")
    func stalled() async throws {
        var measurements: [Int] = []
        let took = try await StallDetector.measure("a test of the detector", limit: .milliseconds(200)) { number in
            measurements.append(number)
            stall()
            return .milliseconds(200 + Int64(number))
        }
        #expect(measurements == [0, 1, 2])
        #expect(took == .milliseconds(202))
    }

    @Test("A limit that is missed without a stall, or that is met, is measured once")
    func once() async throws {
        for (span, isStalled) in [(Duration.seconds(1), false), (.milliseconds(199), true)] {
            var measurements = 0
            let took = try await StallDetector.measure("a test of the detector", limit: .milliseconds(200)) { _ in
                measurements += 1
                if isStalled { stall() }
                return span
            }
            #expect(took == span)
            #expect(measurements == 1)
        }
    }
}
