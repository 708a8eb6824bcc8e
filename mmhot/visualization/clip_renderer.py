"""2D and 3D views of a lifted clip, frame by frame."""

from collections.abc import Mapping

import numpy as np

from mmhot.io.writers.angles import joint_of
from mmhot.structures.clips_3d import Clip3D
from mmhot.visualization import drawing
from mmhot.visualization.camera import (
    VirtualCamera,
    fit_camera,
    floor_extent,
    place_on_floor,
    smooth,
)
from mmhot.visualization.fading import doubts

# Smallest size of people that the camera is fitted to, relative to large ones.
_FOREGROUND_SIZE = 0.5
# Half of the time span, in seconds; the camera shows all people in it at once.
_FOLLOWED_SECONDS = 0.4
# Angles that are written, one for each joint.
_KINDS = 'knee_angle', 'hip_flexion', 'elbow_flex', 'arm_flex', 'ankle_angle'
_ANGLES = [f'{kind}_{side}' for side in 'rl' for kind in _KINDS]
# Least height of people, in lines of text, to write angles beside their joints.
_ROOM = 16


class ClipRenderer:
    """Draw the 2D keypoints of a clip, and its 3D poses on a floor.

    Args:
        clip (Clip3D): Lifted poses.
        angles (Mapping): Degrees by name, (N,), written beside their joints.

    Raises:
        ValueError: If the clip has no pose to draw.
    """

    def __init__(self, clip: Clip3D, angles: Mapping[str, np.ndarray] = {}) -> None:
        if not np.isfinite(clip.keypoints_3d).all(-1).any():
            raise ValueError(f'clip {clip.name} has no finite 3D joint to draw')
        self.clip = clip
        self._angles = {
            clip.joint_names.index(joint_of(name)): angles[name]
            for name in _ANGLES
            if name in angles
        }
        self.style = drawing.skeleton_style(clip.joint_names, clip.parents)
        self.points, size = place_on_floor(clip)
        self._pixels_per_meter = size
        shown = np.isfinite(self.points).all(-1).any(-1)
        shown &= size >= _FOREGROUND_SIZE * np.percentile(size[shown], 90)
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
        """Return smoothly moving cameras near the people (P, K, 3) of each frame."""
        cameras = []
        reach = round(_FOLLOWED_SECONDS * self.clip.fps)
        for frame in range(len(people)):
            near = np.concatenate(people[max(frame - reach, 0) : frame + reach + 1])
            fitted = fit_camera(near)
            cameras.append([*fitted.target, fitted.distance])
        # If several cameras show a point, their mean does, too.
        means = smooth(np.array(cameras), 2 * reach)
        return [VirtualCamera(mean[:3], mean[3]) for mean in means]

    def follow(self, frame: int) -> None:
        """Move the camera to the people around a frame, if there are several."""
        index = int(np.searchsorted(self._followed, frame))
        self.camera = self._cameras[min(index, len(self._cameras) - 1)]

    def rows(self, frame: int) -> slice:
        """Return the rows of a frame, as a slice that may be empty."""
        start, stop = np.searchsorted(self.clip.frame, [frame, frame + 1])
        return slice(int(start), int(stop))

    def draw_2d(
        self, image: np.ndarray, frame: int, scale: float, corner=(0.0, 0.0)
    ) -> None:
        """Draw the 2D keypoints of a frame on a part of the video's image.

        The part begins at a corner (x, y) and is enlarged by ``scale``.
        """
        rows = self.rows(frame)
        pixels = (self.clip.keypoints_2d[rows] - corner) * scale
        sizes = self._pixels_per_meter[rows, None] * scale
        sizes = np.broadcast_to(sizes, pixels.shape[:2])
        detected = self.clip.scores[rows] > 0
        drawing.draw_people(image, self.style, pixels, sizes, detected, 0 * sizes)
        self._label(image, rows, pixels)

    def draw_3d(self, image: np.ndarray, frame: int) -> None:
        """Draw the floor and the people of a frame on a square image (H, H, 3)."""
        drawing.draw_floor(image, self.camera, self.floor, self.cell)
        rows = self.rows(frame)
        points = self.points[rows]
        size = image.shape[0]
        shadows, _ = self.camera.project(points * (1, 1, 0))
        meter = size * self.camera.focal_length / self.camera.distance
        width = max(1, round(0.05 * meter))
        drawing.draw_shadows(image, self.style, shadows * size, width)
        pixels, depths = self.camera.project(points)
        sizes = size * self.camera.focal_length / depths
        certain = self.clip.keypoint_scores_3d[rows] > 0
        certain &= doubts(self.clip, rows) < 1
        drawing.draw_people(image, self.style, pixels * size, sizes, certain, depths)
        self._label(image, rows, pixels * size)

    def _label(self, image: np.ndarray, rows: slice, pixels: np.ndarray) -> None:
        """Write the IDs and angles of the people of rows beside joints (P, K, 2)."""
        if self._shows_ids:
            names = [str(track) for track in self.clip.track[rows].tolist()]
            drawing.draw_names(image, names, pixels, max(10, image.shape[0] // 36))
        size = max(9, image.shape[0] // 45)
        taken: list[tuple[float, float]] = []  # positions of numbers drawn so far
        for row, person in enumerate(pixels):
            x = np.nanmean(person[:, 0])
            room = np.ptp(person[:, 1]) > _ROOM * size
            for joint, degrees in self._angles.items() if room else ():
                angle = degrees[rows][row]
                x_joint, y = person[joint]
                if np.isfinite([angle, x_joint, y]).all():
                    text = f'{round(float(angle))}\N{DEGREE SIGN}'
                    left = x_joint < x
                    x_text = x_joint - size if left else x_joint + size
                    # Numbers of joints that are close are written below each other.
                    while any(
                        abs(x_text - other) < 3 * size and abs(y - line) < 1.3 * size
                        for other, line in taken
                    ):
                        y += 0.2 * size
                    taken.append((x_text, y))
                    anchor = 'right' if left else 'left'
                    drawing.draw_text(image, text, (x_text, y), size, anchor=anchor)
