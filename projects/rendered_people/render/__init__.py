"""Renderer of labeled people from free bodies, motions and panoramas."""
