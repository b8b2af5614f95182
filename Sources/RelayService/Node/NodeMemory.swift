import Foundation
import Logging
import ReflectorModel
import SecretFiles

/// What a node keeps across restarts: the last good answers and its own address. An actor, because its work is slow.
///
/// A new serial of the zone changes every answer at once, so the file is written at most once in `writeInterval`,
/// however many answers come.
actor NodeMemory {
    /// Size in bytes of the largest address file that is read, and maximum number of addresses written to it.
    private static let addressBytesMax = 4_096
    private static let addressesMax = 64

    private let file: SavedAnswersFile?
    private let addressPath: String?
    private let writeInterval: Duration
    private var answers = SavedAnswers()
    private let logger: Logger
    private var isWriteDue = false
    private var lastWrite: ContinuousClock.Instant?
    /// Number of writes of the file.
    private(set) var writes = 0

    init(directory: String?, logger: Logger, writeInterval: Duration = .seconds(1)) {
        self.logger = logger
        self.writeInterval = writeInterval
        guard let directory else {
            file = nil
            addressPath = nil
            return
        }
        do throws(StateFolder.Unusable) {
            try StateFolder.make(directory)
        } catch {
            logger.warning(
                "state folder can't be written: answers won't survive a restart", metadata: ["problem": "\(error)"])
        }
        let file = SavedAnswersFile(path: directory + "/answers.json")
        self.file = file
        addressPath = directory + "/address"
        let (loaded, problem) = file.load()
        answers = loaded
        if let problem { logger.warning("state file", metadata: ["problem": "\(problem)"]) }
    }

    /// All remembered answers for `names`.
    func answers(for names: [ReflectorName]) -> [(ReflectorName, LookUpAnswer)] {
        names.compactMap { name in answers.answer(for: name).map { (name, $0.answer) } }
    }

    func answer(for name: ReflectorName) -> LookUpAnswer? { answers.answer(for: name)?.answer }

    /// All names that have an answer.
    var names: [ReflectorName] { answers.names }

    /// Remembers an answer. Writes it at once, or after `writeInterval` if the file was written recently.
    func keep(_ answer: LookUpAnswer, for name: ReflectorName) {
        guard answers.keep(answer, for: name, unixSeconds: Int64(Date().timeIntervalSince1970)), file != nil,
            !isWriteDue
        else { return }
        isWriteDue = true
        guard let lastWrite, lastWrite + writeInterval > .now else { return flush() }
        Task {
            try? await Task.sleep(until: lastWrite + writeInterval)
            flush()
        }
    }

    /// Writes the answers that are not on the disk yet.
    func flush() {
        guard isWriteDue, let file else { return }
        isWriteDue = false
        do throws(SavedAnswersFile.WriteError) {
            try file.save(answers)
        } catch {
            logger.error("state file not written", metadata: ["problem": "\(error)"])
        }
        lastWrite = .now
        writes += 1
    }

    /// The node's own addresses when it last ran, for a start when no name server answers.
    var addresses: [IPAddress] {
        guard let addressPath, let text = try? PrivateFile.read(addressPath, bytesMax: Self.addressBytesMax) else {
            return []
        }
        return text.split(whereSeparator: \.isWhitespace).compactMap { IPAddress($0) }
    }

    func keep(addresses: [IPAddress]) {
        let kept = Array(addresses.prefix(Self.addressesMax))
        guard let addressPath, self.addresses != kept else { return }
        do throws(PrivateFile.Failure) {
            try PrivateFile.replace(addressPath, bytes: Array(kept.map { "\($0)\n" }.joined().utf8))
        } catch {
            logger.error("address not remembered", metadata: ["problem": "\(error)"])
        }
    }
}
