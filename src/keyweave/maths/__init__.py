"""Floor 2: the arithmetic of pictures and motion, without a learnt weight."""
