"""Importing this module registers everything of ours in MMPose's registries.

Configs name it once, in ``configs/_base_/default_runtime.py``.
"""

from mmhot import codecs, compat, datasets, engine, evaluation, models
from mmhot.weights import loading

__all__ = ['codecs', 'datasets', 'engine', 'evaluation', 'loading', 'models']

compat.apply()
