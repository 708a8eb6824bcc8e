"""Lifting of clips: model loading, gap filling, windows, and placement in the world."""
