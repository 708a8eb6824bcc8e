"""Overlay of 2D keypoints on images, and the 3D view beside them."""

import cv2
import numpy as np

from mmhot.skeletons.joints import Skeleton
from mmhot.skeletons.side_colors import side_rgb
from mmhot.structures.people import People
from mmhot.visualization import drawing
from mmhot.visualization.clip_renderer import ClipRenderer

_BOX = (224, 214, 88)


def draw_overlay(
    image: np.ndarray,
    people: People,
    skeleton: Skeleton,
    ids: np.ndarray | None = None,
    *,
    radius: int = 3,
    thickness: int = 1,
    kpt_thr: float = 0.3,
    draw_bbox: bool = False,
    black_background: bool = False,
) -> np.ndarray:
    """Draw the 2D keypoints of people on a copy of an image, BGR, uint8 (H, W, 3).

    Track IDs (P,) are written above several people. The other arguments are those of
    MMPose's inferencers.
    """
    image = np.zeros_like(image) if black_background else image.copy()
    if draw_bbox:
        for box in people.bboxes:
            left, top, right, bottom = np.rint(box).astype(int).tolist()
            cv2.rectangle(image, (left, top), (right, bottom), _BOX, thickness)
    colors = [side_rgb(joint)[::-1] for joint in skeleton.joints]
    # OpenCV's coordinates would overflow far outside the image
    limit = 4 * max(image.shape[:2])
    points = np.rint(np.nan_to_num(people.keypoints).clip(-limit, limit)).astype(int)
    shown = people.scores >= kpt_thr
    shown &= np.isfinite(people.keypoints).all(-1)
    for person, is_shown in zip(points.tolist(), shown, strict=True):
        for parent, child in skeleton.bones:
            if is_shown[parent] and is_shown[child]:
                ends = person[parent], person[child]
                cv2.line(image, *ends, colors[child], thickness, cv2.LINE_AA)
        for joint in np.flatnonzero(is_shown):
            cv2.circle(image, person[joint], radius, colors[joint], -1, cv2.LINE_AA)
    if ids is not None and len(ids) > 1:
        keypoints = np.where(shown[..., None], people.keypoints, np.nan)
        names = [str(number) for number in ids.tolist()]
        drawing.draw_names(image, names, keypoints, max(10, image.shape[0] // 40))
    return image


def append_3d_view(
    image: np.ndarray, renderer: ClipRenderer | None, frame: int
) -> np.ndarray:
    """Append a square view of a clip's 3D poses to an image: BGR, uint8 (H, W + H, 3).

    Without a renderer the view is empty.
    """
    height = image.shape[0]
    view = np.full((height, height, 3), drawing.BACKGROUND, np.uint8)
    if renderer is not None:
        renderer.draw_3d(view, frame)
    return np.concatenate([image, view], 1)
