/// Explains why a synthesised name is answered the way it is, in the strings of a TXT record.
extension ZoneView {
    func explain(rank: Int, tag: UInt32, portset: UInt16, region: UInt32, _ text: inout TextWriter) {
        let rule = rules[Int(tag) - 1]
        text.string("rule=", ruleText + Int(rule.source.offset), count: Int(rule.source.length))
        string("set=", setNames[Int(rule.parent(rank))], &text)
        text.string("serial=", number: UInt64(serial))
        text.string("shadowed=", number: shadowed(by: tag, portset: portset, region: region))
        state(of: Int(rule.parent(rank)), &text)
    }

    /// The states of the hosts of a set region.
    func state(of set: Int, _ text: inout TextWriter) {
        let strings = setStateTexts[set]
        text.wire(bytes + Int(strings.offset), count: Int(strings.length))
    }

    func string(_ key: StaticString, _ value: TextReference, _ text: inout TextWriter) {
        text.string(key, bytes + Int(value.offset), count: Int(value.length))
    }

    /// The number of earlier lines that match too.
    private func shadowed(by tag: UInt32, portset: UInt16, region: UInt32) -> UInt64 {
        let isForSetRegion = rules[Int(tag) - 1].isForSetRegion
        var count: UInt64 = 0
        for number in 0..<Int(tag) - 1 {
            let rule = rules[number]
            if rule.isForSetRegion == isForSetRegion, rule.portsetLower <= portset, portset <= rule.portsetUpper,
                rule.regionLower <= region, region <= rule.regionUpper
            {
                count += 1
            }
        }
        return count
    }
}
