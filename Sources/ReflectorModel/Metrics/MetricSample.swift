/// One value of a metric, as `/metrics` reports it.
public struct MetricSample: Sendable, Equatable {
    /// The type of the metric (Prometheus text format 0.0.4, `# TYPE`).
    public enum Kind: String, Sendable {
        /// Only ever grows.
        case counter
        case gauge
        /// Cumulative buckets with the `suffix` `_bucket`; also samples with `_sum` and with `_count`.
        case histogram
        /// Quantiles with the label `quantile`; also samples with the `suffix` `_sum` and with `_count`.
        case summary
    }

    /// The name of the metric, such as `reflector_packets_delivered_total`. Characters other than letters, digits, `_`
    /// and `:` are written as `_`.
    public var name: String
    /// The suffix that a sample of a histogram or summary adds to the name of its metric.
    public var suffix: String
    /// Written in the order given here.
    public var labels: [(name: String, value: String)]
    public var value: Double
    public var kind: Kind
    /// One sentence that describes the metric. The first sample of a name sets the HELP text.
    public var help: String

    public init(
        name: String, suffix: String = "", labels: [(name: String, value: String)] = [], value: Double, kind: Kind,
        help: String
    ) {
        self.name = name
        self.suffix = suffix
        self.labels = labels
        self.value = value
        self.kind = kind
        self.help = help
    }

    public static func == (a: MetricSample, b: MetricSample) -> Bool {
        a.name == b.name && a.suffix == b.suffix && a.value == b.value && a.kind == b.kind && a.help == b.help
            && a.labels.elementsEqual(b.labels) { $0 == $1 }
    }
}
