import FoundationEssentials
import ReflectorModel

/// An HTTP request of a streaming server, read from its method, path, query and body.
struct HandoverCall: Equatable {
    enum Action: Equatable {
        /// - Parameter waits: whether the answer waits a little for the stream's first byte.
        case ask(StreamName, id: String, waits: Bool)
        case withdraw(StreamName, id: String)
        /// A viewer has left: all its requests end.
        case withdrawAll(id: String)
        /// The server is alive: the requests of its viewers, whose ids begin with this, continue.
        case renewAll(prefix: String)
        /// A list of the outputs.
        case list
        /// A hook for something else, which is accepted.
        case ignore
    }

    /// How the answer is written.
    enum Form: Equatable {
        case text
        /// `{"code":0}`.
        case srs
    }

    /// Longest accepted body: hooks send the page's and the player's URL, too.
    static let bodyBytesMax = 16_384

    var action: Action
    var form: Form
    var wanted: Endpoint?
    var isV4: Bool?
    /// Nil for the usual lifetime.
    var lifetime: TimeSpan?

    /// Throws `malformed` for anything that is none of the documented requests.
    init(method: String, path: String, query: String, body: [UInt8]) throws(HandoverRefusal) {
        form = path == "/hooks/srs" ? .srs : .text
        guard let parameters = FormFields(query.utf8) else { throw .malformed }
        try Self.checkNames(parameters)
        if let text = parameters["to"] {
            guard let endpoint = Endpoint(text) else { throw .malformed }
            wanted = endpoint
        }
        switch parameters["family"] {
        case nil: break
        case "4": isV4 = true
        case "6": isV4 = false
        default: throw .malformed
        }
        if let text = parameters["seconds"] {
            guard let seconds = UInt32(text) else { throw .malformed }
            lifetime = .seconds(Int64(seconds))
        }
        switch (method, path) {
        case ("GET", "/request"), ("HEAD", "/request"): action = .list
        case ("POST", "/hooks/nginx"): action = try Self.nginx(body)
        case ("POST", "/hooks/srs"): action = try Self.srs(body)
        case ("PUT", _), ("POST", _), ("DELETE", _):
            guard path.hasPrefix("/request/"), let stream = StreamName(path.dropFirst(9)) else { throw .malformed }
            let id = parameters["client"] ?? ""
            // A POST can do both, for clients that know only GET and POST.
            let ends = method == "DELETE" || lifetime == .zero
            action = ends ? .withdraw(stream, id: id) : .ask(stream, id: id, waits: true)
        default: throw .malformed
        }
    }

    /// A misspelled parameter would silently change what is requested.
    private static func checkNames(_ parameters: FormFields) throws(HandoverRefusal) {
        let known: Set = ["to", "family", "seconds", "client"]
        let names = parameters.names
        guard known.isSuperset(of: names), Set(names).count == names.count else { throw .malformed }
    }

    // MARK: nginx-rtmp

    /// The ids of nginx's viewers begin with this.
    static let nginxPrefix = "nginx:"

    /// `on_play`, `on_play_done`, `on_update` and `on_done` of nginx-rtmp: a form.
    private static func nginx(_ body: [UInt8]) throws(HandoverRefusal) -> Action {
        guard let form = FormFields(body), let call = form["call"] else { throw .malformed }
        guard ["play", "update_play", "play_done", "done"].contains(call) else {
            // Hooks that publishers and connections call if they are configured, too.
            let others = ["connect", "disconnect", "publish", "publish_done", "update_publish", "record_done"]
            guard others.contains(call) else { throw .malformed }
            return .ignore
        }
        guard let client = form["clientid"], !client.isEmpty else { throw .malformed }
        let id = nginxPrefix + client
        if call == "done" { return .withdrawAll(id: id) }
        let stream = try name(app: form["app"], stream: form["name"])
        switch call {
        case "play": return .ask(stream, id: id, waits: true)
        case "update_play": return .ask(stream, id: id, waits: false)
        default: return .withdraw(stream, id: id)
        }
    }

    /// `live/news` of an application and a stream; either may bring the player's parameters along.
    private static func name(app: String?, stream: String?) throws(HandoverRefusal) -> StreamName {
        guard let app, let stream else { throw .malformed }
        guard let name = StreamName("\(app.prefix { $0 != "?" })/\(stream.prefix { $0 != "?" })") else {
            throw .absent
        }
        return name
    }

    // MARK: SRS

    /// The ids of SRS's viewers begin with this.
    static let srsPrefix = "srs:"

    /// The fields of SRS's callbacks that count here.
    private struct SRSCallback: Decodable {
        /// A number in old versions, text in newer ones.
        enum ID: Decodable {
            case text(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Int64.self) {
                    self = .text("\(number)")
                } else {
                    self = .text(try container.decode(String.self))
                }
            }
        }

        var action: String?
        var client_id: ID?
        var app: String?
        var stream: String?
        /// In heartbeats only.
        var device_id: String?
    }

    /// `on_play`, `on_stop` and the heartbeat of SRS: JSON.
    private static func srs(_ body: [UInt8]) throws(HandoverRefusal) -> Action {
        guard let callback = try? JSONDecoder().decode(SRSCallback.self, from: Data(body)) else { throw .malformed }
        switch callback.action {
        case nil:
            guard callback.device_id != nil else { throw .malformed }
            return .renewAll(prefix: srsPrefix)
        case "on_play", "on_stop":
            guard case .text(let client)? = callback.client_id, !client.isEmpty else { throw .malformed }
            let stream = try name(app: callback.app, stream: callback.stream)
            let id = srsPrefix + client
            return callback.action == "on_play" ? .ask(stream, id: id, waits: true) : .withdraw(stream, id: id)
        case "on_connect", "on_close", "on_publish", "on_unpublish", "on_dvr", "on_hls", "on_hls_notify": return .ignore
        default: throw .malformed
        }
    }
}
