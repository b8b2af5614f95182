import ArgumentParser
import ReflectorModel

extension Endpoint {
    /// Reads an argument.
    ///
    /// - Parameters:
    ///   - option: named in the error; nil if the caller says which option it is.
    ///   - example: a right value, shown in the error.
    static func argument(_ text: String, option: String? = nil, example: String) throws -> Endpoint {
        guard let endpoint = Endpoint(text) else {
            let place = option.map { "\($0): " } ?? ""
            throw ValidationError("\(place)'\(text)' is not ADDRESS:PORT, e.g. \(example)")
        }
        return endpoint
    }
}

extension StreamName {
    /// Reads an argument.
    static func argument(_ text: String) throws -> StreamName {
        guard let name = StreamName(text) else { throw ValidationError("'\(text)' is no stream name, e.g. live/news") }
        return name
    }
}
