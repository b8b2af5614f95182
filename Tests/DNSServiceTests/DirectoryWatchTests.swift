import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import DNSService

/// Every way in which the files of a directory change is noticed, whatever delivers them.
@Suite(.timeLimit(.minutes(1))) struct DirectoryWatchTests {
    /// Makes folders, watches one path, does something, and returns once the watch has told of a change; a change that
    /// goes unseen runs into the suite's time limit.
    private func expectChange(
        _ path: String = "zones", prepare: (Folder) throws -> Void, _ change: (Folder) throws -> Void
    ) async throws {
        let folder = try Folder()
        defer { folder.remove() }
        try prepare(folder)
        let (changes, signal) = AsyncStream.makeStream(of: Void.self)
        // So slow a poll that it can't be what finds the change.
        let watch = try await DirectoryWatch(
            folder.path(path), poll: .hours(1), group: .singletonMultiThreadedEventLoopGroup,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        ) { signal.yield() }
        try change(folder)
        var seen = changes.makeAsyncIterator()
        await seen.next()
        await watch.stop()
    }

    @Test func `a file that is written, renamed over, removed or moved away is noticed`() async throws {
        for change: (Folder) throws -> Void in [
            { try $0.write("zones/a.zone", "new") },
            { try $0.write("new", "new"); try $0.rename("new", "zones/a.zone") },
            { try $0.delete("zones/a.zone") },
            { try $0.rename("zones/a.zone", "elsewhere") },
        ] {
            try await expectChange(prepare: { try $0.write("zones/a.zone", "old") }, change)
        }
    }

    @Test func `a link and a hard link that are put in are noticed`() async throws {
        func prepare(_ folder: Folder) throws {
            try folder.write("zones/a.zone", "old")
            try folder.write("elsewhere/b.zone", "b")
        }
        try await expectChange(prepare: prepare) { try $0.link("zones/b.zone", to: $0.path("elsewhere/b.zone")) }
        try await expectChange(prepare: prepare) { try $0.hardLink("zones/b.zone", to: "elsewhere/b.zone") }
    }

    @Test func `the target of a link is edited in another folder, and the edit is noticed`() async throws {
        func prepare(_ folder: Folder) throws {
            try folder.write("elsewhere/b.zone", "b")
            try folder.write("zones/a.zone", "a")
            try folder.link("zones/b.zone", to: "../elsewhere/b.zone")
        }
        try await expectChange(prepare: prepare) { try $0.write("elsewhere/b.zone", "new") }
        try await expectChange(prepare: prepare) {
            try $0.write("elsewhere/new", "new")
            try $0.rename("elsewhere/new", "elsewhere/b.zone")
        }
    }

    @Test func `a change of permissions is noticed`() async throws {
        try await expectChange(prepare: { try $0.write("zones/a.zone", "a") }) {
            try $0.setMode("zones/a.zone", 0o600)
        }
    }

    @Test func `the watched path is a link that is swapped, and the swap and later edits are noticed`() async throws {
        func prepare(_ folder: Folder) throws {
            try folder.write("one/a.zone", "one")
            try folder.write("two/a.zone", "two")
            try folder.link("current", to: "one")
        }
        func swap(_ folder: Folder) throws {
            try folder.link("next", to: "two")
            try folder.rename("next", "current")
        }
        try await expectChange("current", prepare: prepare, swap)
        try await expectChange("current", prepare: { try prepare($0); try swap($0) }) {
            try $0.write("two/a.zone", "edited")
        }
    }

    @Test func `after a swap the new target is watched`() async throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("one/a.zone", "one")
        try folder.write("two/a.zone", "two")
        try folder.link("current", to: "one")
        let (changes, signal) = AsyncStream.makeStream(of: Void.self)
        let watch = try await DirectoryWatch(
            folder.path("current"), poll: .hours(1), group: .singletonMultiThreadedEventLoopGroup,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        ) { signal.yield() }
        var seen = changes.makeAsyncIterator()
        try folder.link("next", to: "two")
        try folder.rename("next", "current")
        await seen.next()
        try folder.write("two/a.zone", "edited")
        await seen.next()
        await watch.stop()
    }

    @Test func `a folder above the watched one is swapped or a link in it is`() async throws {
        try await expectChange("deploy/zones", prepare: { try $0.write("deploy/zones/a.zone", "old") }) {
            try $0.write("new/zones/a.zone", "new")
            try $0.rename("deploy", "old")
            try $0.rename("new", "deploy")
        }
        try await expectChange(
            "deploy/zones",
            prepare: {
                try $0.write("one/zones/a.zone", "one")
                try $0.write("two/zones/a.zone", "two")
                try $0.link("deploy", to: "one")
            },
            { try $0.link("next", to: "two"); try $0.rename("next", "deploy") })
    }

    @Test func `a directory that is removed and made again is noticed`() async throws {
        try await expectChange(prepare: { try $0.write("zones/a.zone", "old") }) {
            try $0.delete("zones")
            try $0.write("zones/a.zone", "new")
        }
    }

    @Test func `files that Kubernetes delivers by swapping its ..data link are noticed`() async throws {
        try await expectChange(
            prepare: {
                try $0.write("zones/..2026_1/a.zone", "one")
                try $0.link("zones/..data", to: "..2026_1")
                try $0.link("zones/a.zone", to: "..data/a.zone")
            },
            {
                try $0.write("zones/..2026_2/a.zone", "two")
                try $0.link("zones/..data_tmp", to: "..2026_2")
                try $0.rename("zones/..data_tmp", "zones/..data")
                try $0.delete("zones/..2026_1")
            })
    }

    @Test func `what changes beside the path is not looked at`() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("deploy/zones/a.zone", "a")
        let names = PathTrace(folder.path("deploy/zones")).names
        #expect(names[folder.root]! == ["deploy"])
        #expect(names[folder.path("deploy")]! == ["zones"])
        #expect(names[folder.path("deploy/zones")]! == nil)
    }

    @Test func `links that lead in a circle end the trace`() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.link("a", to: "b")
        try folder.link("b", to: "a")
        #expect(PathTrace(folder.path("a")).names[folder.root]! == ["a", "b"])
    }

    @Test func `a poll sees what no event told of`() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("zones/a.zone", "old")
        let before = DirectoryFingerprint(folder.path("zones"))
        #expect(before == DirectoryFingerprint(folder.path("zones")))
        try folder.write("zones/a.zone", "newer")
        #expect(before != DirectoryFingerprint(folder.path("zones")))
        #expect(before != DirectoryFingerprint(folder.path("absent")))
    }
}

/// A temporary folder for one test.
private struct Folder {
    /// Without links in its path.
    let root: String

    init() throws {
        let made = NSTemporaryDirectory() + "watch-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: made, withIntermediateDirectories: true)
        root = URL(fileURLWithPath: made).resolvingSymlinksInPath().path
    }

    func path(_ name: String) -> String { root + "/" + name }

    func write(_ name: String, _ text: String) throws {
        let parent = (path(name) as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
    }

    func hardLink(_ name: String, to target: String) throws {
        try FileManager.default.linkItem(atPath: path(target), toPath: path(name))
    }

    /// As rename(2): what is in the way is replaced.
    func rename(_ from: String, _ to: String) throws {
        guard Glibc.rename(path(from), path(to)) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func delete(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }

    func setMode(_ name: String, _ mode: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path(name))
    }

    func remove() { try? FileManager.default.removeItem(atPath: root) }
}
