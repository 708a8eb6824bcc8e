"""Imports every module that registers components with MMPose.

Configs name it in ``custom_imports``, see ``configs/_base_/default_runtime.py``.
"""

from mmhot import codecs, compat, datasets, engine, evaluation, models, training
from mmhot.weights import loading

__all__ = [
    'codecs',
    'datasets',
    'engine',
    'evaluation',
    'loading',
    'models',
    'training',
]

compat.apply()
