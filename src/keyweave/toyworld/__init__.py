"""Floor 4: the drawn world."""
