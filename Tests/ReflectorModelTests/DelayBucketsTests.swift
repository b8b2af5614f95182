import Foundation
import Testing

@testable import ReflectorModel

@Suite("36 fixed buckets of delay")
struct DelayBucketsTests {
    @Test("each bucket's upper bound is √2 times the one before, from 8.2 µs to 1.07 s")
    func bounds() {
        #expect(DelayBuckets.bound(of: 0) == 8.192e-6)
        for bucket in 1..<DelayBuckets.count - 1 {
            let ratio = DelayBuckets.bound(of: bucket) / DelayBuckets.bound(of: bucket - 1)
            #expect(abs(ratio - 2.0.squareRoot()) < 1e-9)
        }
        #expect(abs(DelayBuckets.bound(of: 34) - 1.073_741_824) < 1e-9)
        #expect(DelayBuckets.bound(of: 35) == .infinity)
    }

    @Test("a delay falls into the bucket whose bounds enclose it, at every bound and for every power of two")
    func places() {
        var values: [UInt64] = [0, 1, .max, .max - 1, UInt64(Int64.max)]
        for bucket in 0..<DelayBuckets.count - 1 {
            let bound = UInt64(DelayBuckets.bound(of: bucket) * 1e9)
            values += [bound - 1, bound, bound + 1]
        }
        for shift in UInt64(0)..<64 { values.append(1 << shift) }
        for value in values {
            let bucket = DelayBuckets.bucket(of: value)
            let seconds = Double(value) / 1e9
            #expect(seconds < DelayBuckets.bound(of: bucket) + 2e-9, "\(value)")
            #expect(bucket == 0 || seconds > DelayBuckets.bound(of: bucket - 1) - 2e-9, "\(value)")
        }
    }

    @Test("quantiles are never below the true value, and at most √2 times it")
    func quantiles() throws {
        var buckets = DelayBuckets()
        #expect(buckets.quantileMilliseconds(0.5) == nil)
        for tenths in 1...1_000 { buckets.note(.microseconds(Int64(tenths) * 100)) }
        for (share, truth) in [(0.1, 10.0), (0.5, 50), (0.99, 99), (1, 100)] {
            let told = try #require(buckets.quantileMilliseconds(share))
            #expect(told >= truth && told <= truth * 2.0.squareRoot() + 1e-9, "\(share): \(told)")
        }
        #expect(buckets.total == 1_000)
        #expect(buckets.sumNanoseconds == 50_050_000_000)
    }

    @Test("many packets can be counted at once; a negative delay counts as zero, an endless one is in the last bucket")
    func edges() {
        var buckets = DelayBuckets()
        buckets.note(.milliseconds(1), count: 30)
        buckets.note(.nanoseconds(-5))
        buckets.note(.nanoseconds(.min))
        buckets.note(.nanoseconds(.max), count: .max)
        #expect(buckets.counts[0] == 2)
        #expect(buckets.counts[DelayBuckets.bucket(of: 1_000_000)] == 30)
        #expect(buckets.counts[35] == .max)
    }

    @Test("JSON has the counts and the quantiles; another number of buckets is refused")
    func json() throws {
        var buckets = DelayBuckets()
        buckets.note(.milliseconds(3), count: 7)
        let data = try JSONEncoder().encode(buckets)
        #expect(try JSONDecoder().decode(DelayBuckets.self, from: data) == buckets)
        #expect(String(decoding: data, as: UTF8.self).contains("p99Milliseconds"))
        let short = Data(#"{"counts":[1,2,3],"sumNanoseconds":4}"#.utf8)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(DelayBuckets.self, from: short) }
    }
}

@Suite("Node status")
struct NodeStatusTests {
    @Test("the status of an older node, without delays and pages, can be read")
    func older() throws {
        let json = """
            {"name":"edge-bos","role":"edge","zone":"reflector.net","endpoint":"127.0.0.1:4900","uptimeSeconds":1,
             "counters":{},
             "links":[{"peer":"a","endpoint":"127.0.0.1:1","part":"parent","state":"alive","lossPercent":0,
                       "packetsSent":0,"packetsReceived":0,"retransmits":0,"subscriptions":1}],
             "streams":[{"name":"live/news","portset":"s7","highestSequence":1,"packetsIn":1,"bytesIn":1,
                         "packetsOut":0,"children":0,"viewers":0,"paths":[],"delivered":1,"lost":0,"repaired":0,
                         "duplicates":0,"gapMillisecondsMax":0}]}
            """
        let status = try JSONDecoder().decode(NodeStatus.self, from: Data(json.utf8))
        #expect(status.links.first?.delayVariation == nil)
        #expect(status.streams.first?.residence == nil)
        #expect(status.nextStreams == nil && status.streamsTotal == nil)
    }

    @Test("a page has at most 1,024 streams")
    func pages() {
        #expect(StreamPage(from: 0, count: 1_024) != nil)
        #expect(StreamPage(from: 0, count: 1_025) == nil)
        #expect(StreamPage(from: -1) == nil)
        #expect(StreamPage(count: -1) == nil)
        #expect(StreamPage(from: .max, count: 0) != nil)
        #expect(StreamPage() == .first)
        #expect(StreamPage.none.isFirst && StreamPage.none.count == 0)
    }
}
