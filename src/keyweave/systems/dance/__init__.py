"""Floor 6: unordered keyframes, a song and a reference dance in, a dance that follows its choreography out."""
