import ArgumentParser
import ReflectorModel
import Testing

@testable import reflector

@Suite("The option --member")
struct RegionOptionTests {
    @Test("A name and an address, of either family, with the usual port or another one")
    func values() throws {
        let members = try MemberArgument.parse(
            ["bos-2=192.168.1.12", "BOS-3=192.168.1.13:4901", "bos-4=fd00::14", "bos-5=[fd00::15]:4902"], own: "bos-1")
        #expect(members.map(\.name) == ["bos-2", "bos-3", "bos-4", "bos-5"])
        #expect(
            members.map(\.endpoint.description) == [
                "192.168.1.12:4900", "192.168.1.13:4901", "[fd00::14]:4900", "[fd00::15]:4902",
            ])
    }

    @Test(
        "What is no member is refused",
        arguments: ["bos-2", "bos-2=", "=192.168.1.12", "bos-2=host", "bos-2=0.0.0.0", "bos-1=192.168.1.11"])
    func mistakes(text: String) {
        #expect(throws: ValidationError.self) { try MemberArgument.parse([text], own: "bos-1") }
    }

    @Test("A member named twice, or more than 31 of them, are refused")
    func tables() throws {
        #expect(throws: ValidationError.self) {
            try MemberArgument.parse(["bos-2=192.168.1.12", "bos-2=192.168.1.13"], own: "bos-1")
        }
        let many = (0...31).map { "edge-\($0)=10.0.1.\($0 + 1)" }
        #expect(try MemberArgument.parse(Array(many.dropLast()), own: "bos-1").count == 31)
        #expect(throws: ValidationError.self) { try MemberArgument.parse(many, own: "bos-1") }
    }
}
