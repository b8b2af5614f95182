import ReflectorModel
import Testing

@Suite("Readable times")
struct UTCTimeTests {
    @Test(
        "Unix time is printed as a date",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_795_242_000, "2026-11-21T06:20:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"), (-1, "1969-12-31T23:59:59Z"),
        ])
    func reads(_ seconds: Int64, _ text: String) {
        #expect(UTCTime.text(seconds) == text)
    }
}
