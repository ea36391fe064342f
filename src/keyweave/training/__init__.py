"""Floor 5: one loop that trains whatever can say its loss; checkpoints, averages, a journal."""
