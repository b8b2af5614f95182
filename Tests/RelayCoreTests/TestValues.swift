import ReflectorModel

/// `#expect` takes no mutating call; this makes one first.
func did<State: ~Copyable, Result>(_ state: inout State, _ call: (inout State) -> Result) -> Result { call(&state) }

func instant(_ milliseconds: Int64) -> MonotonicInstant { .zero + .milliseconds(milliseconds) }
