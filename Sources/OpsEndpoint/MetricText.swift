import ReflectorModel

/// Samples in the Prometheus text format, version 0.0.4.
enum MetricText {
    /// Groups the samples of each name, as the format requires. The names are in the order of their first samples.
    static func text(_ samples: [MetricSample]) -> String {
        var order: [String] = []
        var byName: [String: [MetricSample]] = [:]
        for sample in samples {
            let name = self.name(sample.name)
            if byName[name] == nil { order.append(name) }
            byName[name, default: []].append(sample)
        }
        var text = ""
        for name in order {
            guard let group = byName[name], let first = group.first else { continue }
            text += "# HELP \(name) \(escape(first.help, quotes: false))\n# TYPE \(name) \(first.kind.rawValue)\n"
            for sample in group {
                let labels = sample.labels.map { "\(self.name($0.name))=\"\(escape($0.value, quotes: true))\"" }
                let set = labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
                text += "\(name)\(sample.suffix)\(set) \(number(sample.value))\n"
            }
        }
        return text
    }

    private static func name(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_", ":": result.unicodeScalars.append(scalar)
            case "0"..."9" where !result.isEmpty: result.unicodeScalars.append(scalar)
            default: result.append("_")
            }
        }
        return result.isEmpty ? "_" : result
    }

    private static func escape(_ text: String, quotes: Bool) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }
}
