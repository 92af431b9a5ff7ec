"""What the sources `callback` and `activity` share: one step of a state machine, from its token to its report."""
