import ReflectorModel
import Testing

@testable import DNSAnswers

@Suite("Server cookies (RFC 7873, RFC 9018)")
struct CookieTests {
    private static let client: [UInt8] = [0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57]
    private static let source = IPAddress(v4: 0xc633_6464)
    private static let time: Int64 = 1_559_731_985

    private func cookies(_ secrets: String...) throws -> ServerCookies {
        let secrets = try secrets.map { try #require(ServerCookies.Secret(hexadecimal: $0)) }
        return try #require(ServerCookies(secrets))
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        stride(from: 0, to: hexadecimal.count, by: 2).compactMap { position in
            let start = hexadecimal.index(hexadecimal.startIndex, offsetBy: position)
            return UInt8(hexadecimal[start..<hexadecimal.index(start, offsetBy: 2)], radix: 16)
        }
    }

    /// The cookie in the reply to a query with `cookie`.
    private func exchange(
        _ cookie: [UInt8], with cookies: ServerCookies, from source: IPAddress = source, at time: Int64 = time
    ) throws -> (reply: Exchange.Reply, cookie: [UInt8], exchange: Exchange) {
        let exchange = Exchange(try ExampleZone.engine())
        exchange.cookies = cookies
        exchange.now = time
        let option = [0, 10, 0, UInt8(cookie.count)] + cookie
        let query = Exchange.query("example.net", 6, edns: 1_232, options: option)
        let reply = try Exchange.read(exchange.send(query, from: source))
        let data = reply.opt?.data ?? []
        return (reply, data.starts(with: [0, 10, 0, 24]) ? Array(data.dropFirst(4)) : [], exchange)
    }

    @Test(
        "The vectors of RFC 9018, appendix A",
        arguments: [
            (
                "2464c4abcf10c957", "198.51.100.100", "e5e973e5a6b2a43f48e7dc849e37bfcf", Int64(0x5cf7_9f11),
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
            ),
            (
                "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8", "dd3bdf9344b678b185a6f5cb60fca715",
                0x5cf7_c579, "22681ab97d52c298010000005cf7c57926556bd0934c72f8"
            ),
            (
                "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8", "445536bcd2513298075a5d379663c962",
                0x5cf7_c609, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"
            ),
        ])
    func vectors(client: String, source: String, secret: String, time: Int64, cookie: String) throws {
        let made = try exchange(
            Self.bytes(client), with: cookies(secret), from: try #require(IPAddress(source)), at: time)
        #expect(made.cookie == Self.bytes(cookie))
    }

    @Test("A cookie is renewed after half an hour; after an hour, or over five minutes ahead of time, it is invalid")
    func ages() throws {
        let cookies = try cookies("e5e973e5a6b2a43f48e7dc849e37bfcf")
        let first = try exchange(Self.client, with: cookies).cookie
        for (age, isValid, isSame) in [
            (Int64(0), true, true), (1_799, true, true), (1_800, true, false), (3_600, true, false),
            (3_601, false, false), (-300, true, true), (-301, false, false),
        ] {
            let later = try exchange(first, with: cookies, at: Self.time + age)
            #expect(later.reply.rcode == 0 && later.reply.answers.count == 1)
            #expect((later.cookie == first) == isSame, "age \(age)")
            #expect(later.exchange.count(.cookieValid) == (isValid ? 1 : 0), "age \(age)")
            #expect(later.exchange.count(.cookieWrong) == (isValid ? 0 : 1), "age \(age)")
        }
    }

    @Test("Every secret verifies, only the first signs")
    func rolling() throws {
        let old = "e5e973e5a6b2a43f48e7dc849e37bfcf"
        let new = "dd3bdf9344b678b185a6f5cb60fca715"
        let other = "445536bcd2513298075a5d379663c962"
        let signedByOld = try exchange(Self.client, with: cookies(old)).cookie
        let signedByNew = try exchange(Self.client, with: cookies(new)).cookie
        for list in [[new, old], [new, other, old], [new, old, other]] {
            let secrets = try list.map { try #require(ServerCookies.Secret(hexadecimal: $0)) }
            let found = try exchange(signedByOld, with: try #require(ServerCookies(secrets)))
            #expect(found.exchange.count(.cookieValid) == 1 && found.cookie == signedByNew)
        }
        #expect(try exchange(signedByOld, with: cookies(new, other)).exchange.count(.cookieWrong) == 1)
        #expect(ServerCookies([]) == nil)
        #expect(ServerCookies.Secret(hexadecimal: "e5e973e5a6b2a43f48e7dc849e37bfc") == nil)
        #expect(ServerCookies.Secret(hexadecimal: "e5e973e5a6b2a43f48e7dc849e37bfcg") == nil)
    }

    @Test("A cookie is invalid from another address, with another client cookie, or with any bit changed")
    func forgeries() throws {
        let cookies = try cookies("e5e973e5a6b2a43f48e7dc849e37bfcf")
        let good = try exchange(Self.client, with: cookies).cookie
        #expect(try exchange(good, with: cookies, from: IPAddress(v4: 0xc633_6465)).exchange.count(.cookieWrong) == 1)
        for bit in 0..<good.count * 8 {
            var changed = good
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try exchange(changed, with: cookies).exchange.count(.cookieValid) == 0, "bit \(bit)")
        }
        #expect(try exchange(good + [0], with: cookies).exchange.count(.cookieWrong) == 1)
    }

    @Test("A cookie of invalid length is FORMERR; a query without a question gets a cookie if it has one, else FORMERR")
    func lengths() throws {
        let cookies = try cookies("e5e973e5a6b2a43f48e7dc849e37bfcf")
        for length in [0, 7, 9, 15, 41] {
            let made = try exchange([UInt8](repeating: 1, count: length), with: cookies)
            #expect(made.reply.rcode == 1 && made.cookie.isEmpty && made.exchange.count(.badEDNS) == 1, "\(length)")
        }
        for length in [16, 23, 40] {
            let made = try exchange([UInt8](repeating: 1, count: length), with: cookies)
            #expect(made.reply.rcode == 0 && made.cookie.count == 24, "\(length)")
        }
        let exchange = Exchange(try ExampleZone.engine())
        exchange.cookies = cookies
        let header: [UInt8] = [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8] + Self.client
        let fetched = try Exchange.read(exchange.send(header + opt))
        #expect(fetched.rcode == 0 && fetched.opt?.data.count == 28 && fetched.question.isEmpty)
        #expect(exchange.count(.cookieFetched) == 1)
        let empty: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        #expect(try Exchange.read(exchange.send(header + empty)).rcode == 1)
    }
}
