"""Imports every module that registers components with MMPose, and registers methods.

Configs name it in ``custom_imports``, see ``configs/_base_/default_runtime.py``.
Methods are registered here and not where they are defined, as they need only PyTorch.
"""

from mmpose.registry import MODELS

from mmhot import compat, datasets, engine, evaluation
from mmhot.codecs import gtpt_label, lifting_codecs
from mmhot.extensions import load_extensions
from mmhot.models.gtpt import head, losses, stem
from mmhot.models.lifters import (
    estimator,
    htnet,
    mhformer,
    mixste,
    motionagformer,
    motionbert,
    nanohtnet,
    pose_head,
    poseclr,
)
from mmhot.models.lifters import losses as lifting_losses
from mmhot.models.tokens import pruners, recoverers
from mmhot.weights import loading

__all__ = [
    'datasets',
    'engine',
    'estimator',
    'evaluation',
    'gtpt_label',
    'head',
    'htnet',
    'lifting_codecs',
    'lifting_losses',
    'loading',
    'losses',
    'mhformer',
    'mixste',
    'motionagformer',
    'motionbert',
    'nanohtnet',
    'pose_head',
    'poseclr',
    'stem',
]

METHODS = (
    pruners.ClusterPruner,
    pruners.AttentionPruner,
    pruners.MotionPruner,
    pruners.UniformPruner,
    recoverers.AttentionRecoverer,
    recoverers.TimedAttentionRecoverer,
    recoverers.InterpolationRecoverer,
)
for method in METHODS:
    MODELS.register_module(module=method)
compat.apply()
load_extensions()
