"""Floor 1: keyframes with exact times, spans, time warps, and the renderer that walks them."""
