"""Imports every module that registers components with MMPose.

Configs name it in ``custom_imports``, see ``configs/_base_/default_runtime.py``.
"""

from mmhot import compat, datasets, engine, evaluation, models
from mmhot.codecs import gtpt_label, lifting_codecs
from mmhot.extensions import load_extensions
from mmhot.weights import loading

__all__ = [
    'datasets',
    'engine',
    'evaluation',
    'gtpt_label',
    'lifting_codecs',
    'loading',
    'models',
]

compat.apply()
load_extensions()
