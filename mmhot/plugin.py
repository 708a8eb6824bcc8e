"""Imports every module that registers components with MMPose.

Configs name it in ``custom_imports``, see ``configs/_base_/default_runtime.py``.
"""

from mmpose.registry import KEYPOINT_CODECS

from mmhot import compat, datasets, engine, evaluation, models
from mmhot.codecs import gtpt_label
from mmhot.codecs.pose_lifting import LIFTING_CODECS
from mmhot.extensions import load_extensions
from mmhot.weights import loading

__all__ = [
    'datasets',
    'engine',
    'evaluation',
    'gtpt_label',
    'loading',
    'models',
]

for codec in LIFTING_CODECS.values():
    KEYPOINT_CODECS.register_module(module=codec)

compat.apply()
load_extensions()
