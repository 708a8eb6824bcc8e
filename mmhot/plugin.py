"""Imports every module that registers components with MMPose.

Configs name it in ``custom_imports``, see ``configs/_base_/default_runtime.py``.
"""

from mmhot import compat, datasets, engine, evaluation, models
from mmhot.codecs import registration
from mmhot.weights import loading

__all__ = [
    'datasets',
    'engine',
    'evaluation',
    'loading',
    'models',
    'registration',
]

compat.apply()
