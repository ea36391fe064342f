"""Floor 6: keyframes in, film out; the room of Generative Inbetweening."""
