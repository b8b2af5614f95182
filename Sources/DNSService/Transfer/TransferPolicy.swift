import ReflectorModel
import Synchronization
import TransactionSigning

/// Which clients may transfer zones.
public struct TransferPolicy: Sendable {
    /// `ADDR/PREFIX[,key=NAME]`.
    public struct Rule: Sendable, CustomStringConvertible {
        public var block: CIDRBlock
        /// Requests must be signed with this key; nil requires no signature.
        public var key: String?

        public init(block: CIDRBlock, key: String? = nil) {
            self.block = block
            self.key = key
        }

        /// Nil for text in another format.
        public init?(_ text: String) {
            let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, let block = CIDRBlock(first) else { return nil }
            self.init(block: block)
            if parts.count == 2 {
                guard let name = keyName(parts[1]) else { return nil }
                key = name
            }
        }

        public var description: String { "\(block)" + (key.map { ",key=\($0)" } ?? "") }
    }

    public var rules: [Rule]
    private let keyring: Keyring

    public init(rules: [Rule] = [], keys: TSIGKeyring = TSIGKeyring()) {
        self.rules = rules
        keyring = Keyring(keys)
    }

    /// The current keys that verify requests and sign messages. A change applies at once in every copy of this policy:
    /// a running server uses new keys without a restart.
    public var keys: TSIGKeyring {
        get { keyring.keys.withLock { $0 } }
        nonmutating set { keyring.keys.withLock { $0 = newValue } }
    }

    /// Shared by the copies of a policy.
    private final class Keyring: Sendable {
        let keys: Mutex<TSIGKeyring>
        init(_ keys: TSIGKeyring) { self.keys = Mutex(keys) }
    }

    /// - Parameter key: the key that the verified request was signed with.
    func allows(_ address: IPAddress, key: TSIGKey?) -> Bool {
        rules.contains { rule in
            guard rule.block.contains(address) else { return false }
            guard let wanted = rule.key else { return true }
            return key != nil && keys[wanted] == key
        }
    }
}

/// One name server to notify of new serials: `ADDR[:PORT][,key=NAME][,from=ADDR]`.
public struct NotifyTarget: Sendable, Hashable, CustomStringConvertible {
    public var endpoint: Endpoint
    /// Name of the key that signs the message.
    public var key: String?
    /// The source address by which the target knows us; nil selects one that we listen on.
    public var source: IPAddress?

    public init(endpoint: Endpoint, key: String? = nil, source: IPAddress? = nil) {
        self.endpoint = endpoint
        self.key = key
        self.source = source
    }

    /// Nil for text in another format. The default port is 53.
    public init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 3 else { return nil }
        if let endpoint = Endpoint(first), endpoint.port != 0 {
            self.init(endpoint: endpoint)
        } else if let address = IPAddress(first) {
            self.init(endpoint: Endpoint(address: address, port: 53))
        } else {
            return nil
        }
        for part in parts.dropFirst() {
            if key == nil, let name = keyName(part) {
                key = name
            } else if source == nil, part.hasPrefix("from="), let address = IPAddress(part.dropFirst(5)),
                address.isV4 == endpoint.address.isV4
            {
                source = address
            } else {
                return nil
            }
        }
    }

    public var description: String {
        "\(endpoint)" + (key.map { ",key=\($0)" } ?? "") + (source.map { ",from=\($0)" } ?? "")
    }
}

/// The NAME in `key=NAME`.
private func keyName(_ text: Substring) -> String? {
    guard text.hasPrefix("key="), text.count > 4 else { return nil }
    return String(text.dropFirst(4))
}
