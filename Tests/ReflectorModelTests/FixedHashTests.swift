import Testing

@testable import ReflectorModel

/// These values are part of the protocol: nodes of different versions must agree on them. They were computed by a
/// second implementation. A change that breaks one of them needs a new version of the protocol, not a new test vector.
@Suite("Fixed hashes, fixed for ever")
struct FixedHashTests {
    @Test("mix")
    func mix() {
        #expect(FixedHash.mix(0) == 0)
        #expect(FixedHash.mix(1) == 0xb456_bcfc_34c2_cb2c)
        #expect(FixedHash.mix(7) == 0x7407_29cb_e468_d1dd)
        #expect(FixedHash.mix(.max) == 0x64b5_720b_4b82_5f21)
    }

    @Test("combine depends on the order")
    func combine() {
        #expect(FixedHash.combine(1, 2) == 0x9552_7b2e_69b2_4cdf)
        #expect(FixedHash.combine(2, 1) == 0x513c_0fa5_0ba5_fb14)
    }

    @Test("payload, of the bytes 0, 7, 14, …")
    func payload() {
        let values: [(length: Int, value: UInt64)] = [
            (0, 0x2aea_69e6_66c5_65f7), (1, 0xda8d_b9d7_93f3_afaa), (7, 0xa874_70dd_8932_e466),
            (8, 0x6185_6f71_35c5_5e43), (31, 0x8133_aff7_bcf3_3ec3), (32, 0x5bee_1278_b7f9_b42f),
            (33, 0x305a_b686_9465_54ff), (188, 0x2622_3d52_26b8_65c7), (1_316, 0x6e6e_210f_1f6d_d1d9),
        ]
        for (length, value) in values {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7) }
            #expect(bytes.withUnsafeBytes { FixedHash.payload($0) } == value, "\(length)")
        }
    }

    @Test(
        "hash, for node, portset, incarnation, rendezvous and shard",
        arguments: [
            (
                "",
                [
                    0x85ba_d54d_da0e_0188, 0xbe20_302f_c2dd_6dfb, 0xcc52_0f65_5e4a_a1b7, 0xbde3_85a0_8645_a834,
                    0xb858_8090_3438_51c2,
                ]
            ),
            (
                "edge-1",
                [
                    0x8013_7cd2_8fab_6083, 0xd824_020e_b7ba_e195, 0x4329_14ed_1178_9e21, 0x6bcc_e1aa_b0ca_1279,
                    0x8703_b42c_1603_2f4d,
                ]
            ),
            (
                "live/news",
                [
                    0xc842_9e0a_2eef_3411, 0x98bc_0847_19b1_cddf, 0x1e19_4f98_8e1d_b5f2, 0x6047_36cd_64ab_69af,
                    0xc38d_5120_5d28_4a7f,
                ]
            ),
            (
                "é",
                [
                    0xf016_821f_1a78_496c, 0x33b0_117c_6c64_339d, 0x5309_1eec_e462_32d4,
                    0x1649_9579_0d77_3d3e, 0x101a_ee34_8d87_4069,
                ]
            ),
        ] as [(String, [UInt64])])
    func hash(text: String, values: [UInt64]) {
        let purposes: [FixedHash.Purpose] = [.node, .portset, .incarnation, .rendezvous, .shard]
        for (purpose, value) in zip(purposes, values) {
            #expect(FixedHash.hash(text, purpose: purpose) == value, "\(purpose)")
        }
    }

    @Test("A node's id does not depend on the case of its name")
    func nodeID() {
        #expect(NodeID(name: "ep-bos") == NodeID(0x179c_b02c_bd94_9085))
        #expect(NodeID(name: "EP-Bos") == NodeID(name: "ep-bos"))
        #expect(NodeID(name: "set-1") == NodeID(0x0a99_90db_eda4_8ea1))
        #expect(NodeID(name: "set-1").description == "0a9990dbeda48ea1")
    }

    @Test("Jump consistent hash")
    func jump() {
        let vectors: [(UInt64, UInt32, UInt32)] = [
            (0, 1, 0), (0, 1000, 0), (1, 1000, 549), (0xdead_beef, 65_536, 64_244), (.max, 65_536, 18_311),
            (0xc0ffee, 16, 2), (12_345, .max, 2_491_281_530), (5, 0, 0),
        ]
        for (key, buckets, bucket) in vectors { #expect(FixedHash.jump(key, buckets: buckets) == bucket) }
    }

    @Test("Jump consistent hash, 20,000 keys folded into one value")
    func jumpMany() {
        var folded: UInt64 = 0
        for index in 0..<20_000 as Range<UInt64> {
            let buckets = UInt32(1 + (index * 7919) % 65_536)
            folded = FixedHash.combine(folded, UInt64(FixedHash.jump(FixedHash.mix(index), buckets: buckets)))
        }
        #expect(folded == 0xe5eb_a4de_5e73_0f6a)
    }

    @Test("Growing from 100 to 101 buckets moves a hundredth of the keys, and only to the new bucket")
    func jumpMoves() {
        var moved = 0
        for index in 0..<100_000 as Range<UInt64> {
            let key = FixedHash.mix(index)
            let before = FixedHash.jump(key, buckets: 100)
            let after = FixedHash.jump(key, buckets: 101)
            guard before != after else { continue }
            #expect(after == 100)
            moved += 1
        }
        #expect((900...1080).contains(moved))
    }

    @Test("Portset of a stream under hash(low-high)")
    func portset() throws {
        for (name, bucket) in [("live/news", 2610), ("live/sport", 969), ("a", 1486), ("live/2024/final", 2958)] {
            let stream = try #require(StreamName(name))
            #expect(stream.portset(hashedInto: 0...4095) == PortsetID(UInt16(bucket)))
            #expect(stream.portset(hashedInto: 100...4195) == PortsetID(UInt16(100 + bucket)))
            #expect(stream.portset(hashedInto: 9...9) == PortsetID(9))
            _ = stream.portset(hashedInto: 0...65_535)
        }
    }

    @Test("Incarnation tags")
    func incarnationTag() throws {
        let incarnation = Incarnation(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff)
        func tag(_ name: String) throws -> IncarnationTag {
            IncarnationTag(
                stream: try #require(StreamName(name)), source: NodeID(name: "ep-bos"), incarnation: incarnation)
        }
        #expect(try tag("live/news") == IncarnationTag(0x835c_545f_e3f7_2f9c))
        #expect(try tag("live/sport") == IncarnationTag(0xb75d_4eb7_7f43_7063))
        #expect(incarnation.description == "00112233445566778899aabbccddeeff")
    }

    @Test("Logarithm by repeated squaring")
    func negativeLog2() {
        #expect(FixedHash.negativeLog2(1) == 64 << 40)
        #expect(FixedHash.negativeLog2(1 << 63) == 1 << 40)
        #expect(FixedHash.negativeLog2(3 << 62) == 456_338_556_421)
        #expect(FixedHash.negativeLog2(.max) == 1)
    }

    @Test("Rendezvous scores; weight 0 counts as 1")
    func rendezvous() {
        let key = FixedHash.hash("r1283/s4096", purpose: .rendezvous)
        let vectors: [(String, UInt32, UInt64)] = [
            ("nyc-1", 1, 792_492_376_924), ("nyc-1", 2, 396_246_188_462), ("nyc-2", 1, 10_154_602_857_504),
            ("lon-1", 10, 136_485_239_128), ("lon-1", 0, 1_364_852_391_280),
        ]
        for (host, weight, score) in vectors {
            #expect(FixedHash.rendezvousScore(key: key, host: NodeID(name: host), weight: weight) == score)
        }
    }

    @Test("A host of weight 3 is first three times as often as one of weight 1")
    func weights() {
        let heavy = NodeID(name: "nyc-1")
        let light = NodeID(name: "nyc-2")
        let first = (0..<40_000 as Range<UInt64>).filter { index in
            let key = FixedHash.mix(index)
            return FixedHash.rendezvousScore(key: key, host: heavy, weight: 3)
                < FixedHash.rendezvousScore(key: key, host: light, weight: 1)
        }.count
        #expect((29_600...30_400).contains(first))
    }

    @Test("The seeded generator gives the known values of SplitMix64 (seed 1234567)")
    func seeded() {
        var generator = SeededGenerator(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
        ]
        #expect(expected == (0..<3).map { _ in generator.next() })
    }
}
