"""The embedded AWS: MiniStack in a process of its own, with the gaps filled that matter here."""
