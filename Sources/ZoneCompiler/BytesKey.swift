/// A name or RDATA in wire form as a key. Hashed as one run: an array of bytes hashes them one by one.
struct BytesKey: Hashable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
}
