"""Floor 6: a clip in, the same clip at another speed or rate out."""
