"""Lifted 3D poses of a clip."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Clip3D:
    """3D poses of every person in every frame of a clip, root-relative.

    Rows are sorted by ``(frame, track)``; ``N`` counts them.

    Attributes:
        name (str): The clip.
        frame (np.ndarray): Frame numbers, (N,) int64.
        track (np.ndarray): Person numbers, (N,) int64.
        keypoints_3d (np.ndarray): Positions in ``unit``, (N, K, 3) float32.
        keypoint_scores_3d (np.ndarray): 0 where the 2D joint was interpolated,
            (N, K) float32.
        keypoints_2d (np.ndarray): The pixels that were lifted, (N, K, 2) float32.
        scores (np.ndarray): Their scores, (N, K) float32.
        width (int): Picture width in pixels.
        height (int): Picture height in pixels.
        fps (float): Frames per second.
        joint_names (tuple[str]): Names of the ``K`` joints.
        parents (tuple[int]): Parent of each joint, -1 for the root.
        axes (str): ``'camera'`` (x right, y down, z away) or ``'z-up'``.
        unit (str): Unit of ``keypoints_3d``.
        model (str): What lifted them.
    """

    name: str
    frame: np.ndarray
    track: np.ndarray
    keypoints_3d: np.ndarray
    keypoint_scores_3d: np.ndarray
    keypoints_2d: np.ndarray
    scores: np.ndarray
    width: int
    height: int
    fps: float
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    axes: str = 'camera'
    unit: str = 'm'
    model: str = ''
