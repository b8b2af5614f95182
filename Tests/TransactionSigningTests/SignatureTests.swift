import Testing

@testable import TransactionSigning

private let now: Int64 = 1_800_000_000

/// A query for `example.net` SOA, without further records.
private let query: [UInt8] =
    [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + [7] + Array("example".utf8) + [3] + Array("net".utf8)
    + [0, 0, 6, 0, 1]

private func key(_ algorithm: TSIGAlgorithm = .hmacSHA256, secret: UInt8 = 7) throws -> TSIGKey {
    try #require(TSIGKey(name: "Secondary.Example", algorithm: algorithm, secret: Array(repeating: secret, count: 32)))
}

private func signed(_ key: TSIGKey, at time: Int64 = now) -> [UInt8] {
    var session = TSIGSession(key)
    var message = query
    let isSigned = session.sign(&message, now: time)
    #expect(isSigned)
    return message
}

/// The same message with an edited signature record.
private func edited(_ message: [UInt8], _ edit: (inout TSIGRecord) -> Void) throws -> [UInt8] {
    var record = try #require(try TSIGRecord.find(in: message))
    var result = Array(message[..<record.start])
    edit(&record)
    return result.withRecord(record)
}

extension [UInt8] {
    fileprivate mutating func withRecord(_ record: TSIGRecord) -> [UInt8] {
        self + record.bytes
    }
}

private func reason(_ request: TSIGRequest) -> TSIGRequest.Rejection.Reason? {
    if case .rejected(let rejection) = request { return rejection.reason }
    return nil
}

@Suite("TSIG (RFC 8945)")
struct SignatureTests {
    @Test(
        "MACs match the test vectors of RFC 4231",
        arguments: [
            (TSIGAlgorithm.hmacSHA256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                .hmacSHA384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"
            ),
            (
                .hmacSHA512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
                    + "caeab1a34d4a6b4b636e070a38bce737"
            ),
        ])
    func vectors(_ algorithm: TSIGAlgorithm, _ code: String) throws {
        // Test case 2: a key shorter than the MAC.
        let key = try #require(TSIGKey(name: "k", algorithm: algorithm, secret: Array("Jefe".utf8)))
        let found = try #require(key.code(of: [Array("what do ya want ".utf8), Array("for nothing?".utf8)]))
        #expect(found.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() == code)
    }

    @Test("A signed request is verified and returned unchanged", arguments: TSIGAlgorithm.allCases)
    func genuine(_ algorithm: TSIGAlgorithm) throws {
        let key = try key(algorithm)
        let request = TSIGRequest.verify(signed(key), keys: TSIGKeyring([key]), now: now)
        guard case .signed(let session, let message) = request else {
            Issue.record("\(request)")
            return
        }
        #expect(message == query)
        #expect(session.key == key)
    }

    @Test("In a reply of several messages, every signature covers the previous one", arguments: TSIGAlgorithm.allCases)
    func chain(_ algorithm: TSIGAlgorithm) throws {
        let key = try key(algorithm)
        var client = TSIGSession(key)
        var request = query
        let isSigned2 = client.sign(&request, now: now)
        #expect(isSigned2)
        guard case .signed(var server, _) = TSIGRequest.verify(request, keys: TSIGKeyring([key]), now: now) else {
            Issue.record("not genuine")
            return
        }
        var answers: [[UInt8]] = []
        for number in 0..<5 {
            var answer = query
            answer[2] = 0x84
            answer[3] = UInt8(number)
            #expect(answer.count + server.length > answer.count + 80)
            let before = answer.count
            let isSigned3 = server.sign(&answer, now: now)
            #expect(isSigned3)
            #expect(answer.count == before + server.length)
            answers.append(answer)
        }
        var swapped = client
        for answer in answers {
            let isNext = client.check(answer, now: now)
            #expect(isNext)
        }
        let isGenuine4 = swapped.check(answers[0], now: now)
        #expect(isGenuine4)
        let isGenuine5 = swapped.check(answers[2], now: now)
        #expect(!isGenuine5, "one is missing")
    }

    @Test("An unknown name, or a known name with another algorithm, is BADKEY and answered without a MAC")
    func badKey() throws {
        let request = TSIGRequest.verify(signed(try key()), keys: TSIGKeyring(), now: now)
        #expect(reason(request) == .badKey)
        let other = TSIGRequest.verify(signed(try key()), keys: TSIGKeyring([try key(.hmacSHA512)]), now: now)
        #expect(reason(other) == .badKey)
        guard case .rejected(let rejection) = request else { return }
        var reply = query
        rejection.finish(&reply, now: now)
        let record = try #require(try TSIGRecord.find(in: reply))
        #expect(record.error == 17 && record.code.isEmpty && record.originalID == 0x1234)
    }

    @Test("Another secret, or any changed bit, is BADSIG or a malformed message")
    func badSignature() throws {
        let ring = TSIGKeyring([try key()])
        #expect(reason(.verify(signed(try key(secret: 8)), keys: ring, now: now)) == .badSignature)
        let message = signed(try key())
        for position in message.indices {
            for bit in [0x01, 0x80] as [UInt8] {
                var changed = message
                changed[position] ^= bit
                // The MAC does not cover the header's id, only the original id in the record.
                if case .signed = TSIGRequest.verify(changed, keys: ring, now: now) {
                    #expect(position < 2, "byte \(position)")
                }
            }
        }
        guard case .rejected(let rejection) = TSIGRequest.verify(signed(try key(secret: 8)), keys: ring, now: now)
        else {
            return
        }
        var reply = query
        rejection.finish(&reply, now: now)
        let record = try #require(try TSIGRecord.find(in: reply))
        #expect(record.error == 16 && record.code.isEmpty)
    }

    @Test("A signature is valid within its fudge; otherwise it is BADTIME, with a signed reply that has our time")
    func badTime() throws {
        let key = try key()
        let ring = TSIGKeyring([key])
        for shift in [-300, 300] as [Int64] {
            guard case .signed = TSIGRequest.verify(signed(key, at: now + shift), keys: ring, now: now) else {
                Issue.record("refused at \(shift)")
                continue
            }
        }
        for shift in [-301, 301] as [Int64] {
            let message = signed(key, at: now + shift)
            guard case .rejected(let rejection) = TSIGRequest.verify(message, keys: ring, now: now) else {
                Issue.record("accepted at \(shift)")
                continue
            }
            #expect(rejection.reason == .badTime)
            var reply = query
            rejection.finish(&reply, now: now)
            let record = try #require(try TSIGRecord.find(in: reply))
            #expect(record.error == 18 && record.code.count == 32)
            #expect(record.timeSigned == UInt64(now + shift), "the client's time, so that it can check the MAC")
            #expect(record.other == TSIGRecord.time(UInt64(now)))
            let request = try #require(try TSIGRecord.find(in: message))
            let wanted = key.code(of: [[0, 32] + request.code, record.unsigned(reply), record.variables])
            #expect(record.code == wanted)
        }
    }

    @Test("A truncated MAC is BADTRUNC if valid; one of less than half, or more than the full length, is malformed")
    func truncation() throws {
        let ring = TSIGKeyring([try key()])
        let message = signed(try key())
        let cut = try edited(message) { $0.code = Array($0.code.prefix(16)) }
        #expect(reason(.verify(cut, keys: ring, now: now)) == .badTruncation)
        let wrong = try edited(message) { $0.code = Array($0.code.suffix(16)) }
        #expect(reason(.verify(wrong, keys: ring, now: now)) == .badSignature)
        for count in [0, 15, 33] {
            let bad = try edited(message) { $0.code = Array(repeating: 0, count: count) }
            guard case .malformed = TSIGRequest.verify(bad, keys: ring, now: now) else {
                Issue.record("\(count) bytes")
                continue
            }
        }
    }

    @Test("A signature that is truncated or not the last record is malformed; hostile bytes never trap")
    func malformed() throws {
        let key = try key()
        let ring = TSIGKeyring([key])
        let message = signed(key)
        for end in query.count..<message.count {
            guard case .malformed = TSIGRequest.verify(Array(message[..<end]), keys: ring, now: now) else {
                Issue.record("cut at \(end)")
                continue
            }
        }
        var twice = message
        append(try #require(try TSIGRecord.find(in: message)), to: &twice)
        guard case .malformed = TSIGRequest.verify(twice, keys: ring, now: now) else {
            Issue.record("two signatures")
            return
        }
        var random: UInt64 = 1
        for _ in 0..<20_000 {
            var changed = message
            for _ in 0..<3 {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                changed[Int(random >> 33) % changed.count] = UInt8(truncatingIfNeeded: random >> 24)
            }
            _ = TSIGRequest.verify(changed, keys: ring, now: now)
        }
    }
}

@Suite("Files of keys")
struct KeyringTests {
    @Test("Key lines and the output of tsig-keygen are read")
    func forms() throws {
        let text = """
            # a comment
            one hmac-sha256 AAECAwQFBgc=   # behind it
            key "two.example" {
            \talgorithm hmac-sha512;
            \tsecret "//79/Pv6+fg=";
            };
            // another
            three HMAC-SHA384 //79/Pv6+fg=
            """
        let ring = try TSIGKeyring.parse(text).get()
        #expect(ring["one."]?.secret == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(ring["TWO.example"]?.algorithm == .hmacSHA512)
        #expect(ring["three"]?.secret == [255, 254, 253, 252, 251, 250, 249, 248])
        #expect(ring["four"] == nil)
    }

    @Test("Every error is reported with its line")
    func mistakes() {
        let text = "a hmac-md5 AAAA\nb hmac-sha256\nc hmac-sha256 A===\nd hmac-sha256 AAAA\nd hmac-sha256 AAAA\n"
        guard case .failure(let problems) = TSIGKeyring.parse(text) else {
            Issue.record("accepted")
            return
        }
        #expect(problems.list.map(\.line) == [1, 2, 3, 5])
    }

    @Test("A generated key can be read", arguments: TSIGAlgorithm.allCases)
    func generated(_ algorithm: TSIGAlgorithm) throws {
        let key = try #require(TSIGKey.generate(name: "new", algorithm: algorithm))
        #expect(try TSIGKeyring.parse(key.line + "\n").get()["new"] == key)
        #expect(TSIGKey.generate(name: "", algorithm: algorithm) == nil)
    }

    @Test("Base64 is strict")
    func base64() {
        for length in 0..<20 {
            let bytes = (0..<length).map { UInt8($0 * 13 & 255) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        for text in ["A", "AA", "AA=A", "AB==", "AAB=", "====", "A A=", "AA==\n"] {
            #expect(Base64.decode(text) == nil)
        }
    }
}
