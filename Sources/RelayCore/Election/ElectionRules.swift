import ReflectorModel

/// The parameters of the election of entrypoints ([A] §V-A). The same on all nodes.
public struct ElectionRules: Sendable, Hashable {
    /// An entrypoint is dead to a witness when this many heartbeats did not arrive, the next one is due, and nothing else
    /// has come from it either.
    public var heartbeatsMissed = 3
    /// How often a witness looks at the streams while nothing changes.
    public var interval: TimeSpan = .milliseconds(100)
    /// Time between the evaluations of a stream that has lost its leader.
    public var recheckInterval: TimeSpan = .milliseconds(50)
    /// A stream loses its leader only if this many evaluations in a row find none.
    public var evaluationsUnled = 2
    /// How long after a stream is first announced a witness waits for the announcement of the first candidate before
    /// another one leads. Nobody waits for the stream meanwhile: it is fetched from whoever announces it.
    public var startGrace: TimeSpan = .milliseconds(2_500)
    /// A candidate with a better rank leads again after its data have advanced for this long.
    public var failbackAfter: TimeSpan = .seconds(10)
    /// The same for a candidate whose data went on, and which a witness only could not hear. It doubles with each time
    /// that the witness loses it again within `failbackAfter`, up to that.
    public var returnAfter: TimeSpan = .seconds(1)
    /// A stream that is announced but that nobody has led yet counts as orphaned after this long.
    public var startPatience: TimeSpan = .seconds(3)
    /// How long the candidate of rank 3 waits for the one of rank 2 before it pulls an orphaned stream; rank 4 waits
    /// twice as long, and so on.
    public var backupDelay: TimeSpan = .seconds(1)

    /// False only in tests that must notice it: one witness suffices to start a second puller.
    public var needsMajority = true
    /// False only in tests that must notice it: a backup goes on pulling while a better candidate leads.
    public var standsDown = true

    public init() {}
}
