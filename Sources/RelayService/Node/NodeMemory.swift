import Foundation
import Logging
import ReflectorModel

/// What a node remembers over a restart: the last good answers and its own address. Slow work, hence an actor.
actor NodeMemory {
    private let file: StateFile?
    private let addressPath: String?
    private var answers = SavedAnswers()
    private let logger: Logger

    init(directory: String?, logger: Logger) {
        self.logger = logger
        guard let directory else {
            file = nil
            addressPath = nil
            return
        }
        try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let file = StateFile(path: directory + "/answers.json")
        self.file = file
        addressPath = directory + "/address"
        let (loaded, problem) = file.load()
        answers = loaded
        if let problem { logger.warning("state file", metadata: ["problem": "\(problem)"]) }
    }

    /// Every remembered answer among `names`.
    func answers(for names: [ReflectorName]) -> [(ReflectorName, LookUpAnswer)] {
        names.compactMap { name in answers.answer(for: name).map { (name, $0.answer) } }
    }

    func answer(for name: ReflectorName) -> LookUpAnswer? { answers.answer(for: name)?.answer }

    /// All names that have an answer.
    var names: [ReflectorName] { answers.names }

    func keep(_ answer: LookUpAnswer, for name: ReflectorName) {
        guard answers.keep(answer, for: name, unixSeconds: Int64(Date().timeIntervalSince1970)), let file else {
            return
        }
        do throws(StateFile.WriteError) {
            try file.save(answers)
        } catch {
            logger.error("state file not written", metadata: ["problem": "\(error)"])
        }
    }

    /// The node's own address when it last ran, for a start without name servers.
    var address: IPAddress? {
        guard let addressPath, let text = try? String(contentsOfFile: addressPath, encoding: .utf8) else { return nil }
        return IPAddress(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    func keep(address: IPAddress) {
        guard let addressPath else { return }
        try? "\(address)\n".write(toFile: addressPath, atomically: true, encoding: .utf8)
    }
}
