"""2D and 3D views of a lifted clip, frame by frame."""

import numpy as np

from mmhot.chain.visualization import drawing
from mmhot.chain.visualization.camera import (
    VirtualCamera,
    fit_camera,
    floor_extent,
    place_on_floor,
    smooth,
)
from mmhot.chain.visualization.fading import doubts, undetected
from mmhot.structures.clips_3d import Clip3D

# Size of people in the video, relative to its largest ones. The camera is fitted to
# people from this size on, and the background may leave the view.
_MIN_FOREGROUND_SIZE = 0.5
# Seconds before and after a frame. The camera shows all people of this time at once,
# which keeps it calm.
_FOLLOWED_SECONDS = 0.4


class ClipRenderer:
    """Draw the 2D keypoints of a clip, and its 3D poses on a floor.

    Raises:
        ValueError: If the clip has no pose to draw.

    Example::

        renderer = ClipRenderer(clip)
        for frame in renderer.frames:
            image = np.zeros((480, 480, 3), np.uint8)
            renderer.draw_3d(image, frame)
    """

    def __init__(self, clip: Clip3D) -> None:
        if not np.isfinite(clip.keypoints_3d).all(-1).any():
            raise ValueError(f'clip {clip.name} has no finite 3D joint to draw')
        self.clip = clip
        self.style = drawing.skeleton_style(clip.joint_names, clip.parents)
        self.points, size = place_on_floor(clip)
        self.undetected = undetected(clip)
        self._pixels_per_meter = size
        shown = np.isfinite(self.points).all(-1).any(-1)
        shown &= size >= _MIN_FOREGROUND_SIZE * np.percentile(size[shown], 90)
        points = self.points[shown]
        self.camera = fit_camera(points)
        self.floor, self.cell = floor_extent(points)
        self._shows_ids = len(np.unique(clip.track)) > 1
        self.frames = np.unique(clip.frame)
        self._followed, starts = np.unique(clip.frame[shown], return_index=True)
        self._cameras = [self.camera] * len(self._followed)
        if self._shows_ids:
            self._cameras = self._fit_cameras(np.split(points, starts[1:]))

    def _fit_cameras(self, people: list[np.ndarray]) -> list[VirtualCamera]:
        """Return a smoothly moving camera for each frame with people (P, K, 3)."""
        cameras = []
        reach = round(_FOLLOWED_SECONDS * self.clip.fps)
        for frame in range(len(people)):
            near = np.concatenate(people[max(frame - reach, 0) : frame + reach + 1])
            fitted = fit_camera(near)
            cameras.append([*fitted.target, fitted.distance])
        # A point that all cameras of a window show is shown by their mean, too.
        means = smooth(np.array(cameras), 2 * reach)
        return [VirtualCamera(mean[:3], mean[3]) for mean in means]

    def follow(self, frame: int) -> None:
        """Move the camera to the people near a frame; it is fixed for one person."""
        index = int(np.searchsorted(self._followed, frame))
        self.camera = self._cameras[min(index, len(self._cameras) - 1)]

    def rows(self, frame: int) -> slice:
        """Return the rows of the clip for a frame, as a slice that may be empty."""
        start, stop = np.searchsorted(self.clip.frame, [frame, frame + 1])
        return slice(int(start), int(stop))

    def draw_2d(self, image: np.ndarray, frame: int, scale: float) -> None:
        """Draw the 2D keypoints of a frame on the video's image.

        Args:
            image (np.ndarray): Drawn on, BGR, uint8 (H, W, 3).
            frame (int): Number of the frame.
            scale (float): Pixels of ``image`` for a pixel of the video.
        """
        rows = self.rows(frame)
        pixels = self.clip.keypoints_2d[rows] * scale
        pixels[self.undetected[rows]] = np.nan
        sizes = self._pixels_per_meter[rows, None] * scale
        sizes = np.broadcast_to(sizes, pixels.shape[:2])
        detected = self.clip.scores[rows] > 0
        drawing.draw_people(image, self.style, pixels, sizes, detected, 0 * sizes)
        self._label(image, rows, pixels)

    def draw_3d(self, image: np.ndarray, frame: int) -> None:
        """Draw the floor and the people of a frame.

        Args:
            image (np.ndarray): Drawn on, BGR, uint8 (H, H, 3).
            frame (int): Number of the frame.
        """
        drawing.draw_floor(image, self.camera, self.floor, self.cell)
        rows = self.rows(frame)
        points = np.where(self.undetected[rows, :, None], np.nan, self.points[rows])
        size = image.shape[0]
        shadows, _ = self.camera.project(points * (1, 1, 0))
        pixels_per_meter = size * self.camera.focal_length / self.camera.distance
        width = max(1, round(drawing.LIMB_METERS * pixels_per_meter))
        drawing.draw_shadows(image, self.style, shadows * size, width)
        pixels, depths = self.camera.project(points)
        sizes = size * self.camera.focal_length / depths
        certain = self.clip.keypoint_scores_3d[rows] > 0
        certain &= doubts(self.clip, rows) < 1
        drawing.draw_people(image, self.style, pixels * size, sizes, certain, depths)
        self._label(image, rows, pixels * size)

    def _label(self, image: np.ndarray, rows: slice, pixels: np.ndarray) -> None:
        """Write the IDs of several people beside them, at joints (P, K, 2)."""
        if self._shows_ids:
            names = [str(track) for track in self.clip.track[rows].tolist()]
            drawing.draw_names(image, names, pixels, max(10, image.shape[0] // 36))
