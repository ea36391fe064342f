"""Floor 0: errors, progress, seeds, extras, recipes, safe files. Standard library and rich only."""
