import Glibc

/// Gives up root permanently, once every port is bound.
struct Privileges {
    /// Why the server does not start.
    struct Failure: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
        init(_ operation: String, _ code: Int32) { self.init("\(operation): \(String(cString: strerror(code)))") }
    }

    /// How many directory levels below the state directory change owner.
    private static let depthMax = 4

    private let name: String
    private let user: uid_t
    private let group: gid_t

    /// - Parameter name: name of an account of this machine.
    init(user name: String) throws(Failure) {
        errno = 0
        // This runs only while the server starts, so no other thread calls `getpwnam` at the same time.
        guard let account = getpwnam(name) else {
            throw errno == 0 ? Failure("no user '\(name)' on this machine") : Failure("getpwnam \(name)", errno)
        }
        self.name = name
        (user, group) = (account.pointee.pw_uid, account.pointee.pw_gid)
    }

    /// Creates the state directory if needed, and changes the owner of root's files in it to the user.
    func own(_ directory: String) throws(Failure) {
        guard geteuid() == 0 else { return }
        guard mkdir(directory, 0o755) == 0 || errno == EEXIST else { throw Failure("mkdir \(directory)", errno) }
        try handOver(directory, depth: 0)
    }

    /// Switches to the user and the user's groups, irreversibly.
    /// - Parameters:
    ///   - readable: directories that the user must be able to read.
    ///   - writable: directories in which the user must be able to create files.
    func drop(readable: [String], writable: [String]) throws(Failure) {
        if geteuid() != user || getuid() != user {
            guard geteuid() == 0 else { throw Failure("only root can become user '\(name)'") }
            guard initgroups(name, group) == 0 else { throw Failure("initgroups \(name)", errno) }
            guard setgid(group) == 0 else { throw Failure("setgid \(group)", errno) }
            guard setuid(user) == 0 else { throw Failure("setuid \(user)", errno) }
            guard user == 0 || setuid(0) != 0 else { throw Failure("user '\(name)' can become root again") }
            try checkThreads()
        }
        for path in readable where access(path, R_OK | X_OK) != 0 {
            throw Failure("\(path): user '\(name)' can't read it: \(String(cString: strerror(errno)))")
        }
        for path in writable where access(path, W_OK | X_OK) != 0 {
            throw Failure("\(path): user '\(name)' can't write in it: \(String(cString: strerror(errno)))")
        }
    }

    /// Throws if a thread still has another user or group. glibc skips threads that it considers exiting. Such a thread
    /// may sleep forever: for example, the first thread of a program with an `async` main.
    private func checkThreads() throws(Failure) {
        guard let tasks = opendir("/proc/self/task") else { throw Failure("opendir /proc/self/task", errno) }
        defer { closedir(tasks) }
        while let entry = readdir(tasks) {
            let thread = Self.name(of: entry)
            guard thread.first?.isNumber == true, let file = fopen("/proc/self/task/\(thread)/status", "r") else {
                continue
            }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 256)
            while fgets(&line, 256, file) != nil {
                let words = line.prefix { $0 != 0 }.split { $0 == 9 || $0 == 10 }
                    .map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
                guard let key = words.first, key == "Uid:" || key == "Gid:" else { continue }
                let wanted = key == "Uid:" ? "\(user)" : "\(group)"
                guard words.dropFirst().allSatisfy({ $0 == wanted }) else {
                    throw Failure("thread \(thread) did not become user '\(name)': \(words.joined(separator: " "))")
                }
            }
        }
    }

    private static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
        withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Changes the owner of root's files at and below `path`. For a symbolic link, this changes the owner of the link
    /// itself, never of its target.
    private func handOver(_ path: String, depth: Int) throws(Failure) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Failure("lstat \(path)", errno) }
        if status.st_uid == 0, user != 0 {
            guard lchown(path, user, group) == 0 else { throw Failure("chown \(path)", errno) }
        }
        guard status.st_mode & S_IFMT == S_IFDIR, depth < Self.depthMax, let directory = opendir(path) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = Self.name(of: entry)
            if name != ".", name != ".." { try handOver("\(path)/\(name)", depth: depth + 1) }
        }
    }
}
