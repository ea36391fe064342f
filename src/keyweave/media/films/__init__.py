"""Films: containers with compressed pictures and sound."""
