"""People's 2D keypoints on the picture that they were found in."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmhot.skeletons.joints import Skeleton
from mmhot.video.people import People
from mmhot.visualization import drawing
from mmhot.visualization.scene_renderer import Scene

_BOX = (224, 214, 88)


@dataclass(frozen=True)
class Overlay:
    """How keypoints are drawn.

    Args:
        skeleton (Skeleton): Of the keypoints.
        radius (int): Of a keypoint's disc, in pixels. Defaults to 3.
        thickness (int): Of bones and boxes, in pixels. Defaults to 1.
        kpt_thr (float): Keypoints of less confidence, and their bones, are left out.
            Defaults to 0.3.
        draw_bbox (bool): Whether boxes are drawn. Defaults to False.
        black_background (bool): Whether the picture is left out. Defaults to False.
    """

    skeleton: Skeleton
    radius: int = 3
    thickness: int = 1
    kpt_thr: float = 0.3
    draw_bbox: bool = False
    black_background: bool = False

    def __call__(
        self, image: np.ndarray, people: People, ids: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw the people of a picture.

        Args:
            image (np.ndarray): BGR, uint8 (H, W, 3); left as it is.
            people (People): Who was found, P of them.
            ids (np.ndarray, optional): Their numbers, (P,), written above them where
                there are several.

        Returns:
            np.ndarray: A new picture, BGR, uint8 (H, W, 3).
        """
        image = np.zeros_like(image) if self.black_background else image.copy()
        if self.draw_bbox:
            for box in people.bboxes:
                left, top, right, bottom = np.rint(box).astype(int).tolist()
                corners = (left, top), (right, bottom)
                cv2.rectangle(image, *corners, _BOX, self.thickness)
        sure = people.scores >= self.kpt_thr
        keypoints = np.where(sure[..., None], people.keypoints, np.nan)
        for own in keypoints:
            self._draw_person(image, own)
        if ids is not None and len(ids) > 1:
            names = [str(number) for number in ids.tolist()]
            size = max(10, image.shape[0] // 40)
            drawing.draw_names(image, names, keypoints, size)
        return image

    def _draw_person(self, image: np.ndarray, keypoints: np.ndarray) -> None:
        """Draw bones, then keypoints (K, 2); NaN ones are left out."""
        colors = [drawing.side_color(joint) for joint in self.skeleton.joints]
        seen = np.isfinite(keypoints).all(-1)
        # far outside, where a model may guess, OpenCV's numbers would overflow
        limit = 4 * max(image.shape[:2])
        points = np.rint(np.nan_to_num(keypoints).clip(-limit, limit))
        points = points.astype(int).tolist()
        for parent, child in self.skeleton.bones:
            if seen[parent] and seen[child]:
                ends = points[parent], points[child]
                cv2.line(image, *ends, colors[child], self.thickness, cv2.LINE_AA)
        for joint in np.flatnonzero(seen):
            spot = points[joint], self.radius, colors[joint]
            cv2.circle(image, *spot, -1, cv2.LINE_AA)


def draw_beside(image: np.ndarray, scene: Scene | None, frame: int) -> np.ndarray:
    """Put a square view of the 3D poses to the right of a picture.

    Args:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        scene (Scene, optional): The lifted clip; without one the view is empty.
        frame (int): Number of the frame to show.

    Returns:
        np.ndarray: BGR, uint8 (H, W + H, 3).
    """
    height = image.shape[0]
    view = np.full((height, height, 3), drawing.BACKGROUND, np.uint8)
    if scene is not None:
        scene.draw_floor(view)
        scene.draw_3d(view, frame)
    return np.concatenate([image, view], 1)
