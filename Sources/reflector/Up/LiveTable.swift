import ArgumentParser
import Foundation
import Glibc
import LocalNetwork
import ReflectorModel

/// Shows the network while it runs: redrawn in place on a terminal, otherwise as a block of lines from time to time.
struct LiveTable {
    private let isTerminal: Bool
    private var linesDrawn = 0
    private var last: (at: ContinuousClock.Instant, packets: [NodeTable.RateKey: UInt64])?
    private var rates: [NodeTable.RateKey: Double] = [:]

    /// How often to draw.
    var interval: Duration { isTerminal ? .seconds(1) : .seconds(5) }

    /// - Parameter plain: prints blocks of lines even on a terminal.
    init(plain: Bool) { isTerminal = !plain && isatty(STDOUT_FILENO) == 1 }

    mutating func draw(_ network: NetworkView, footer: [String]) {
        updateRates(network)
        let rows = network.nodes.map { entry in
            (name: entry.node.name, note: entry.note, status: entry.status)
        }
        var lines = NodeTable.lines(rows, rates: rates) + footer
        var text = ""
        if isTerminal {
            let width = terminalWidth()
            lines = lines.map { String($0.prefix(width)) }
            if linesDrawn > 0 { text += "\u{1B}[\(linesDrawn)A" }
            text += lines.map { "\r\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J"
        } else {
            text += lines.map { "\($0)\n" }.joined() + "\n"
        }
        linesDrawn = lines.count
        StandardOutput.write(text)
    }

    private mutating func updateRates(_ network: NetworkView) {
        var packets: [NodeTable.RateKey: UInt64] = [:]
        for entry in network.nodes {
            for stream in entry.status?.streams ?? [] {
                packets[NodeTable.RateKey(node: entry.node.name, stream: stream.name)] = stream.packetsIn
            }
        }
        let now = ContinuousClock.now
        if let last, now > last.at {
            let span = (now - last.at) / .seconds(1)
            rates = [:]
            for (key, count) in packets {
                // A node that restarted counts from zero.
                if let before = last.packets[key], count >= before { rates[key] = Double(count - before) / span }
            }
        }
        last = (now, packets)
    }

    private func terminalWidth() -> Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 120 }
        return Int(size.ws_col)
    }
}

/// Lines for people on standard output, unbuffered even into a pipe.
enum StandardOutput {
    static func print(_ lines: [String]) { write(lines.map { $0 + "\n" }.joined()) }
    static func write(_ text: String) { PlainOutput.write(text, to: .standardOutput) }

    /// For output that is useless if incomplete: reports a write error and ends the command with status 1.
    static func writeAll(_ bytes: [UInt8]) throws {
        guard !PlainOutput.write(bytes, to: STDOUT_FILENO) else { return }
        StandardError.print("reflector: standard output: \(String(cString: strerror(errno)))")
        throw ExitCode(1)
    }
}
