import DNSAnswers
import ReflectorModel
import Testing

@testable import DNSService

@Suite("The election's state in a zone's content, and its serial")
struct ElectionStateTests {
    private static func lead(_ stream: String, _ host: String?) throws -> LeadReport.Lead {
        LeadReport.Lead(stream: try ElectionZone.stream(stream), host: host)
    }

    private static func override(
        _ action: EntrypointOverride.Action, _ host: String, of stream: String, zone: String = "example.net"
    ) -> EntrypointOverride {
        EntrypointOverride(
            zone: zone, stream: stream, host: host, action: action, reason: "test", until: 2_000, by: "alice")
    }

    private static func states(
        _ leads: [LeadReport.Lead], _ overrides: [EntrypointOverride] = [], zone: String = "example.net"
    ) -> HostStates {
        HostStates(overrides: Overrides(entrypoints: overrides), leads: LeadReport(zone: zone, leads: leads))
    }

    /// `live/news=ep-nyc` for each lead.
    private static func leads(_ content: ZoneContent) -> [String] {
        content.election.leads.map { "\($0.stream)=\($0.host.map { content.hosts[$0].name } ?? "")" }
    }

    @Test("The first candidate's lead is left out; which is the first depends on overrides")
    func first() throws {
        let files = try ElectionZone.content()
        let reported = [
            try Self.lead("live/jazz", nil), try Self.lead("live/news", "ep-bos"), try Self.lead("live/rock", "ep-lon"),
        ]
        #expect(Self.leads(Self.states(reported).applied(to: files)) == ["live/jazz=", "live/rock=ep-lon"])
        let pinned = Self.states(
            reported, [Self.override(.pin, "ep-nyc", of: "live/news"), Self.override(.pin, "ep-lon", of: "live/*")])
        #expect(Self.leads(pinned.applied(to: files)) == ["live/jazz=", "live/news=ep-bos"])
        let barred = Self.states(reported, [Self.override(.bar, "ep-nyc", of: "live/rock")])
        #expect(Self.leads(barred.applied(to: files)) == ["live/jazz="])
    }

    @Test("What the files do not know, or another zone reported, is left out")
    func unknown() throws {
        let files = try ElectionZone.content()
        let reported = [
            try Self.lead("live/news", "a-1"), try Self.lead("live/rock", "gone"), try Self.lead("radio", nil),
        ]
        let overrides = [
            Self.override(.pin, "a-1", of: "live/news"), Self.override(.pin, "ep-nyc", of: "radio"),
            Self.override(.bar, "ep-nyc", of: "live/news"),
            Self.override(.pin, "ep-nyc", of: "live/news", zone: "example.org"),
        ]
        let content = Self.states(reported, overrides).applied(to: files)
        #expect(content.election.leads.isEmpty)
        #expect(content.election.overrides.map(\.action) == [.bar])
        let elsewhere = Self.states([try Self.lead("live/news", "ep-lon")], zone: "example.org")
        #expect(elsewhere.applied(to: files) == HostStates().applied(to: files))
        #expect(content.withoutHostStates == files)
    }

    @Test("A lead or an override raises the serial once; a lead keeps the serial at which it began")
    func serial() throws {
        let files = try ElectionZone.content()
        func served(_ states: HostStates, after before: ServedZone?) throws -> ServedZone {
            try ServedZone(files, hostStates: states, before: before, kept: nil, unixTime: 5_000)
        }
        let quiet = try served(HostStates(), after: nil)
        let news = try Self.lead("live/news", "ep-nyc")
        let one = try served(Self.states([news]), after: quiet)
        #expect(ZoneSerial.isAfter(one.entry.serial, quiet.entry.serial))
        #expect(one.content.election.leads.map(\.changedSerial) == [one.entry.serial])
        let same = try served(Self.states([news]), after: one)
        #expect(same.entry == one.entry)
        let two = try served(Self.states([try Self.lead("live/jazz", nil), news]), after: same)
        #expect(two.content.election.leads.map(\.changedSerial) == [two.entry.serial, one.entry.serial])
        #expect(
            two.leadStatus == [
                .init(zone: "example.net", stream: "live/jazz", host: nil, serial: two.entry.serial),
                .init(zone: "example.net", stream: "live/news", host: "ep-nyc", serial: one.entry.serial),
            ])
        let pinned = try served(
            Self.states([news], [Self.override(.pin, "ep-lon", of: "live/news")]), after: two)
        #expect(ZoneSerial.isAfter(pinned.entry.serial, two.entry.serial))
        let quietAgain = try served(HostStates(), after: pinned)
        #expect(quietAgain.entry.digest == quiet.entry.digest)
        #expect(ZoneSerial.isAfter(quietAgain.entry.serial, pinned.entry.serial))
    }

    @Test("Status says how many streams are led by a backup or by nobody, and what was decided, by whom")
    func notes() throws {
        let states = Self.states(
            [try Self.lead("live/jazz", nil), try Self.lead("live/news", "ep-nyc")],
            [Self.override(.bar, "ep-bos", of: "live/news")])
        #expect(states.notes.contains("leads=1 streams led by a backup, 1 led by nobody"))
        #expect(
            states.notes.last
                == "override=bar-entrypoint ep-bos of live/news in example.net until 1970-01-01T00:33:20Z by alice: test"
        )
    }
}
