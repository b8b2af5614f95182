import ReflectorModel

/// Reads a trace line by line, and continues after a problem.
struct ImpairmentTraceReader {
    let file: String
    private(set) var steps: [ImpairmentTrace.Step] = []
    private(set) var repeatsAfter: TimeSpan?
    private(set) var problems: [String] = []
    private static let problemsMax = 100
    private static let names = ["time in seconds", "loss %", "burst", "delay ms", "jitter ms", "rate kbit/s"]
    /// Largest value of a time in seconds, a burst in datagrams and a rate in kbit/s.
    private static let largest = 1e9
    private var number = 0
    private var lastTime = TimeSpan(nanoseconds: -1)

    init(file: String) { self.file = file }

    /// A word of the line.
    private struct Field {
        var text: Substring
        /// From 1, in characters.
        var column: Int
        /// The text for messages.
        var shown: Substring { text.prefix(32) }
    }

    /// Reads a line; the first has number 1.
    mutating func read(_ line: Substring, number: Int) {
        self.number = number
        let fields = Self.fields(of: line)
        guard let first = fields.first else { return }
        guard repeatsAfter == nil else {
            return complain(first, "'loop' must be the last line; move or remove this one")
        }
        let known = problems.count
        let time = figure(first, Self.names[0], 0...Self.largest).map { Self.span($0, 1e9) }
        if let time, time <= lastTime {
            complain(first, "time \(first.shown) is not later than that of the previous line; put the lines in order")
        }
        if let time { lastTime = max(time, lastTime) }
        if fields.count > 1, fields[1].text == "loop" {
            if fields.count > 2 { complain(fields[2], "nothing follows 'loop'; remove '\(fields[2].shown)'") }
            if steps.isEmpty, problems.isEmpty { complain(first, "nothing to repeat; write a step before 'loop'") }
            if let time, known == problems.count { repeatsAfter = time }
            return
        }
        guard fields.count >= 4 else {
            let missing = Self.names[fields.count]
            let end = Field(text: "", column: (fields.last?.column ?? 1) + (fields.last?.text.count ?? 0))
            return complain(end, "\(missing) is missing; a line is seconds, loss %, burst (or -), delay ms")
        }
        if fields.count > 6 {
            complain(fields[6], "'\(fields[6].shown)' is one field too many; a line ends with the rate in kbit/s")
        }
        let loss = figure(fields[1], Self.names[1], 0...100).map { $0 / 100 }
        let episode = episode(fields[2], loss: loss)
        let delay = figure(fields[3], Self.names[3], 0...600_000)
        let jitter = fields.count > 4 ? figure(fields[4], Self.names[4], 0...600_000, isOptional: true) : 0
        var rate: Double? = 0
        if fields.count > 5 { rate = figure(fields[5], Self.names[5], 1...Self.largest, isOptional: true) }
        guard problems.count == known, let time, let loss, let episode, let delay, let jitter, let rate else { return }
        guard steps.count < ImpairmentTrace.stepsMax else {
            return complain(first, "more than \(ImpairmentTrace.stepsMax) steps; make them longer")
        }
        steps.append(
            ImpairmentTrace.Step(
                at: time, loss: loss, episode: episode, delay: Self.span(delay, 1e6),
                jitter: Self.span(jitter, 1e6), bitsPerSecond: rate > 0 ? Int64((rate * 1_000).rounded()) : nil))
    }

    private mutating func episode(_ field: Field, loss: Double?) -> ImpairmentOptions.Episode? {
        if field.text == "-" { return .independent }
        if field.text.hasSuffix("ms") {
            let number = Field(text: field.text.dropLast(2), column: field.column)
            return figure(number, "burst in ms", 0.001...600_000).map { .time(Self.span($0, 1e6)) }
        }
        guard let mean = figure(field, Self.names[2], 1...Self.largest) else { return nil }
        // Runs of that mean length cannot add up to that much loss: see `ImpairmentOptions.problems`.
        if let loss, loss < 1, loss / (mean * (1 - loss)) > 1 {
            complain(field, "burst \(field.shown) is too short for so much loss; write '-' or at least loss/(1 − loss)")
            return nil
        }
        return .datagrams(mean)
    }

    /// A number within a range; `-` means 0 in an optional field.
    private mutating func figure(
        _ field: Field, _ name: String, _ range: ClosedRange<Double>, isOptional: Bool = false
    ) -> Double? {
        if isOptional, field.text == "-" { return 0 }
        guard let value = Double(field.text), value.isFinite else {
            complain(field, "\(name): '\(field.shown)' is not a number; write one like 12.5")
            return nil
        }
        guard range.contains(value) else {
            let (least, most) = (RepairGrid.text(range.lowerBound), RepairGrid.text(range.upperBound))
            complain(field, "\(name): \(field.shown) must lie between \(least) and \(most)")
            return nil
        }
        return value
    }

    /// Checks the whole trace after the last line.
    mutating func finish() {
        guard steps.isEmpty, problems.isEmpty else { return }
        problems.append("\(file):1:1: no step; write at least '0 0 - 0': seconds, loss %, burst, delay ms")
    }

    private mutating func complain(_ field: Field, _ what: String) {
        guard problems.count < Self.problemsMax else { return }
        problems.append("\(file):\(number):\(field.column): \(what)")
    }

    private static func span(_ value: Double, _ nanoseconds: Double) -> TimeSpan {
        TimeSpan(nanoseconds: Int64((value * nanoseconds).rounded()))
    }

    /// Words between blanks, up to a comment.
    private static func fields(of line: Substring) -> [Field] {
        var fields: [Field] = []
        var column = 0
        var isInside = false
        for index in line.indices {
            column += 1
            let character = line[index]
            if character == "#" { break }
            if character == " " || character == "\t" || character == "\r" {
                isInside = false
            } else if isInside, let last = fields.last {
                fields[fields.count - 1].text = line[last.text.startIndex...index]
            } else {
                isInside = true
                fields.append(Field(text: line[index...index], column: column))
            }
        }
        return fields
    }
}
