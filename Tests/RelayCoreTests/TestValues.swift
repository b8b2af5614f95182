import ReflectorModel

/// Makes a mutating call outside `#expect`, which does not accept one.
func did<State: ~Copyable, Result>(_ state: inout State, _ call: (inout State) -> Result) -> Result { call(&state) }

func instant(_ milliseconds: Int64) -> MonotonicInstant { .zero + .milliseconds(milliseconds) }
