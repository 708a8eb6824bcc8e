"""3D pose lifters: backbones, heads, losses, estimator; importing registers them."""

from mmhot.models.lifters import (
    estimator,
    flattened_pose,
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
    'flattened_pose',
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
