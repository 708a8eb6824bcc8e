"""Layers shared by several models; they depend on PyTorch alone."""
