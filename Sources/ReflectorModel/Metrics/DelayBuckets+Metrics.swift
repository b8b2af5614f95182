extension DelayBuckets {
    /// The delays as a Prometheus histogram: cumulative buckets, sum and count.
    /// - Parameter step: number of buckets that are merged into one, so that a histogram has few lines.
    public func samples(
        name: String, labels: [(name: String, value: String)], help: String, step: Int
    ) -> [MetricSample] {
        func sample(_ suffix: String, _ more: [(name: String, value: String)], _ value: Double) -> MetricSample {
            MetricSample(name: name, suffix: suffix, labels: labels + more, value: value, kind: .histogram, help: help)
        }
        var samples: [MetricSample] = []
        var total: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            total &+= count
            let bound = Self.bound(of: bucket)
            if bound.isInfinite {
                samples.append(sample("_bucket", [("le", "+Inf")], Double(total)))
            } else if bucket.isMultiple(of: step) {
                samples.append(sample("_bucket", [("le", "\(bound)")], Double(total)))
            }
        }
        return samples + [sample("_sum", [], Double(sumNanoseconds) / 1e9), sample("_count", [], Double(total))]
    }
}
