import Foundation
import Glibc
import Logging
import Synchronization
import TestSupport
import Testing

@testable import DNSService

/// A folder of files that a test changes, with the number of changes that the watch has reported.
private final class WatchedFolder: Sendable {
    private let temporary: TemporaryFolder
    var root: String { temporary.path }
    private let told = Mutex(0)

    init() throws {
        temporary = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: temporary.path + "/zones", withIntermediateDirectories: true)
    }

    func write(_ text: String, to path: String) throws {
        try text.write(toFile: root + "/" + path, atomically: false, encoding: .utf8)
    }

    func directory(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: root + "/" + path, withIntermediateDirectories: true)
    }

    /// Replaces a link atomically, as git-sync and Kubernetes do.
    func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: root + "/" + path + ".new", withDestinationPath: target)
        guard rename(root + "/" + path + ".new", root + "/" + path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    /// Makes a change and waits until the watch has reported it. Returns the number of reports.
    func change(
        _ path: String, options: DirectoryWatch.Options = .init(), within limit: Duration = .seconds(3),
        _ change: () throws -> Void
    ) async throws -> Int {
        let watch = try DirectoryWatch(
            root + "/" + path, options: options,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        ) { [self] in told.withLock { $0 += 1 } }
        defer { watch.stop() }
        // Wait for the first check, which sets the inotify watches and also reports earlier changes.
        try await Task.sleep(for: .milliseconds(100))
        let before = told.withLock { $0 }
        try change()
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end, told.withLock({ $0 }) == before {
            try await Task.sleep(for: .milliseconds(10))
        }
        return told.withLock { $0 } - before
    }
}

@Suite("Watching a folder", .serialized)
struct DirectoryWatchTests {
    @Test("Writing, an editor's rename, and removing a file are reported, once each")
    func plain() async throws {
        let folder = try WatchedFolder()
        try folder.write("1", to: "zones/a.zone")
        #expect(try await folder.change("zones") { try folder.write("2", to: "zones/a.zone") } == 1)
        let renamed = try await folder.change("zones") {
            try folder.write("3", to: "zones/.a.zone.swp")
            rename(folder.root + "/zones/.a.zone.swp", folder.root + "/zones/a.zone")
        }
        #expect(renamed == 1)
        #expect(try await folder.change("zones") { unlink(folder.root + "/zones/a.zone") } == 1)
    }

    @Test("An editor's temporary files are not reported")
    func droppings() async throws {
        let folder = try WatchedFolder()
        try folder.write("1", to: "zones/a.zone")
        let told = try await folder.change("zones", within: .milliseconds(500)) {
            try folder.write("x", to: "zones/.a.zone.swp")
            try folder.write("x", to: "zones/a.zone~")
        }
        #expect(told == 0)
    }

    @Test("A folder that is a symbolic link is reported when the link is swapped (git-sync, current)")
    func swappedLink() async throws {
        let folder = try WatchedFolder()
        for name in ["one", "two", "three"] {
            try folder.directory(name)
            try folder.write(name, to: name + "/a.zone")
        }
        try folder.link("current", to: "one")
        #expect(try await folder.change("current") { try folder.link("current", to: "two") } == 1)
        #expect(try await folder.change("current") { try folder.link("current", to: folder.root + "/three") } == 1)
        #expect(try await folder.change("current") { try folder.write("new", to: "three/a.zone") } == 1)
    }

    @Test("A swap of a link above the folder, or a replacement of a folder above it, is reported")
    func swappedAbove() async throws {
        let folder = try WatchedFolder()
        for name in ["one", "two"] {
            try folder.directory(name + "/deep/zones")
            try folder.write(name, to: name + "/deep/zones/a.zone")
        }
        try folder.link("current", to: "one")
        #expect(try await folder.change("current/deep/zones") { try folder.link("current", to: "two") } == 1)
        let replaced = try await folder.change("two/deep/zones") {
            rename(folder.root + "/two", folder.root + "/old")
            rename(folder.root + "/one", folder.root + "/two")
        }
        #expect(replaced == 1)
    }

    @Test("A folder that comes back after a while is reported")
    func comesBack() async throws {
        let folder = try WatchedFolder()
        try folder.write("1", to: "zones/a.zone")
        rename(folder.root + "/zones", folder.root + "/away")
        #expect(try await folder.change("zones") { rename(folder.root + "/away", folder.root + "/zones") } == 1)
    }

    @Test("In a ConfigMap, whose files are links through ..data, a swap of ..data is reported")
    func configMap() async throws {
        let folder = try WatchedFolder()
        for name in ["..1", "..2"] {
            try folder.directory("zones/" + name)
            try folder.write(name, to: "zones/\(name)/a.zone")
        }
        try folder.link("zones/..data", to: "..1")
        try folder.link("zones/a.zone", to: "..data/a.zone")
        #expect(try await folder.change("zones") { try folder.link("zones/..data", to: "..2") } == 1)
    }

    @Test("An added link or hard link is reported")
    func linksPutIn() async throws {
        let folder = try WatchedFolder()
        try folder.write("1", to: "elsewhere.zone")
        let soft = try await folder.change("zones") {
            symlink(folder.root + "/elsewhere.zone", folder.root + "/zones/a.zone")
        }
        #expect(soft == 1)
        let hard = try await folder.change("zones") {
            Glibc.link(folder.root + "/elsewhere.zone", folder.root + "/zones/b.zone")
        }
        #expect(hard == 1)
    }

    @Test("An edited or replaced target of a link is reported, also if edited through another name of a hard link")
    func targets() async throws {
        let folder = try WatchedFolder()
        try folder.directory("other")
        try folder.write("1", to: "other/x")
        try folder.write("1", to: "other/y")
        symlink("../other/x", folder.root + "/zones/a.zone")
        Glibc.link(folder.root + "/other/y", folder.root + "/zones/b.zone")
        #expect(try await folder.change("zones") { try folder.write("22", to: "other/x") } == 1)
        let replaced = try await folder.change("zones") {
            try folder.write("333", to: "other/new")
            rename(folder.root + "/other/new", folder.root + "/other/x")
        }
        #expect(replaced == 1)
        #expect(try await folder.change("zones") { try folder.write("22", to: "other/y") } == 1)
    }

    @Test("chmod of a file and of the folder is reported")
    func permissions() async throws {
        let folder = try WatchedFolder()
        try folder.write("1", to: "zones/a.zone")
        for path in ["zones/a.zone", "zones"] {
            chmod(folder.root + "/" + path, 0)
            #expect(try await folder.change("zones") { chmod(folder.root + "/" + path, 0o755) } == 1, "\(path)")
        }
    }

    @Test("A replacement by rsync, with an old modification time, is reported")
    func rsync() async throws {
        let folder = try WatchedFolder()
        try folder.write("1", to: "zones/a.zone")
        let renamed = try await folder.change("zones") {
            try folder.write("2", to: "zones/.a.zone.Xy12z")
            // The old modification time, as `rsync -t` sets it.
            var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
            utimensat(AT_FDCWD, folder.root + "/zones/.a.zone.Xy12z", &times, 0)
            rename(folder.root + "/zones/.a.zone.Xy12z", folder.root + "/zones/a.zone")
        }
        #expect(renamed == 1)
    }

    @Test("Without inotify, polling finds every change and reports no other")
    func poll() async throws {
        let folder = try WatchedFolder()
        try folder.write("1", to: "zones/a.zone")
        try folder.directory("two")
        try folder.write("2", to: "two/a.zone")
        try folder.link("current", to: "zones")
        var options = DirectoryWatch.Options()
        options.usesNotices = false
        options.pollAlone = .milliseconds(50)
        #expect(try await folder.change("current", options: options) { try folder.link("current", to: "two") } == 1)
        #expect(try await folder.change("current", options: options) { try folder.write("3", to: "two/a.zone") } == 1)
        #expect(try await folder.change("current", options: options, within: .milliseconds(300)) {} == 0)
    }

    @Test("A file written while the watch starts is reported once, when it is complete", arguments: [true, false])
    func half(usesNotices: Bool) async throws {
        let folder = try WatchedFolder()
        var options = DirectoryWatch.Options()
        options.usesNotices = usesNotices
        options.pollAlone = .milliseconds(20)
        for round in 0..<5 {
            try folder.write("whole", to: "zones/a.zone")
            let seen = Mutex<[String]>([])
            let path = folder.root + "/zones/a.zone"
            let watch = try DirectoryWatch(
                folder.root + "/zones", options: options,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            ) {
                let text = try? String(contentsOfFile: path, encoding: .utf8)
                seen.withLock { $0.append(text ?? "") }
            }
            defer { watch.stop() }
            let file = try #require(fopen(path, "w"))
            try await Task.sleep(for: .milliseconds(100))
            fputs("again \(round)", file)
            fclose(file)
            let end = ContinuousClock.now + .seconds(3)
            while ContinuousClock.now < end, seen.withLock({ $0 }).last != "again \(round)" {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(seen.withLock { $0 } == ["again \(round)"])
        }
    }
}
