"""Ground-truth poses of rendered clips, as lifted clips."""

from dataclasses import replace

import numpy as np
from paths import DATA
from tracks import H36M

from mmhot.structures.clips_3d import ARRAYS, Clip3D

# Degrees that the cameras of the clips look down.
TILT = {'walk': 5.86, 'dance': 8.23}


def make_clip(keypoints_3d, keypoints_2d, size=(1280, 720), **fields):
    """Return a clip of one person; ``fields`` replace its own."""
    num_frames = len(keypoints_3d)
    ones = np.ones((num_frames, 17), np.float32)
    clip = Clip3D(
        name='test',
        frame=np.arange(num_frames),
        track=np.zeros(num_frames, np.int64),
        keypoints_3d=np.asarray(keypoints_3d, np.float32),
        keypoint_scores_3d=ones,
        keypoints_2d=np.asarray(keypoints_2d, np.float32),
        scores=ones,
        width=size[0],
        height=size[1],
        fps=25.0,
        joint_names=H36M.joints,
        parents=H36M.parents,
    )
    return replace(clip, **fields)


def rendered(name, **fields):
    """Return the ground-truth poses of a rendered clip as a lifted clip."""
    with np.load(DATA / f'rendered_{name}.npz') as data:
        poses, pixels = data['h36m_cam3d'], data['h36m_2d']
    return make_clip(poses - poses[:, :1], pixels, **fields)


def joined(first, second):
    """Return the rows of both clips, which have the same arrays."""
    names = [name for name in ARRAYS if getattr(first, name) is not None]
    return replace(
        first,
        **{x: np.concatenate([getattr(first, x), getattr(second, x)]) for x in names},
    )


def with_expected_errors(clip, unknown):
    """Add expected errors from 0 to 0.3 m; one (row, joint) is unknown."""
    errors = np.linspace(0, 0.3, clip.scores.size, dtype=np.float32)
    errors = errors.reshape(clip.scores.shape)
    errors[unknown] = np.nan
    return replace(clip, expected_error=errors)
