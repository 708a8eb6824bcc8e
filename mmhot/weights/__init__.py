"""Shipped weights and their index; models by name, loading of checkpoints."""
