"""A renderer of people with labels, for training of 2D models."""
