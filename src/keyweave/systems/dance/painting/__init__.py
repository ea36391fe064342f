"""Mirrored keyframes painted anew by a text-to-image model that has learnt their subject."""
