import Foundation
import Glibc

/// `reflector up --lab`: the example network in the laboratory, `tools/netlab` of the checkout, instead of on loopback
/// addresses. The laboratory takes the place of this process.
struct UpLaboratory {
    /// Why the laboratory cannot run; for people.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    /// How many folders above the program the checkout may be: of `.build/TRIPLE/release/reflector`, the third.
    private static let levelsMax = 6
    private static let network = "tools/NetLab/networks/example/example.network"

    private let root: URL
    private let program: String

    /// Finds the checkout in which this program was built.
    init(program: String = "/proc/self/exe") throws(Unusable) {
        let path = URL(fileURLWithPath: program).resolvingSymlinksInPath()
        guard let root = Self.checkout(above: path) else {
            throw Unusable(description: "--lab needs the checkout of this program: no tools/netlab above \(path.path)")
        }
        self.root = root
        self.program = path.path
    }

    private static func checkout(above program: URL) -> URL? {
        var folder = program.deletingLastPathComponent()
        for _ in 0..<levelsMax {
            if FileManager.default.fileExists(atPath: folder.appendingPathComponent(network).path) { return folder }
            folder.deleteLastPathComponent()
        }
        return nil
    }

    /// True if these are the zones that the laboratory's example network has.
    func has(zones: String) -> Bool {
        URL(fileURLWithPath: zones).resolvingSymlinksInPath().path == root.appendingPathComponent("zones").path
    }

    /// The command that runs the example network with an encoder and viewers.
    /// - Parameter duration: seconds after which it ends; nil: at Ctrl-C.
    func command(duration: Int?) -> [String] {
        let end = duration.map { ["--for", "\($0)"] } ?? []
        return [root.appendingPathComponent("tools/netlab").path, "up", "example", "--feed", "--program", program] + end
    }

    /// Becomes the laboratory. Returns only if that fails.
    func become(duration: Int?) -> Unusable {
        // Threads that run tasks block signals, and the laboratory would inherit the mask.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        let words = command(duration: duration)
        let vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        execv(words[0], vector)
        return Unusable(description: "\(words[0]): \(String(cString: strerror(errno)))")
    }
}
