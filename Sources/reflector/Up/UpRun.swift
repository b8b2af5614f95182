import Foundation
import LocalNetwork
import ReflectorModel
import UnixSignals

/// One run of `up`, from the first process to the last: start, show, end, evaluate.
struct UpRun: Sendable {
    enum Outcome: Sendable {
        case good, bad
        /// The run was ended by a signal before there was a result.
        case interrupted
    }

    private enum End: Sendable {
        case elapsed
        case signal
        case failed(LocalNetwork.Failure)
    }

    let network: LocalNetwork
    /// How long the run lasts after every edge delivers; nil: until a signal.
    let duration: Duration?
    let plain: Bool

    func run() async -> Outcome {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        let end = await withTaskGroup(of: End?.self) { group in
            group.addTask {
                for await _ in signals { return .signal }
                return nil
            }
            group.addTask { await startAndShow() }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first ?? .signal
        }
        if case .signal = end, !network.isUp {
            await network.stop()
            StandardError.print("reflector: interrupted before the network was up")
            return .interrupted
        }
        // Query the processes while they still run.
        let summary = network.isUp ? await network.summary() : RunSummary()
        await network.stop()
        return outcome(end, summary)
    }

    private func startAndShow() async -> End? {
        await withTaskGroup(of: Void.self) { group -> End? in
            defer { group.cancelAll() }
            do {
                try await network.start(in: &group)
            } catch is CancellationError {
                return nil
            } catch let failure as LocalNetwork.Failure {
                return .failed(failure)
            } catch {
                return .failed(LocalNetwork.Failure(description: "\(error)", culprit: nil))
            }
            StandardOutput.print(welcome)
            await show()
            return Task.isCancelled ? nil : .elapsed
        }
    }

    /// Draws until the time is over or the task is cancelled.
    private func show() async {
        var table = LiveTable(plain: plain)
        let end = duration.map { ContinuousClock.now + $0 }
        while !Task.isCancelled {
            let view = await NetworkView.poll(network.plan)
            let left = end.map { $0 - ContinuousClock.now }
            let deaths = await network.deaths.suffix(3).map { "\($0); restarted" }
            table.draw(view, footer: [footer(left)] + deaths)
            if let left, left <= table.interval {
                try? await Task.sleep(for: max(left, .zero))
                return
            }
            try? await Task.sleep(for: table.interval)
        }
    }

    private func footer(_ left: Duration?) -> String {
        left.map { "\(max($0, .zero).components.seconds) s left" } ?? "Ctrl-C ends it"
    }

    private func outcome(_ end: End, _ summary: RunSummary) -> Outcome {
        if case .failed(let failure) = end {
            StandardError.print("reflector: \(failure)")
            if let culprit = failure.culprit {
                StandardError.print(
                    "the end of \(network.folder.log(of: culprit)):\n\(network.folder.tail(of: culprit))")
            }
            return .bad
        }
        let problems = summary.problems
        StandardOutput.print([""] + summary.lines + summary.notes + problems.map { "problem: \($0)" })
        if problems.isEmpty, case .elapsed = end { StandardOutput.print(["Nothing lost."]) }
        for name in Set(summary.deaths.filter { !$0.isFromOutside }.map(\.name)).sorted() {
            StandardError.print("the end of \(network.folder.log(of: name)):\n\(network.folder.tail(of: name))")
        }
        switch (end, duration) {
        case (.signal, nil): return .good
        case (.signal, _):
            StandardError.print("reflector: interrupted before the time was over")
            return .bad
        default: return problems.isEmpty ? .good : .bad
        }
    }

    /// Commands to try while it runs.
    private var welcome: [String] {
        let plan = network.plan
        var lines = ["", "The network is up. Watch:"]
        for feed in network.feeds {
            for edge in plan.edges {
                let region = edge.region.map { "\($0)" } ?? ""
                lines.append("  http://\(edge.http)/\(feed.stream).ts    \(edge.name), \(region)")
                lines.append("  http://\(edge.http)/\(feed.stream)/index.m3u8")
            }
        }
        lines += ["Ask:"]
        if let server = plan.nameServers.first, let feed = network.feeds.first, let region = plan.edges.first?.region,
            let portset = plan.portset(of: feed.stream)
        {
            let dig = "dig @\(server.address) -p \(server.dns.port)"
            lines += [
                "  \(dig) n1.\(region).\(portset).\(plan.zone)",
                "  \(dig) TXT n1.\(region).\(portset).explain.\(plan.zone)",
                "  \(dig) SRV \(feed.stream.reversedLabels).streams.\(plan.zone)",
                "  reflector trace \(feed.stream) --region \(region)",
            ]
        }
        return lines + [""]
    }
}
