import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Streams pass through unchanged", .serialized)
struct ExactnessTests {
    /// In front of each set reflector, an impairment relay listens on the reflector's address in the zone. It loses 2 %
    /// of the packets from entrypoints and to edges, in bursts of 3 on average.
    @Test("a file fed over TCP comes out of both edges byte for byte, with 2 % bursty loss on both hops")
    func exact() async throws {
        let sets = ["nyc-1", "nyc-2", "lon-1", "lon-2", "sjc-1"]
        let net: UInt8 = 74
        try await TestNetwork.with(net: net) { network in
            var options: [String: [String]] = ["edge": ["--deadline", "2000"]]
            for (number, name) in sets.enumerated() {
                let node = try network.node(name)
                let real = "127.\(net).12.\(number + 1)"
                options[name] = ["--listen", "\(real):4900", "--ops", "\(node.ops)", "--deadline", "2000"]
                try await network.startProgram(
                    Program.reflector,
                    [
                        "impair", "--listen", "\(node.address):4900", "--to", "\(real):4900", "--loss", "2%",
                        "--burst", "3", "--seed", "\(number + 1)", "--bind", "127.\(net).13.\(number + 1)",
                    ], name: "impair-\(name)")
            }
            let entrypoint = try network.node("ep-bos").address
            options["ep-bos"] = ["--tcp", "live/news=\(entrypoint):9000", "--ingest-rate-max", "4000000"]
            try await network.startAll(options: options)

            let file = network.folder + "/input.ts"
            let picture = try Data(contentsOf: URL(fileURLWithPath: TestPictureFile.path))
            var input = Data()
            while input.count < 4_000_000 { input.append(picture) }
            try input.write(to: URL(fileURLWithPath: file))
            // The encoder's first packets make the stream known; the rest waits for the viewers.
            let feed = """
                exec 3>/dev/tcp/\(entrypoint)/9000; head -c 131600 '\(file)' >&3; sleep 4
                tail -c +131601 '\(file)' >&3; sleep 5
                """
            try await network.startProgram("bash", ["-c", feed], name: "encoder")
            try await eventually("the stream at the entrypoint") {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 50
            }
            var outputs: [String: String] = [:]
            for edge in ["edge-bos", "edge-nen"] {
                outputs[edge] = network.folder + "/\(edge).out"
                try await network.startViewer(of: edge, name: "viewer-\(edge)", output: outputs[edge])
            }
            let expected = UInt64((input.count + 1_315) / 1_316)
            for edge in ["edge-bos", "edge-nen"] {
                try await eventually("the whole file at \(edge)", within: .seconds(40), every: .milliseconds(250)) {
                    let status = try await network.stream("live/news", at: edge)
                    return (status?.highestSequence ?? 0) >= expected && (status?.delivered ?? 0) > expected * 9 / 10
                }
            }
            for edge in ["edge-bos", "edge-nen"] {
                // The last repaired packets arrive at most one deadline later, and the viewer still has to write them.
                _ = try? await eventually("the last bytes at \(edge)", every: .milliseconds(250)) {
                    let output = try Data(contentsOf: URL(fileURLWithPath: outputs[edge] ?? ""))
                    return output.count > input.count * 9 / 10 && input.suffix(output.count) == output
                }
            }
            // No bytes may follow them.
            try await Task.sleep(for: .seconds(1))
            for edge in ["edge-bos", "edge-nen"] {
                let status = try #require(try await network.stream("live/news", at: edge))
                let output = try Data(contentsOf: URL(fileURLWithPath: outputs[edge] ?? ""))
                #expect(status.lost == 0)
                #expect(output.count > input.count * 9 / 10)
                #expect(input.suffix(output.count) == output, "\(edge): not the bytes of the input")
                #expect(status.repaired > 10, "there was no loss")
                print("\(edge): \(output.count) bytes exact, \(status.repaired) repaired, \(status.lost) lost")
            }
        }
    }
}
