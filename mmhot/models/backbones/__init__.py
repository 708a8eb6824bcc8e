"""Backbones."""

from .nanohtnet import NanoHTNet

__all__ = ['NanoHTNet']
