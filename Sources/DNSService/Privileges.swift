import Glibc

/// Giving up root for good, once every port is bound.
struct Privileges {
    /// Why the server does not start.
    struct Failure: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
        init(_ operation: String, _ code: Int32) { self.init("\(operation): \(String(cString: strerror(code)))") }
    }

    /// How deep the state directory's own directories are handed over.
    private static let depthMax = 4

    private let name: String
    private let user: uid_t
    private let group: gid_t

    /// - Parameter name: of an account of this machine.
    init(user name: String) throws(Failure) {
        errno = 0
        // Only called while the server starts: nobody else asks at the same time.
        guard let account = getpwnam(name) else {
            throw errno == 0 ? Failure("no user '\(name)' on this machine") : Failure("getpwnam \(name)", errno)
        }
        self.name = name
        (user, group) = (account.pointee.pw_uid, account.pointee.pw_gid)
    }

    /// Makes the state directory if need be, and hands what root left in it over to the user.
    func own(_ directory: String) throws(Failure) {
        guard geteuid() == 0 else { return }
        guard mkdir(directory, 0o755) == 0 || errno == EEXIST else { throw Failure("mkdir \(directory)", errno) }
        try handOver(directory, depth: 0)
    }

    /// Becomes the user, with the user's groups and no way back.
    /// - Parameters:
    ///   - readable: directories that the user must be able to read.
    ///   - writable: directories in which the user must be able to make files.
    func drop(readable: [String], writable: [String]) throws(Failure) {
        if geteuid() != user || getuid() != user {
            guard geteuid() == 0 else { throw Failure("only root can become user '\(name)'") }
            guard initgroups(name, group) == 0 else { throw Failure("initgroups \(name)", errno) }
            guard setgid(group) == 0 else { throw Failure("setgid \(group)", errno) }
            guard setuid(user) == 0 else { throw Failure("setuid \(user)", errno) }
            guard user == 0 || setuid(0) != 0 else { throw Failure("user '\(name)' can become root again") }
        }
        for path in readable where access(path, R_OK | X_OK) != 0 {
            throw Failure("\(path): user '\(name)' can't read it: \(String(cString: strerror(errno)))")
        }
        for path in writable where access(path, W_OK | X_OK) != 0 {
            throw Failure("\(path): user '\(name)' can't write in it: \(String(cString: strerror(errno)))")
        }
    }

    /// Links are handed over themselves, never what they point at.
    private func handOver(_ path: String, depth: Int) throws(Failure) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Failure("lstat \(path)", errno) }
        if status.st_uid == 0, user != 0 {
            guard lchown(path, user, group) == 0 else { throw Failure("chown \(path)", errno) }
        }
        guard status.st_mode & S_IFMT == S_IFDIR, depth < Self.depthMax, let directory = opendir(path) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { try handOver("\(path)/\(name)", depth: depth + 1) }
        }
    }
}
