import DNSAnswers
import Logging
import ReflectorModel

/// One query with its reply, for the log: copied out of the loop's buffers and parsed later.
struct QuerySample: Sendable {
    /// Maximum number of bytes of a query that are kept: enough for header and question.
    private static let queryBytesMax = 12 + 255 + 4

    private let query: [UInt8]
    private let replyHead: [UInt8]
    private let replyLength: Int
    private let source: Endpoint

    init(query: UnsafeRawBufferPointer, reply: UnsafeRawBufferPointer, source: Endpoint) {
        self.query = Array(query.prefix(Self.queryBytesMax))
        replyHead = Array(reply.prefix(12))
        replyLength = reply.count
        self.source = source
    }

    /// The fields of the log line.
    var metadata: Logger.Metadata {
        var result: Logger.Metadata = ["source": "\(source)", "reply_bytes": "\(replyLength)"]
        if let question = question {
            result["name"] = "\(question.name)"
            result["type"] = "\(DNSNames.type(question.type))"
            if question.recordClass != 1 { result["class"] = "\(question.recordClass)" }
        }
        result["rcode"] = replyHead.count < 12 ? "none" : "\(DNSNames.code(Int(replyHead[3] & 15)))"
        if replyHead.count == 12, replyHead[2] & 2 != 0 { result["truncated"] = "true" }
        return result
    }

    /// Name, type and class of the question; nil if the query has no readable question.
    private var question: (name: String, type: UInt16, recordClass: UInt16)? {
        var labels: [String] = []
        var position = 12
        while position < query.count, query[position] != 0 {
            let length = Int(query[position])
            guard length < 64, position + 1 + length < query.count else { return nil }
            labels.append(DNSNames.label(query[(position + 1)..<(position + 1 + length)]))
            position += 1 + length
        }
        guard position + 5 <= query.count else { return nil }
        let number = { (at: Int) in UInt16(query[at]) << 8 | UInt16(query[at + 1]) }
        return (labels.isEmpty ? "." : labels.joined(separator: "."), number(position + 1), number(position + 3))
    }
}

/// Writes sampled queries to the log, off the loops. If samples arrive faster than it can write them, the oldest
/// waiting ones are dropped.
struct QueryLog: Sendable {
    /// Maximum number of samples waiting to be written.
    private static let waitingMax = 256

    /// Accepts a sample; never blocks.
    let take: @Sendable (QuerySample) -> Void
    private let samples: AsyncStream<QuerySample>
    private let logger: Logger

    init(logger: Logger) {
        let (samples, continuation) = AsyncStream.makeStream(
            of: QuerySample.self, bufferingPolicy: .bufferingNewest(Self.waitingMax))
        self.samples = samples
        self.logger = logger
        take = { continuation.yield($0) }
    }

    /// Writes until the task is cancelled.
    func run() async {
        for await sample in samples { logger.info("query", metadata: sample.metadata) }
    }
}
