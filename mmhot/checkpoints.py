"""Conversion of published checkpoints, under its public name."""

from mmhot.weights.checkpoints import convert_file, convert_published

__all__ = ['convert_file', 'convert_published']
