"""3D pose lifters: backbones, heads, losses, estimator; importing registers them."""

from mmhot.models.lifters import (
    estimator,
    htnet,
    losses,
    mhformer,
    mixste,
    motionagformer,
    motionbert,
    nanohtnet,
    pose_head,
    poseclr,
)

__all__ = [
    'estimator',
    'htnet',
    'losses',
    'mhformer',
    'mixste',
    'motionagformer',
    'motionbert',
    'nanohtnet',
    'pose_head',
    'poseclr',
]
