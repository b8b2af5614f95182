/// A name or RDATA in wire form as a dictionary key. It is hashed as one buffer, whereas an array would be hashed byte
/// by byte.
struct BytesKey: Hashable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
}
