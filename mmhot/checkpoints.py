"""Convert published checkpoints: the public name of `mmhot.weights.checkpoints`."""

import mmhot.plugin  # noqa: F401 registers the models that are built
from mmhot.weights.checkpoints import convert_file, convert_published

__all__ = ['convert_file', 'convert_published']
