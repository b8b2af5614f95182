import ReflectorModel
import RelayCore
import Testing

@testable import RelayService

@Suite("Histograms of a link's delays")
struct LinkHistogramTests {
    private func at(_ seconds: Double) -> MonotonicInstant { .zero + .nanoseconds(Int64(seconds * 1e9)) }

    @Test("in the first minute they show the samples so far, with two significant digits")
    func firstMinute() throws {
        let histograms = LinkHistograms()
        #expect(histograms.summary(of: .delayVariation, at: at(0)) == nil)
        for index in 1...1_000 {
            histograms.record(.delayVariation, .microseconds(Int64(index) * 20), count: 1, at: at(Double(index) / 100))
        }
        let told = try #require(histograms.summary(of: .delayVariation, at: at(10)))
        #expect(told.count == 1_000)
        #expect(abs(told.sumMilliseconds - 10_010) < 1)
        #expect(abs((told.p50Milliseconds ?? 0) - 10) <= 0.1)
        #expect(abs((told.p99Milliseconds ?? 0) - 19.8) <= 0.2)
        #expect(told.maxMilliseconds == 20)
        #expect(histograms.summary(of: .roundTrip, at: at(10)) == nil, "the measures are separate")
    }

    @Test("after that they show the last whole minute, and nothing if it has no samples")
    func minutes() throws {
        let histograms = LinkHistograms()
        for second in 0..<60 { histograms.record(.roundTrip, .milliseconds(10), count: 1, at: at(Double(second))) }
        for second in 60..<90 { histograms.record(.roundTrip, .milliseconds(500), count: 1, at: at(Double(second))) }
        let during = try #require(histograms.summary(of: .roundTrip, at: at(90)))
        #expect(abs((during.p99Milliseconds ?? 0) - 10) < 0.2, "the quantiles do not include the current minute")
        #expect(during.count == 90)
        let after = try #require(histograms.summary(of: .roundTrip, at: at(121)))
        #expect(abs((after.p50Milliseconds ?? 0) - 500) < 5)
        let silent = try #require(histograms.summary(of: .roundTrip, at: at(181)))
        #expect(silent.p50Milliseconds == nil && silent.maxMilliseconds == nil)
        #expect(silent.count == 90, "the total count stays")
        histograms.record(.roundTrip, .milliseconds(20), count: 1, at: at(400))
        let latest = try #require(histograms.summary(of: .roundTrip, at: at(401)))
        #expect(abs((latest.p99Milliseconds ?? 0) - 20) < 0.3, "not older samples")
    }

    @Test("a run of packets counts once per packet, and values out of range count as the nearest limit")
    func counts() throws {
        let histograms = LinkHistograms()
        histograms.record(.residence, .microseconds(700), count: 98, at: at(1))
        histograms.record(.residence, .seconds(3_600), count: 1, at: at(1))
        histograms.record(.residence, .nanoseconds(-7), count: 1, at: at(1))
        histograms.record(.residence, .seconds(1), count: 0, at: at(1))
        histograms.record(.residence, .seconds(1), count: -3, at: at(1))
        let told = try #require(histograms.summary(of: .residence, at: at(2)))
        #expect(told.count == 100)
        #expect(abs((told.p50Milliseconds ?? 0) - 0.7) < 0.01)
        #expect(told.maxMilliseconds == 10_000)
    }
}
