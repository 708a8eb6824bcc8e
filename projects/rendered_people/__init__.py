"""Rendering of people, and training of the shipped 2D models on them."""
