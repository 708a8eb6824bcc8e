"""Convert published checkpoints: the public name of `mmhot.weights.checkpoints`."""

from mmhot.weights.checkpoints import convert_file, convert_published

__all__ = ['convert_file', 'convert_published']
