import ReflectorModel
import Testing

@testable import LocalNetwork

@Suite("The end of a log")
struct LogTailTests {
    @Test("The last lines are shown, repeated ones once")
    func plain() {
        #expect(LogTail.lines(of: "") == [])
        #expect(LogTail.lines(of: "a\nb\nb\n\nb\nc\n") == ["a", "b", "c"])
        let many = (0..<40).map { "line \($0)\n" }.joined()
        #expect(LogTail.lines(of: many) == (25..<40).map { Substring("line \($0)") })
    }

    @Test("The first lines of a crash report are shown, with the lines before it but without its registers")
    func crash() {
        let registers = (0..<60).map { "r\($0): 0x0\n" }.joined()
        let log = "1\n2\n3\n4\nFatal error: Index out of range\n\n*** Program crashed: …\n\nThread 0:\n" + registers
        let lines = LogTail.lines(of: log)
        #expect(lines.count == LogTail.countMax)
        #expect(lines.prefix(5) == ["2", "3", "4", "Fatal error: Index out of range", "*** Program crashed: …"])
    }
}
