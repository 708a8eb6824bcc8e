"""Window that shows live frames with 2D keypoints and 3D poses."""

import os
import re
import sys
from collections.abc import Callable

import cv2
import numpy as np

from mmhot.skeletons.joints import get_skeleton
from mmhot.video.live import LivePoses
from mmhot.visualization import drawing
from mmhot.visualization.camera import VirtualCamera

_H36M = get_skeleton('h36m-17')
_STYLE = drawing.skeleton_style(_H36M.joints, _H36M.parents)
# Largest distance of people from the center, in meters, and the floor's corners.
_MAX_DISTANCE = 1.6
_FLOOR = np.array([[-2.0, -2.0], [2.0, 2.0]])
_STOP_KEYS = (27, ord('q'))


def draw_live(poses: LivePoses, height: int = 480) -> np.ndarray:
    """Draw a frame with its 2D keypoints, and the 3D poses on a floor to its right.

    Args:
        poses (LivePoses): With the frame's image.
        height (int): Height of the drawing in pixels. Defaults to 480.

    Returns:
        np.ndarray: BGR, uint8 (height, W, 3).
    """
    image = poses.frame.image
    scale = height / image.shape[0]
    left = cv2.resize(image, (max(1, round(scale * image.shape[1])), height))
    right = np.full((height, height, 3), drawing.BACKGROUND, np.uint8)
    camera = VirtualCamera(np.array([0.0, 0.0, 0.85]), 4.5, 20.0, 14.0)
    drawing.draw_floor(right, camera, _FLOOR, 0.5)
    if poses.people:
        detected = np.stack([person.scores for person in poses.people]) > 0
        pixels = scale * np.stack([person.keypoints_2d for person in poses.people])
        meters = np.ptp(pixels, axis=1).max(-1, keepdims=True) / 1.7  # in pixels
        sizes = np.broadcast_to(meters, detected.shape)
        drawing.draw_people(left, _STYLE, pixels, sizes, detected)
        projected, depths = camera.project(_on_floor(poses))
        sizes = height * camera.focal_length / depths
        drawing.draw_people(right, _STYLE, projected * height, sizes, detected, depths)
    return np.hstack([left, right])


def _on_floor(poses: LivePoses) -> np.ndarray:
    """Return joints (P, 17, 3), z up, with the lowest of each person on the floor."""
    order, signs = [0, 2, 1], (1, 1, -1)  # camera axes to z up
    joints = np.stack([person.keypoints_3d for person in poses.people])
    joints = joints[..., order] * signs
    roots = np.stack([person.root_3d for person in poses.people])[:, order] * signs
    position = np.nan_to_num(roots - np.nanmean(roots, 0)).clip(
        -_MAX_DISTANCE, _MAX_DISTANCE
    )
    position[:, 2] = -joints[..., 2].min(1)
    return joints + position[:, None]


def open_window(title: str) -> Callable[[LivePoses], bool]:
    """Return a function that shows a frame; False when q or Escape was pressed.

    Raises:
        ValueError: If OpenCV has no GUI support or there is no display.
    """
    kind = re.search(r'GUI:\s+(\S+)', cv2.getBuildInformation())
    if kind is None or kind[1] == 'NONE':
        raise ValueError(
            '`show`: the installed OpenCV has no GUI support: install opencv-python, '
            'or leave `show` out'
        )
    screen = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
    if sys.platform.startswith('linux') and not screen:
        raise ValueError('`show`: there is no display: leave `show` out')

    def show(poses: LivePoses) -> bool:
        cv2.imshow(title, draw_live(poses))
        return cv2.waitKey(1) & 0xFF not in _STOP_KEYS

    return show
