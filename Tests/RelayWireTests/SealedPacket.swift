import PacketSealing
import ReflectorModel
import RelayWire

/// A whole data datagram, sealed and opened as a node does it.
struct SealedPacket {
    var bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    init(_ header: DataHeader, payload: [UInt8], key: SealKey, crypto: any PacketCrypto) {
        bytes = Bytes.unsealed(header, payload: payload.count)
        let start = WireLimits.linkHeaderLength + WireLimits.streamHeaderLength
        bytes.replaceSubrange(start..<start + payload.count, with: payload)
        bytes.withUnsafeMutableBytes { whole in
            let parts = Parts(UnsafeMutableRawBufferPointer(whole))
            crypto.seal(
                key, sequence: header.sequence, header: UnsafeRawBufferPointer(parts.header), payload: parts.payload,
                tag: parts.tag)
        }
    }

    /// The payload, decrypted in place, or nil if the tag is wrong.
    func open(key: SealKey, crypto: any PacketCrypto) -> [UInt8]? {
        var copy = bytes
        return copy.withUnsafeMutableBytes { whole -> [UInt8]? in
            guard let header = try? DataHeader(parsing: UnsafeRawBufferPointer(whole)) else { return nil }
            let parts = Parts(whole)
            let authentic = crypto.open(
                key, sequence: header.sequence, header: UnsafeRawBufferPointer(parts.header),
                ciphertext: UnsafeRawBufferPointer(parts.payload), tag: UnsafeRawBufferPointer(parts.tag),
                into: parts.payload)
            return authentic ? Array(parts.payload) : nil
        }
    }

    private struct Parts {
        var header: UnsafeMutableRawBufferPointer
        var payload: UnsafeMutableRawBufferPointer
        var tag: UnsafeMutableRawBufferPointer

        init(_ whole: UnsafeMutableRawBufferPointer) {
            let start = WireLimits.linkHeaderLength + WireLimits.streamHeaderLength
            let end = whole.count - WireLimits.sealTagLength
            header = UnsafeMutableRawBufferPointer(rebasing: whole[WireLimits.linkHeaderLength..<start])
            payload = UnsafeMutableRawBufferPointer(rebasing: whole[start..<end])
            tag = UnsafeMutableRawBufferPointer(rebasing: whole[end...])
        }
    }
}
