"""2D keypoints drawn on images, and the 3D view beside them."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmhot.chain.visualization import drawing
from mmhot.chain.visualization.clip_renderer import ClipRenderer
from mmhot.skeletons.joints import Skeleton
from mmhot.skeletons.side_colors import side_rgb
from mmhot.structures.clips_2d import Track2D

_BOX = (224, 214, 88)


def draw_overlay(
    image: np.ndarray,
    people: Sequence[Track2D],
    skeleton: Skeleton,
    *,
    radius: int = 3,
    thickness: int = 1,
    kpt_thr: float = 0.3,
    draw_bbox: bool = False,
    draw_ids: bool = False,
    black_background: bool = False,
) -> np.ndarray:
    """Draw the 2D keypoints of people on a copy of an image.

    Args:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        people (Sequence[Track2D]): People of the image, tracks of one frame.
        skeleton (Skeleton): Skeleton of their keypoints.
        radius (int): Radius of joints in pixels. Defaults to 3.
        thickness (int): Width of bones and boxes in pixels. Defaults to 1.
        kpt_thr (float): Score; keypoints below it are left out. Defaults to 0.3.
        draw_bbox (bool): Whether to draw bounding boxes. Defaults to False.
        draw_ids (bool): Whether to write track IDs above people, if there are several.
            Defaults to False.
        black_background (bool): Whether to leave the image out. Defaults to False.

    Returns:
        np.ndarray: BGR, uint8 (H, W, 3).
    """
    image = np.zeros_like(image) if black_background else image.copy()
    colors = [side_rgb(joint)[::-1] for joint in skeleton.joints]
    limit = 4 * max(image.shape[:2])  # OpenCV's numbers would overflow far outside
    joints = []
    for person in people:
        keypoints = person.keypoints[0]
        if draw_bbox:
            left, top, right, bottom = np.rint(person.boxes[0]).astype(int).tolist()
            cv2.rectangle(image, (left, top), (right, bottom), _BOX, thickness)
        shown = (person.scores[0] >= kpt_thr) & np.isfinite(keypoints).all(-1)
        clipped = np.nan_to_num(keypoints).clip(-limit, limit)
        points = np.rint(clipped).astype(int).tolist()
        for parent, child in skeleton.bones:
            if shown[parent] and shown[child]:
                ends = points[parent], points[child]
                cv2.line(image, *ends, colors[child], thickness, cv2.LINE_AA)
        for joint in np.flatnonzero(shown):
            cv2.circle(image, points[joint], radius, colors[joint], -1, cv2.LINE_AA)
        joints.append(np.where(shown[:, None], keypoints, np.nan))
    if draw_ids and len(people) > 1:
        names = [str(person.track) for person in people]
        size = max(10, image.shape[0] // 40)
        drawing.draw_names(image, names, np.array(joints), size)
    return image


def append_3d_view(
    image: np.ndarray, renderer: ClipRenderer | None, frame: int
) -> np.ndarray:
    """Append a square view of 3D poses to an image.

    Args:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        renderer (ClipRenderer, optional): Renderer of the clip. The view is empty
            without one.
        frame (int): Number of the frame.

    Returns:
        np.ndarray: BGR, uint8 (H, W + H, 3).
    """
    height = image.shape[0]
    view = np.full((height, height, 3), drawing.BACKGROUND, np.uint8)
    if renderer is not None:
        renderer.draw_3d(view, frame)
    return np.concatenate([image, view], 1)
