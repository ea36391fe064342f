"""Floor 4: what can be seen in pictures; a protocol and an embedded default for each sense."""
