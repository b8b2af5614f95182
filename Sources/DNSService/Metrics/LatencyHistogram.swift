import ReflectorModel

/// How long replies took, from the moment their queries were received to the moment they were handed to the kernel.
struct LatencyHistogram: Sendable, Equatable {
    /// Upper ends of the buckets; above the last there is no end.
    static let bounds: [TimeSpan] = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 200_000]
        .map { .nanoseconds($0 * 1_000) }

    /// Replies by bucket; the last is that without an end.
    private(set) var counts = Array(repeating: UInt64(0), count: bounds.count + 1)
    private(set) var sum: Double = 0

    mutating func add(_ latency: TimeSpan, count: Int) {
        guard count > 0 else { return }
        var bucket = 0
        while bucket < Self.bounds.count, Self.bounds[bucket] < latency { bucket += 1 }
        counts[bucket] &+= UInt64(count)
        sum += Double(latency.nanoseconds) * Double(count) / 1e9
    }

    static func += (a: inout LatencyHistogram, b: LatencyHistogram) {
        for bucket in a.counts.indices { a.counts[bucket] &+= b.counts[bucket] }
        a.sum += b.sum
    }

    /// As a Prometheus histogram: cumulative buckets, sum and count.
    func samples(name: String, labels: [(name: String, value: String)], help: String) -> [MetricSample] {
        func sample(_ suffix: String, _ labels: [(name: String, value: String)], _ value: Double) -> MetricSample {
            MetricSample(name: name, suffix: suffix, labels: labels, value: value, kind: .histogram, help: help)
        }
        var total: UInt64 = 0
        var result: [MetricSample] = []
        for (bucket, count) in counts.enumerated() {
            total &+= count
            let bound = bucket < Self.bounds.count ? "\(Double(Self.bounds[bucket].nanoseconds) / 1e9)" : "+Inf"
            result.append(sample("_bucket", labels + [("le", bound)], Double(total)))
        }
        return result + [sample("_sum", labels, sum), sample("_count", labels, Double(total))]
    }
}
