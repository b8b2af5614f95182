import DNSAnswers

@testable import ZoneCompiler

extension ZoneContent {
    /// This content with the serial and cause of each set region's last change: those of `last` if the answer is the
    /// same there, otherwise `serial` and the set region's own cause.
    ///
    /// - Parameters:
    ///   - last: the content served before; nil if there was none.
    ///   - serial: serial of this content.
    func stamped(after last: ZoneContent?, serial: UInt32) -> ZoneContent {
        var result = self
        var numbers: [String: Int] = [:]
        for (number, region) in (last?.setRegions ?? []).enumerated() { numbers[region.name] = number }
        for number in setRegions.indices {
            result.setRegions[number].changedSerial = serial
            guard let last, let old = numbers[setRegions[number].name], last.setRegions[old].changedSerial != 0,
                ExportedRecord.hosts(self, sets: [number]) == ExportedRecord.hosts(last, sets: [old])
            else { continue }
            result.setRegions[number].changedSerial = last.setRegions[old].changedSerial
            result.setRegions[number].cause = last.setRegions[old].cause
        }
        return result
    }
}
