import DNSAnswers
import LDNSKit

/// The result of compiling a directory's files: zones ready to serve, or the problems that prevent it.
public struct CompiledZones: Sendable, Equatable {
    /// One for each `.zone` file, sorted by name. Empty if any file has an error: a generation is accepted or refused
    /// as a whole.
    public var contents: [ZoneContent]
    /// Errors and warnings, sorted by file, line and column.
    public var problems: [ZoneProblem]

    public init(contents: [ZoneContent], problems: [ZoneProblem]) {
        self.contents = contents
        self.problems = problems
    }

    /// True if the generation is refused.
    public var hasErrors: Bool { problems.contains { $0.severity == .error } }
    public var errors: [ZoneProblem] { problems.filter { $0.severity == .error } }
}

/// Compiles `zones/` to checked values (design §3). A pure function of names and bytes: equal files give equal results.
public enum ZoneCompiler {
    /// Maximum number of zones in one directory.
    static let zonesMax = 64

    /// Compiles files, given by name (without directory) and content, in any order. Never traps on any input.
    ///
    /// - Parameter unreadable: names of files that exist but can't be read, so that they are not reported as missing.
    public static func compile(
        files: [(name: String, bytes: [UInt8])], unreadable: Set<String> = []
    ) -> CompiledZones {
        var zones: [String: [FileKind: (name: String, bytes: [UInt8])]] = [:]
        var problems: [ZoneProblem] = []
        for file in files.sorted(by: { $0.name < $1.name }) {
            switch FileKind.of(file.name) {
            case .ignored: continue
            case .unknown:
                problems.append(
                    problem(
                        .warning, file.name,
                        "not a file of a zone; names end in .zone, .portsets, .streams or .revocations, so move or "
                            + "rename it"))
            case .part(let kind, let stem):
                if let other = zones[stem.lowercased()]?[kind] {
                    problems.append(
                        problem(.error, file.name, "same zone as \(other.name) but for case; keep one of the files"))
                } else {
                    zones[stem.lowercased(), default: [:]][kind] = file
                }
            }
        }
        var contents: [ZoneContent] = []
        for (stem, parts) in zones.sorted(by: { $0.key < $1.key }) {
            guard let zone = parts[.zone] else {
                if unreadable.contains(where: { $0.lowercased() == stem + ".zone" }) { continue }
                for (_, file) in parts.sorted(by: { $0.value.name < $1.value.name }) {
                    problems.append(
                        problem(.error, file.name, "no \(stem).zone beside it; add that file, or remove this one"))
                }
                continue
            }
            guard contents.count < zonesMax else {
                problems.append(problem(.error, zone.name, "more than \(zonesMax) zones; use another directory"))
                break
            }
            let result = compile(stem, zone, sidecars: parts)
            problems += result.problems
            if let content = result.content { contents.append(content) }
        }
        problems += ZoneNesting.problems(contents)
        if contents.isEmpty, unreadable.isEmpty, !problems.contains(where: { $0.severity == .error }) {
            problems.append(
                problem(
                    .error, ZoneProblem.directory, "no .zone file here; add one, named for its zone: reflector.net.zone"
                ))
        }
        problems.sort()
        let isRefused = problems.contains { $0.severity == .error }
        return CompiledZones(contents: isRefused ? [] : contents, problems: problems)
    }

    private static func compile(
        _ stem: String, _ zone: (name: String, bytes: [UInt8]), sidecars: [FileKind: (name: String, bytes: [UInt8])]
    ) -> (content: ZoneContent?, problems: [ZoneProblem]) {
        guard let apex = try? LDNSName.wire(stem).map({ $0 }), apex.count > 1, apex.count <= 128,
            stem.split(separator: ".", omittingEmptySubsequences: false).allSatisfy({ isZoneLabel($0) })
        else {
            let message = "'\(stem)' is not a zone name; name the file for its zone: reflector.net.zone"
            return (nil, [problem(.error, zone.name, message)])
        }
        var list = ProblemList(file: zone.name)
        var zoneFile = ZoneFile(zone: stem, apex: apex, file: zone.name)
        zoneFile.read(zone.bytes, &list)
        ZoneFileChecks.run(zoneFile, &list)
        var problems = list.finished()
        var reader = SidecarReader(zoneFile)
        if let portsets = sidecars[.portsets] {
            var list = ProblemList(file: portsets.name)
            reader.readPortsets(portsets.bytes, file: portsets.name, &list)
            problems += list.finished()
        }
        if let streams = sidecars[.streams] {
            var list = ProblemList(file: streams.name)
            reader.readStreams(streams.bytes, file: streams.name, &list)
            problems += list.finished()
        }
        if let revocations = sidecars[.revocations] {
            var list = ProblemList(file: revocations.name)
            reader.readRevocations(revocations.bytes, file: revocations.name, &list)
            problems += list.finished()
        }
        problems += RecordSetSizes.problems(reader.content)
        return (reader.content, problems)
    }

    /// True for a label of letters, digits, hyphens and underscores: `_msdcs.example` is a valid zone (RFC 2181 §11).
    private static func isZoneLabel(_ text: Substring) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (byte >= 48 && byte <= 57) || byte == 45 || byte == 95
            }
    }

    private static func problem(_ severity: ZoneProblem.Severity, _ file: String, _ message: String) -> ZoneProblem {
        ZoneProblem(severity: severity, file: file, line: 1, column: 1, message: message)
    }
}

/// The kind of a file, from its name.
enum FileKind: Hashable {
    case zone
    case portsets
    case streams
    case revocations

    enum Verdict: Equatable {
        case part(FileKind, stem: String)
        /// Temporary and backup files of editors, and hidden files.
        case ignored
        case unknown
    }

    static func of(_ name: String) -> Verdict {
        // vim: .foo.swp, foo~, 4913; Emacs: #foo#, .#foo; also .git and the like.
        if name.hasPrefix(".") || name.hasPrefix("#") || name.hasSuffix("~") || name.hasSuffix(".swp")
            || name.hasSuffix(".tmp") || (!name.isEmpty && name.utf8.allSatisfy { $0 >= 48 && $0 <= 57 })
        {
            return .ignored
        }
        let kinds: [(suffix: String, kind: FileKind)] = [
            (".zone", .zone), (".portsets", .portsets), (".streams", .streams), (".revocations", .revocations),
        ]
        for (suffix, kind) in kinds where name.hasSuffix(suffix) {
            return .part(kind, stem: String(name.dropLast(suffix.count)))
        }
        return .unknown
    }
}
