"""Importing this module registers everything of ours in MMPose's registries.

Configs name it once, in ``configs/_base_/default_runtime.py``.
"""

from . import checkpoints, codecs, compat, datasets, engine, evaluation, models

__all__ = ['checkpoints', 'codecs', 'datasets', 'engine', 'evaluation', 'models']

compat.apply()
