"""A window with a stream's film and the poses in it."""

import os
import re
import sys

import cv2
import numpy as np

from mmhot.skeletons.joints import get_skeleton
from mmhot.video.live import LivePoses
from mmhot.visualization import drawing
from mmhot.visualization.viewpoint import Viewpoint

_H36M = get_skeleton('h36m-17')
_RIG = drawing.make_rig(_H36M.joints, _H36M.parents)
# Metres from the middle at which people stand at most, and the floor's corners.
_STAGE = 1.6
_FLOOR = np.array([[-2.0, -2.0], [2.0, 2.0]])
_STOP_KEYS = (27, ord('q'))


def draw_live(poses: LivePoses, height: int = 480) -> np.ndarray:
    """Draw a frame with its 2D keypoints, and beside it the poses on a floor.

    Args:
        poses (LivePoses): With the frame's image.
        height (int): Of the picture, pixels.

    Returns:
        np.ndarray: BGR, uint8 (height, W, 3).
    """
    film = poses.frame.image
    scale = height / film.shape[0]
    left = cv2.resize(film, (max(1, round(scale * film.shape[1])), height))
    right = np.full((height, height, 3), drawing.BACKGROUND, np.uint8)
    view = Viewpoint(np.array([0.0, 0.0, 0.85]), 4.5, 20.0, 14.0)
    drawing.draw_floor(right, view, _FLOOR, 0.5)
    if poses.people:
        certain = np.stack([person.scores for person in poses.people]) > 0
        pixels = scale * np.stack([person.keypoints_2d for person in poses.people])
        drawing.draw_people(left, _RIG, pixels, _sizes(pixels), certain)
        projected, depths = view.project(_on_floor(poses))
        sizes = height * view.focal_length / depths
        drawing.draw_people(right, _RIG, projected * height, sizes, certain, depths)
    return np.hstack([left, right])


def _sizes(pixels: np.ndarray) -> np.ndarray:
    """Pixels a meter (P, 17) of people (P, 17, 2), from how large they appear."""
    extent = np.ptp(pixels, axis=1).max(-1) / 1.7
    return np.broadcast_to(extent[:, None], pixels.shape[:2])


def _on_floor(poses: LivePoses) -> np.ndarray:
    """Joints (P, 17, 3), z up; everybody's lowest is on the floor."""
    turn, signs = [0, 2, 1], (1, 1, -1)
    joints = np.stack([person.keypoints_3d for person in poses.people])
    joints = joints[..., turn] * signs
    roots = np.stack([person.root_3d for person in poses.people])[:, turn] * signs
    place = np.nan_to_num(roots - np.nanmean(roots, 0)).clip(-_STAGE, _STAGE)
    place[:, 2] = -joints[..., 2].min(1)
    return joints + place[:, None]


class LiveWindow:
    """Shows poses as they come.

    Args:
        title (str): Of the window.

    Raises:
        ValueError: If there is nothing to show a window on; one line.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        kind = re.search(r'GUI:\s+(\S+)', cv2.getBuildInformation())
        if kind is None or kind[1] == 'NONE':
            raise ValueError(
                '--show: this OpenCV is a headless one, without windows; leave --show '
                'out'
            )
        screen = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
        if sys.platform.startswith('linux') and not screen:
            raise ValueError('--show: there is no display here; leave --show out')

    def __call__(self, poses: LivePoses) -> bool:
        """Show a frame; returns False once somebody has pressed q or Escape."""
        cv2.imshow(self.title, draw_live(poses))
        return cv2.waitKey(1) & 0xFF not in _STOP_KEYS
