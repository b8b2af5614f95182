import ArgumentParser
import DNSAnswers
import Foundation
import ZoneCompiler

/// Reads directories for the zone subcommands, and ends the command if they can't be used.
enum ZoneFolder {
    /// Most problems printed by commands with another purpose; `zone check` prints all.
    static let problemsMax = 20

    /// Reads and compiles; a directory that can't be read is wrong usage.
    static func read(_ path: String) throws -> ZoneGeneration {
        do {
            return try ZoneDirectory.compile(path)
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(2)
        }
    }

    /// Contents of a directory without errors. If it has errors, prints them and ends the command with exit status 2.
    static func contents(_ path: String) throws -> [ZoneContent] {
        let generation = try read(path)
        guard generation.hasErrors else { return generation.contents }
        let errors = generation.compiled.errors
        for problem in errors.prefix(problemsMax) { StandardError.print(problem.description(in: path)) }
        if errors.count > problemsMax {
            StandardError.print("… and \(errors.count - problemsMax) more: reflector zone check \(path)")
        }
        StandardError.print("reflector: \(path) has errors; correct them first (reflector zone check \(path))")
        throw ExitCode(2)
    }
}

/// Lines for people on standard error.
enum StandardError {
    static func print(_ line: String) { PlainOutput.write(line + "\n", to: .standardError) }
}

/// Values for programs, on standard output.
enum JSONOutput {
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try StandardOutput.writeAll(Array(encoder.encode(value)) + [UInt8(ascii: "\n")])
    }
}

/// Numbers of a zone's records, regions, lines and streams.
struct Summary: Encodable {
    var zone: String
    var records: Int
    var setRegions: Int
    var setReflectors: Int
    var regions: Int
    var rules: Int
    var streams: Int

    init(_ content: ZoneContent) {
        zone = content.zone
        records = content.records.count
        setRegions = content.setRegions.count
        setReflectors = content.setRegions.reduce(0) { $0 + $1.members.count }
        regions = content.edgeRegions.reduce(0) { $0 + $1.ids.count }
        rules = content.rules.count
        streams = content.streams.count
    }

    var sentence: String {
        "\(zone): valid: \(records) records, \(setRegions) set regions with \(setReflectors) set reflectors, "
            + "\(regions) edge regions, \(rules) map lines, \(streams) stream lines"
    }
}
