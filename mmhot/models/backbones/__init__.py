"""Backbones."""

from .htnet import HTNet
from .nanohtnet import NanoHTNet

__all__ = ['HTNet', 'NanoHTNet']
