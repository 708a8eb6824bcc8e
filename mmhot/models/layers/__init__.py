"""Layers that several models share; they know PyTorch and nothing else."""
