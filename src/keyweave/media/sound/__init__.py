"""Sound: samples, read and cut at sample accuracy."""
