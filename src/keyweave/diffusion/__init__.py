"""Denoisers, schedules and samplers: what the generative methods are made of."""
