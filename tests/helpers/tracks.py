"""Tracks and clips of 2D keypoints for the tests of lifting."""

from pathlib import Path

import numpy as np

from mmhot.chain.lifting.gaps import fill_joints
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D, Track2D

H36M = get_skeleton('h36m-17')


def standing(num_frames=1, speed=0.0):
    """Return a person who moves to the right, (T, 17, 2)."""
    one = np.full((17, 2), np.nan, np.float32)
    one[H36M.index('root')] = 500, 300
    pose = fill_joints(one[None])[0][0]
    shift = np.arange(num_frames)[:, None, None] * np.array([speed, 0])
    return (pose + shift).astype(np.float32)


def track(frames, keypoints=None, number=0):
    """Return a track, of a moving person by default."""
    frames = np.asarray(frames)
    if keypoints is None:
        keypoints = standing(len(frames), 3.0)
    scores = np.where(np.isfinite(keypoints).all(-1), np.float32(0.5), 0)
    return Track2D(number, frames, keypoints, scores)


def clip_of(*tracks, fps=50.0, skeleton='h36m-17'):
    """Return a clip of tracks."""
    return Clip2D('clip', skeleton, list(tracks), 1280, 720, fps, Path('clip.npz'))


def wiggling(num_frames, seed=0, pixels=10):
    """Return a person with noisy joints, (T, 17, 2)."""
    noise = np.random.default_rng(seed).normal(0, pixels, (num_frames, 17, 2))
    return (standing(num_frames, 2.0) + noise).astype(np.float32)
