"""The two views of a lifted clip: its 2D keypoints, and its poses on a floor."""

import numpy as np

from mmhot.clips import Clip3D
from mmhot.visualization import drawing
from mmhot.visualization.viewpoint import (
    Viewpoint,
    fit_viewpoint,
    floor_extent,
    prominent,
    set_stage,
)


class Scene:
    """A clip that is ready to be drawn frame by frame.

    Args:
        clip (Clip3D): Lifted poses.
        azimuth (float): Virtual viewpoint in degrees; 0 looks as the video's camera
            does, positive values look from further right.
        elevation (float): Its height in degrees above the horizon.
        orbit (float): Degrees by which the viewpoint turns per second.
    """

    def __init__(
        self,
        clip: Clip3D,
        azimuth: float = 20.0,
        elevation: float = 14.0,
        orbit: float = 0.0,
    ) -> None:
        check(clip)
        self.clip = clip
        self.orbit = orbit
        self.azimuth = azimuth
        self.rig = drawing.make_rig(clip.joint_names, clip.parents)
        self.stage = set_stage(clip)
        azimuths = np.arange(0, 360, 15) if orbit else np.zeros(1)
        self._prominent = prominent(self.stage)
        points = self.stage.points[self._prominent]
        self.viewpoint = fit_viewpoint(points, azimuth + azimuths, elevation)
        self.floor, self.cell = floor_extent(points)
        self._several = len(np.unique(clip.track)) > 1
        self.frames, first = np.unique(clip.frame, return_index=True)
        stops = [*first[1:].tolist(), len(clip.frame)]
        self._rows = {
            frame: slice(start, stop)
            for frame, start, stop in zip(
                self.frames.tolist(), first.tolist(), stops, strict=True
            )
        }

    def rows(self, frame: int) -> slice:
        """Return the rows of a frame; an empty slice where nobody is."""
        return self._rows.get(frame, slice(0, 0))

    def seconds(self, frame: int) -> float:
        """Return the time from the first frame with people to another."""
        start, now = self.clip.seconds(np.array([self.frames[0], frame]))
        return float(now - start)

    def viewpoint_of(self, frame: int) -> Viewpoint:
        """Return the nearest viewpoint for a frame that somebody is in."""
        rows = self.rows(frame)
        points, chosen = self.stage.points[rows], self._prominent[rows]
        points = points[chosen] if chosen.any() else points
        view = self.viewpoint
        return fit_viewpoint(points, np.array([view.azimuth]), view.elevation)

    def draw_2d(
        self, image: np.ndarray, frame: int, scale: float, origin=(0.0, 0.0)
    ) -> None:
        """Draw a frame's 2D keypoints.

        Args:
            image (np.ndarray): Drawn on.
            frame (int): Frame number.
            scale (float): Pixels of ``image`` per pixel of the video.
            origin (tuple[float]): Video position (x, y) in the corner of ``image``.
        """
        rows = self.rows(frame)
        pixels = (self.clip.keypoints_2d[rows] - np.asarray(origin)) * scale
        sizes = self.stage.pixels_per_meter[rows, None] * scale
        sizes = np.broadcast_to(sizes, pixels.shape[:2])
        certain = self.clip.scores[rows] > 0
        drawing.draw_people(image, self.rig, pixels, sizes, certain)
        self._draw_names(image, rows, pixels)

    def draw_floor(self, image: np.ndarray, seconds: float = 0.0) -> None:
        """Draw the empty floor on a square picture."""
        self._turn(seconds)
        drawing.draw_floor(image, self.viewpoint, self.floor, self.cell)

    def draw_3d(self, image: np.ndarray, frame: int, seconds: float = 0.0) -> None:
        """Draw a frame's people and their shadows on a square picture of the floor."""
        self._turn(seconds)
        rows = self.rows(frame)
        points = self.stage.points[rows]
        size = image.shape[0]
        below, depths = self.viewpoint.project(points * (1, 1, 0))
        meter = size * self.viewpoint.focal_length / self.viewpoint.distance
        width = max(1, round(0.05 * meter))
        drawing.draw_shadows(image, self.rig, below * size, width)
        pixels, depths = self.viewpoint.project(points)
        sizes = size * self.viewpoint.focal_length / depths
        certain = self.clip.keypoint_scores_3d[rows] > 0
        drawing.draw_people(image, self.rig, pixels * size, sizes, certain, depths)
        self._draw_names(image, rows, pixels * size)

    def _draw_names(self, image: np.ndarray, rows: slice, pixels: np.ndarray) -> None:
        if self._several:
            names = [str(track) for track in self.clip.track[rows].tolist()]
            drawing.draw_names(image, names, pixels, max(8, image.shape[0] // 50))

    def _turn(self, seconds: float) -> None:
        self.viewpoint.azimuth = self.azimuth + self.orbit * seconds


def check(clip: Clip3D) -> None:
    """Raise ValueError for a clip that cannot be drawn."""
    shape = np.shape(clip.keypoints_3d)
    wanted = {
        'keypoints_3d': (len(clip.frame), len(clip.parents), 3),
        'keypoints_2d': (len(clip.frame), len(clip.parents), 2),
        'keypoint_scores_3d': shape[:2],
        'scores': shape[:2],
        'track': shape[:1],
        'joint_names': (len(clip.parents),),
    }
    for name, expected in wanted.items():
        got = np.shape(getattr(clip, name))
        if got != expected:
            raise ValueError(f'clip {clip.name}: {name} must be {expected}, got {got}')
    if not len(clip.frame):
        raise ValueError(f'clip {clip.name} has no poses to draw')
    if not np.isfinite(clip.keypoints_3d).all(-1).any():
        raise ValueError(f'clip {clip.name} has no finite 3D joint to draw')
    if not (clip.width > 0 and clip.height > 0):
        raise ValueError(
            f'clip {clip.name}: picture size must be positive, '
            f'got {clip.width}x{clip.height}'
        )
    if not 0 < clip.fps < 1000:
        raise ValueError(
            f'clip {clip.name}: fps must be above 0 and below 1000, got {clip.fps}'
        )
    known = ('camera', 'z-up', 'world')
    if clip.axes not in known:
        raise ValueError(
            f'clip {clip.name}: axes must be one of {known}, got {clip.axes!r}'
        )
