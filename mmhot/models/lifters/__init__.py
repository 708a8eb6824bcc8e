"""3D pose lifters: backbones, heads, losses, estimator; importing registers them."""

from mmhot.models.lifters import (  # noqa: F401 registers
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
