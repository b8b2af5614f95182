import ArgumentParser
import Foundation
import ZoneCompiler

/// `reflector zone check DIR`.
struct ZoneCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "List every problem of a directory at once.",
        discussion: """
            Prints FILE:LINE:COLUMN: PROBLEM AND REMEDY for every problem, sorted. A name server refuses a directory \
            with errors and keeps its last good zones; it serves one with warnings.

            Exit status: 0 no errors, 1 errors (or, with --strict, warnings), 2 wrong usage.

            Example:
              reflector zone check zones
            """)

    @Argument(help: "The directory with the .zone, .portsets and .streams files.")
    var directory: String

    @Flag(help: "Print one JSON object: files' problems and a summary of each zone.")
    var json = false

    @Flag(help: "Exit with status 1 for warnings too.")
    var strict = false

    func run() async throws {
        let generation = try ZoneFolder.read(directory)
        let problems = generation.problems
        if json {
            try JSONOutput.print(Report(generation))
        } else {
            for problem in problems { print(problem.description(in: directory)) }
            for content in generation.contents { print(Summary(content).sentence) }
        }
        if generation.hasErrors || (strict && !problems.isEmpty) { throw ExitCode(1) }
    }

    private struct Report: Encodable {
        var accepted: Bool
        var problems: [Problem]
        var zones: [Summary]

        init(_ generation: ZoneGeneration) {
            accepted = !generation.hasErrors
            problems = generation.problems.map(Problem.init)
            zones = generation.contents.map(Summary.init)
        }
    }

    private struct Problem: Encodable {
        var severity: String
        var file: String
        var line: Int
        var column: Int
        var message: String

        init(_ problem: ZoneProblem) {
            severity = problem.severity.rawValue
            file = problem.file
            line = problem.line
            column = problem.column
            message = problem.message
        }
    }
}
