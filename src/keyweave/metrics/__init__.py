"""Floor 5: how good a clip is, in numbers that need no network."""
