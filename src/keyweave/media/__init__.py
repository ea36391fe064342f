"""Floor 1: pictures, clips and sound; reading and writing them. Never imports torch."""
