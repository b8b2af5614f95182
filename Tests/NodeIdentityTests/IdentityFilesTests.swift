import Foundation
import NodeIdentity
import ReflectorModel
import SecretFiles
import Testing

@testable import IdentityKeys

/// A folder that is removed after the test.
func withFolder(_ body: (String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("identity-\(UUID())").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
}

@Suite("Text files of identities")
struct IdentityTextTests {
    private let key = String(repeating: "3d", count: 32)
    private let other = String(repeating: "4e", count: 32)

    private func positions(_ body: () throws -> Void) -> [String] {
        do {
            try body()
            return []
        } catch let error as IdentityFileError {
            return error.problems.map { "\($0.line):\($0.column)" }
        } catch {
            return ["\(error)"]
        }
    }

    @Test("The file of operators is read, printed and read again; powers follow from roles")
    func operators() throws {
        let text = "# us\noperator alice admin \(key) ; the first\n\noperator night override \(other)\n"
        let directory = try OperatorDirectory.parse(Array(text.utf8), path: "operators")
        #expect(directory.entries.map(\.name) == ["alice", "night"] && directory.admins.map(\.name) == ["alice"])
        #expect(try OperatorDirectory.parse(Array(directory.text.utf8), path: "operators") == directory)
        let night = try #require(directory.entry(named: "night"))
        #expect(directory.entry(with: night.key) == night && directory.entry(with: night.id) == night)
        #expect(night.role.maySetOverrides && !night.role.mayCertify && !OperatorRole.view.maySetOverrides)
        #expect(directory.authorities.ids == directory.admins.map(\.id))
    }

    @Test("Every mistake in the file of operators has its position, all at once")
    func operatorMistakes() {
        func positions(_ text: String) -> [String] {
            self.positions { _ = try OperatorDirectory.parse(Array(text.utf8), path: "o") }
        }
        let alice = "operator alice admin \(key)\n"
        #expect(positions(alice).isEmpty)
        #expect(positions("") == ["1:1"])
        #expect(positions("operator night view \(key)\n") == ["1:1"])
        #expect(positions("\(alice)operator a king \(other)\noperator B view \(other)\n") == ["2:12", "3:10"])
        #expect(positions(alice + "operator bob view \(other.uppercased())\n") == ["2:19"])
        #expect(positions(alice + "operator bob view\n") == ["2:18"])
        #expect(positions(alice + "operator bob view \(other) x\n") == ["2:84"])
        #expect(positions(alice + "operater bob view \(other)\n") == ["2:1"])
        #expect(positions(alice + "operator alice view \(other)\n") == ["2:1"])
        #expect(positions(alice + "operator bob view \(key)\n") == ["2:1"])
        #expect(positions(alice + "operator bob view \(other)") == ["2:83"])
        let three = ["5f", "6a"].map { "operator x\($0) admin \(String(repeating: $0, count: 32))\n" }.joined()
        #expect(positions(alice + three) == ["3:1"])
        #expect(self.positions { _ = try OperatorDirectory.parse([0xff, 0xfe, 0x0a], path: "o") } == ["1:1"])
    }

    @Test("What an operator has issued is read, printed and read again; a damaged line or a repeated serial is refused")
    func issued() throws {
        let text = """
            issued 65537 a.test edge-1 edge r7 100 200 \(key)
            issued 65538 a.test set-1 set nyc 100 200 \(other)
            issued 65539 a.test ep-1 entrypoint - 100 200 \(other)
            revoked 65538 a.test 3 150 disk stolen

            """
        let file = try IssuedFile.parse(Array(text.utf8), path: "i")
        #expect(try IssuedFile.parse(Array(file.text.utf8), path: "i") == file)
        #expect(file.entries.map(\.region) == [.edge(RegionID(7)), .set("nyc"), .none])
        #expect(file.live(name: "edge-1", zone: "a.test", at: 199).count == 1)
        #expect(file.live(name: "edge-1", zone: "a.test", at: 200).isEmpty)
        #expect(file.live(name: "set-1", zone: "a.test", at: 150).isEmpty && file.revoked[0].why == "disk stolen")
        for line in [
            "issued 0 a.test e edge r7 1 2 \(key)", "issued 1 a.test e edge - x 2 \(key)",
            "issued 01 a.test e set - 1 2 \(key)",
            "issued 1 a.test e king - 1 2 \(key)", "issued 1 a.test e edge r7 1 2 \(key.dropLast())",
            "revoked 1 a.test 2 3", "x",
        ] {
            #expect(positions { _ = try IssuedFile.parse(Array("\(line)\n".utf8), path: "i") } == ["1:1"], "\(line)")
        }
        let twice = "issued 9 a.test e set - 1 2 \(key)\nissued 9 a.test f set - 1 2 \(key)\n"
        #expect(positions { _ = try IssuedFile.parse(Array(twice.utf8), path: "i") } == ["1:1"])
    }

    @Test("A request proves that its sender has the private key: every change is noticed")
    func request() throws {
        try withFolder { folder in
            let request = try IdentityFolder.request(for: "edge-1", in: folder + "/id")
            let line = RequestFile.line(request)
            #expect(try RequestFile.parse(Array("\(line)\n".utf8), path: "r") == [request])
            #expect(try IdentityFolder.request(for: "edge-1", in: folder + "/id").publicKey == request.publicKey)
            let words = line.split(separator: " ").map(String.init)
            for changed in [
                "\(words[0]) edge-2 \(words[2]) \(words[3])", "\(words[0]) edge-1 \(key) \(words[3])",
                "\(words[0]) edge-1 \(words[2]) \(String(words[3].reversed()))",
            ] {
                #expect(positions { _ = try RequestFile.parse(Array("\(changed)\n".utf8), path: "r") }.count == 1)
            }
            #expect(throws: IdentityFileError.self) { try IdentityFolder.request(for: "edge-2", in: folder + "/id") }
            #expect(throws: IdentityFileError.self) { try IdentityFolder.request(for: "Edge", in: folder + "/x") }
        }
    }

    @Test("A file that others can write does not decide about trust; a signed one may be written by anybody")
    func permissions() throws {
        try withFolder { folder in
            let path = folder + "/operators"
            try "operator alice admin \(key)\n".write(toFile: path, atomically: false, encoding: .utf8)
            for (mode, isGood) in [(0o644, true), (0o440, true), (0o664, false), (0o646, false)] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
                #expect(((try? OperatorDirectory.load(path)) != nil) == isGood, "\(String(mode, radix: 8))")
                #expect((try? TrustedFile.read(path, bytesMax: 1_000, isSigned: true)) != nil)
            }
        }
    }
}

@Suite("An operator and nodes")
struct OperatorFolderTests {
    private let now: UInt64 = 1_790_000_000
    private let zone = "a.test"
    private let day: UInt64 = 86_400

    private func order(
        _ name: String, _ folder: String, _ role: CertifiedRole = .set, _ region: CertifiedRegion = .none
    ) throws -> OperatorFolder.Order {
        .init(try IdentityFolder.request(for: name, in: "\(folder)/\(name)"), role: role, region: region)
    }

    @Test("Request, sign, install: the identity folder is whole; a renewed certificate replaces the old one")
    func life() throws {
        try withFolder { folder in
            _ = try OperatorFolder.make(folder + "/operator", name: "alice", role: .admin)
            var first: UInt64 = 0
            for round in 0..<2 {
                var operating = try OperatorFolder(admin: folder + "/operator")
                let orders = [try order("edge-1", folder, .edge, .edge(RegionID(7))), try order("set-1", folder)]
                let certificates = try operating.sign(orders, zone: zone, now: now, seconds: 90 * day)
                #expect(Set(certificates.map(\.content.serial)).count == 2)
                for certificate in certificates {
                    try IdentityFolder.install(
                        certificate, operators: round == 0 ? operating.operators : nil,
                        in: "\(folder)/\(certificate.content.name)")
                }
                let identity = try IdentityFolder(loading: folder + "/edge-1")
                #expect(identity.content.region == .edge(RegionID(7)) && identity.content.serial > first)
                first = identity.content.serial
                #expect(identity.validity(at: now, revocations: nil) == .valid)
                #expect(identity.validity(at: now - 1_800, revocations: nil) == .valid)
                #expect(
                    identity.validity(at: now + 90 * day, revocations: nil) == .expired(notAfter: now + 90 * day))
            }
        }
    }

    @Test("A certificate of another key, name or operator is not installed, and the folder says what is wrong")
    func foreign() throws {
        try withFolder { folder in
            _ = try OperatorFolder.make(folder + "/one", name: "alice", role: .admin)
            _ = try OperatorFolder.make(folder + "/two", name: "eve", role: .admin)
            var alice = try OperatorFolder(admin: folder + "/one")
            var eve = try OperatorFolder(admin: folder + "/two")
            let order = try order("set-1", folder)
            let good = try alice.sign([order], zone: zone, now: now, seconds: day)[0]
            let forged = try eve.sign([order], zone: zone, now: now, seconds: day)[0]
            let other = try alice.sign([try self.order("set-2", folder)], zone: zone, now: now, seconds: day)[0]
            let target = folder + "/set-1"
            #expect(throws: IdentityFileError.self) { try IdentityFolder.install(good, operators: nil, in: target) }
            for wrong in [forged, other] {
                #expect(throws: IdentityFileError.self) {
                    try IdentityFolder.install(wrong, operators: alice.operators, in: target)
                }
            }
            try IdentityFolder.install(good, operators: alice.operators, in: target)
            #expect((try? IdentityFolder(loading: target)) != nil)
            // Whoever replaces the operators' file only breaks the folder.
            try eve.operators.write(to: IdentityFolder.operatorsPath(target))
            #expect(throws: IdentityFileError.self) { try IdentityFolder(loading: target) }
            try alice.operators.write(to: IdentityFolder.operatorsPath(target))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640], ofItemAtPath: IdentityFolder.keyPath(target))
            let error = #expect(throws: IdentityFileError.self) { try IdentityFolder(loading: target) }
            #expect(error?.description.contains("chmod 600") == true)
        }
    }

    @Test("A name with another valid key is refused unless it is replaced or revoked")
    func replaced() throws {
        try withFolder { folder in
            _ = try OperatorFolder.make(folder + "/operator", name: "alice", role: .admin)
            var operating = try OperatorFolder(admin: folder + "/operator")
            _ = try operating.sign([try order("set-1", folder)], zone: zone, now: now, seconds: day)
            try FileManager.default.removeItem(atPath: folder + "/set-1")
            let again = try order("set-1", folder)
            #expect(throws: IdentityFileError.self) {
                _ = try operating.sign([again], zone: zone, now: now, seconds: day)
            }
            #expect(operating.issued.entries.count == 1)
            _ = try operating.sign([again], zone: zone, now: now, seconds: day, replacing: true)
            #expect(operating.issued.entries.count == 2)
        }
    }

    @Test("Lists of revoked certificates count up, keep what is revoked, and leave out what has expired")
    func revoking() throws {
        try withFolder { folder in
            _ = try OperatorFolder.make(folder + "/operator", name: "alice", role: .admin)
            var operating = try OperatorFolder(admin: folder + "/operator")
            let orders = try (1...3).map { try order("set-\($0)", folder) }
            let serials = try operating.sign(orders, zone: zone, now: now, seconds: 10 * day).map(\.content.serial)
            let one = try operating.revoke(
                [.name("set-1")], zone: zone, why: "disk\nstolen # today", now: now, current: nil)
            #expect(one.content.sequence == 1 && one.content.serials == [serials[0]])
            #expect(operating.issued.revoked[0].why == "disk stolen today")
            let two = try operating.revoke([.serial(serials[1])], zone: zone, why: "x", now: now, current: one)
            #expect(two.content.sequence == 2 && two.content.serials == serials.prefix(2).sorted())
            #expect(operating.operators.authorities.accepts(two, zone: zone, LibcryptoIdentityCrypto()))
            for target in [OperatorFolder.Target.name("set-1"), .serial(serials[1]), .name("nobody")] {
                #expect(throws: IdentityFileError.self) {
                    _ = try operating.revoke([target], zone: zone, why: "x", now: now, current: two)
                }
            }
            // Lost: the list is made again from what was issued, and its number is not used twice.
            let three = try operating.revoke([], zone: zone, why: "", now: now, current: nil)
            #expect(three.content.sequence == 3 && three.content.serials == two.content.serials)
            let late = try operating.revoke([], zone: zone, why: "", now: now + 11 * day, current: three)
            #expect(late.content.serials.isEmpty && late.content.sequence == 4)
            let path = RevocationFile.path(zones: folder, zone: zone)
            try RevocationFile.write(three, issuer: "alice", reasons: operating.reasons(zone: zone), to: path)
            #expect(try RevocationFile.load(path, zone: zone) == three)
            #expect(throws: IdentityFileError.self) { try RevocationFile.load(path, zone: "b.test") }
        }
    }

    @Test("A second admin rolls the first one's key: serials never meet, and both sign until one is removed")
    func rolling() throws {
        try withFolder { folder in
            _ = try OperatorFolder.make(folder + "/old", name: "alice", role: .admin)
            do {
                var old = try OperatorFolder(admin: folder + "/old")
                _ = try old.sign([try order("set-1", folder)], zone: zone, now: now, seconds: day)
                // Only one process works in a folder.
                #expect(throws: IdentityFileError.self) { _ = try OperatorFolder(admin: folder + "/old") }
            }
            _ = try OperatorFolder.make(folder + "/night", name: "night", role: .override, joining: folder + "/old")
            #expect(throws: IdentityFileError.self) { _ = try OperatorFolder(admin: folder + "/night") }
            _ = try OperatorFolder.make(folder + "/new", name: "alice-2", role: .admin, joining: folder + "/old")
            var new = try OperatorFolder(admin: folder + "/new")
            #expect(new.operators.entries.map(\.name) == ["alice", "night", "alice-2"])
            #expect(new.operators == (try OperatorDirectory.load(folder + "/old/operators")))
            let certificate = try new.sign([try order("set-1", folder)], zone: zone, now: now, seconds: day)[0]
            #expect(new.issued.entries.count == 2)
            #expect(new.issued.entries[0].serial >> 32 != certificate.content.serial >> 32)
            #expect(throws: IdentityFileError.self) {
                _ = try OperatorFolder.make(folder + "/third", name: "x", role: .admin, joining: folder + "/old")
            }
            #expect(access(folder + "/third/operator.key", F_OK) != 0)
        }
    }

    @Test("Identities for one machine are made once, reused, and renewed before they expire")
    func local() throws {
        try withFolder { folder in
            let identities = LocalIdentities(folder + "/all")
            let nodes = [
                LocalIdentities.Node(name: "set-1", role: .set, region: .set("nyc")),
                .init(name: "edge-1", role: .edge, region: .edge(RegionID(1))),
            ]
            func serial(_ name: String) throws -> UInt64 {
                try IdentityFolder(loading: identities.folder(of: name)).content.serial
            }
            try identities.make(nodes, zone: zone, now: now)
            let first = try serial("set-1")
            try identities.make(nodes, zone: zone, now: now + 59 * day)
            #expect(try serial("set-1") == first)
            try identities.make(nodes, zone: zone, now: now + 61 * day)
            #expect(try serial("set-1") > first)
            let edge = try serial("edge-1")
            let moved = [nodes[0], .init(name: "edge-1", role: .edge, region: .edge(RegionID(2)))]
            try identities.make(moved, zone: zone, now: now + 61 * day)
            #expect(try serial("edge-1") > edge)
        }
    }
}

@Suite("The life of a certificate in words")
struct ExpiryTextTests {
    private func content(_ notBefore: UInt64, _ notAfter: UInt64, serial: UInt64 = 1) throws -> CertificateContent {
        try CertificateContent(
            issuer: OperatorKeyID(1), serial: serial, notBefore: notBefore, notAfter: notAfter, role: .set,
            region: .none,
            zone: "a.test", name: "set-1", publicKey: try #require(VerificationKey([UInt8](repeating: 1, count: 32))))
    }

    @Test(
        "Times are rounded down to whole units",
        arguments: [
            (61 * 86_400 + 5, "61 days"), (90_000, "25 hours"), (7_199, "119 minutes"), (119, "119 seconds"),
            (1, "1 second"), (0, "0 seconds"),
        ])
    func lengths(_ seconds: UInt64, _ text: String) {
        #expect(TimeText.about(seconds) == text)
    }

    @Test("Validity is said in words")
    func validity() throws {
        let content = try content(1_000, 1_000 + 90 * 86_400)
        #expect(content.validityText(at: 0) == "not valid for another 16 minutes")
        #expect(content.validityText(at: 1_000) == "valid for 90 more days")
        #expect(content.validityText(at: content.notAfter + 3 * 3_600) == "expired 3 hours ago")
    }

    @Test("Each warning is given once: a week, a day and an hour before, at the end, and again for a new certificate")
    func notices() throws {
        var notices = ExpiryNotices()
        let end: UInt64 = 100 * 86_400
        let content = try content(1_000, end)
        #expect(notices.due(content, at: 0) == .notYetValid)
        #expect(notices.due(content, at: 1_000) == nil)
        for (left, notice) in [
            (604_800, ExpiryNotices.Notice.expiresSoon(.week)), (86_400, .expiresSoon(.day)),
            (3_600, .expiresSoon(.hour)),
            (0, .expired),
        ] {
            #expect(notices.due(content, at: end - UInt64(left)) == notice)
            #expect(notices.due(content, at: end - UInt64(left) + 1) == nil)
        }
        #expect(notices.due(try self.content(1_000, end, serial: 2), at: end - 60) == .expiresSoon(.hour))
    }
}
