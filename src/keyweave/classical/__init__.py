"""Floor 6: in-betweeners without learning."""
