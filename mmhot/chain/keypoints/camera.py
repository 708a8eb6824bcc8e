"""Step ``camera``: map keypoints to the image of a static camera."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from mmhot.chain.frames.sources import FrameObserver, FrameSource
from mmhot.chain.keypoints.camera_path import (
    CameraLimits,
    CameraPath,
    choose_path,
    find_lens,
    interpolate_path,
    is_static,
    seems_static,
    shows_static,
    solve_camera_path,
    static_path,
)
from mmhot.chain.pose2d.footage import Footage, VideoStep
from mmhot.errors import ArgumentError
from mmhot.geometry.rotations import rotation_matrices
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.lens import Camera, Lens, ideal_pixels

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StabilizeCamera(VideoStep):
    """Step ``camera``: map keypoints to the image of a static camera.

    Poses of all frames then share the axes of the camera in the shot's first frame.
    """

    name = 'camera'
    part = 'camera'

    # 'auto' checks some frames for a static camera, then all frames for a rotating one.
    # Otherwise the camera is moving: each frame has axes of its own.
    camera: Annotated[
        Literal['auto', 'static', 'rotating', 'moving'],
        'camera motion: static, rotating (pan, tilt and zoom on a tripod), moving, or '
        'auto (detected). Unless the camera moves, all frames share axes, and standing '
        'feet stay in place',
    ] = 'auto'

    def observers(self, frames: FrameSource, skeleton: str) -> Sequence[FrameObserver]:
        """Return the observer of the background, if it shows how the camera moves."""
        if self.camera not in ('auto', 'rotating'):
            return []
        is_sparse = self.camera == 'auto' and not frames.once
        return [_tracker(CameraLimits.interval if is_sparse else 1)]

    def __call__(self, clip: Clip2D, footage: Footage) -> Clip2D:
        """Map keypoints, and record the camera and its lens.

        The lens is that of the first frame of each shot. A moving camera is not
        recorded, as its frames have no common axes.
        """
        path, lens = self.solve(clip, footage)
        if path is None and lens is clip.lens:
            return clip
        camera = None if path is None else Camera(path, lens)
        clip = replace(clip, lens=lens, camera=camera)
        if path is None or is_static(path):
            return clip
        size = clip.width, clip.height
        tracks = []
        for track in clip.tracks:
            points, focal = ideal_pixels(track.keypoints, size, lens)
            points = stabilize(points, track.frames, path, focal, size)
            tracks.append(replace(track, keypoints=points))
        ideal = None if lens is None else Lens.pinhole(lens.focal[0], *size)
        return replace(clip, tracks=tracks, lens=ideal)

    def solve(
        self, clip: Clip2D, footage: Footage
    ) -> tuple[np.ndarray | None, Lens | None]:
        """Find the path of the camera and its lens.

        'auto' decodes the video a second time unless some frames show that the camera
        is static. The path between tracked frames is interpolated.

        Returns:
            tuple[np.ndarray | None, Lens | None]: Rotation vectors in radians and
            zooms, (F, 4), and the lens of the first frame; each is None if unknown.
        """
        name = str(clip.source or clip.name)
        lens = clip.lens
        people = footage.people
        if self.camera == 'static':
            return static_path(clip.num_frames), lens
        if footage.look_again is None or self.camera == 'moving':
            return None, lens
        [tracker] = self.observers(footage.frames, people.skeleton)
        seen = people.observed[tracker.name]
        _warn_of_borders(clip, seen)
        total = len(people.people) - people.first
        interval = 1
        if self.camera == 'auto':
            if total < CameraLimits.min_frames:
                return None, lens
            # Frames that are read once count as those of a file's sparse pass.
            count = min(
                len(seen['points']), len(range(0, total, CameraLimits.interval))
            )
            if count >= CameraLimits.min_frames and _is_static(clip, seen):
                return static_path(len(people.people)), lens
            if not footage.frames.once:
                interval = CameraLimits.second_interval
                seen = footage.look_again(
                    _tracker(interval, edges=False),
                    lambda done: footage.count(self.part, done, total),
                )
        if len(seen['points']) * interval < total:
            _LOGGER.warning(
                '%s could be read only once: the path of its camera is not known', name
            )
            return None, lens
        path, lens = _fit(clip, seen)
        chosen = choose_path(path, name, self.camera == 'rotating')
        if chosen is not None:
            shots = sorted({people.first, *people.cuts, len(people.people)})
            chosen = interpolate_path(chosen, seen['frames'], shots)
        # The focal length of a carried camera cannot be found from its images.
        return chosen, clip.lens if path.moves else lens


def _tracker(interval: int, edges: bool = True) -> FrameObserver:
    """Return the observer of the background in every few frames."""
    from mmhot.chain.tracking.background import BackgroundTracker  # imports OpenCV

    return BackgroundTracker(interval, edges)


def _fit(
    clip: Clip2D, seen: Mapping[str, np.ndarray]
) -> tuple[CameraPath, Lens | None]:
    """Fit rotation and zoom to the tracked background, and the lens if it is unknown.

    ``seen`` are the arrays of
    :class:`mmhot.chain.tracking.background.BackgroundTracker`, such as points (F, N, 4)
    in pixels.
    """
    path = _solve(clip, seen, clip.lens)
    # Cameras that are static or clearly move do not show their lens; shots may differ.
    shows_lens = path.explains.mean() > CameraLimits.min_explained
    if clip.lens is not None or clip.cuts or path.is_static or not shows_lens:
        return path, clip.lens
    size = clip.width, clip.height
    lens = find_lens(seen['points'], seen['keyframe'], size)
    return (path, None) if lens is None else (_solve(clip, seen, lens), lens)


def _solve(
    clip: Clip2D, seen: Mapping[str, np.ndarray], lens: Lens | None
) -> CameraPath:
    """Fit rotation and zoom of a camera with a lens to points (F, N, 4) in pixels."""
    size = clip.width, clip.height
    return solve_camera_path(
        seen['points'], seen['keyframe'], seen['inliers'], size, lens
    )


def _is_static(clip: Clip2D, seen: Mapping[str, np.ndarray]) -> bool:
    """Return whether the frames of the sparse pass show a static camera.

    ``seen`` are the arrays of
    :class:`mmhot.chain.tracking.background.BackgroundTracker`, such as points (F, N, 4)
    in pixels and differences of edges (F,). If the camera only seems static, a line in
    the log says so.
    """
    path = _solve(clip, seen, clip.lens)
    if shows_static(path, seen['keyframe']):
        return True
    if not seems_static(path, seen['moved']):
        return False
    _LOGGER.warning(
        ArgumentError(
            '%s: the background has little texture, but it stays in place: the camera '
            'counts as static; give {camera=%r} if it is carried',
            clip.source or clip.name,
            'moving',
        )
    )
    return True


def _warn_of_borders(clip: Clip2D, seen: Mapping[str, np.ndarray]) -> None:
    """Warn of lines that cross the image and stay, with people on both sides.

    ``seen`` has the shares of steps at ``columns`` (W,) and ``rows`` (H,).
    """
    boxes = np.concatenate([np.empty((0, 4)), *(x.boxes for x in clip.tracks)])
    for axis, side in enumerate((clip.width, clip.height)):
        shares = seen[('columns', 'rows')[axis]]
        steps = np.flatnonzero(shares > CameraLimits.border_steps)
        borders = (steps + 0.5) / np.size(shares) * side
        margin = CameraLimits.border_margin * side
        before = (boxes[:, [axis + 2]] < borders + margin).sum(0)
        after = (boxes[:, [axis]] > borders - margin).sum(0)
        across = len(boxes) - before - after
        is_border = across < CameraLimits.border_people * np.minimum(before, after)
        if is_border.any():
            _LOGGER.warning(
                ArgumentError(
                    '%s: a straight border crosses the image at %s %.0f, as of a split '
                    'screen: people of both sides share no floor; {crop} sees one side',
                    clip.source or clip.name,
                    'xy'[axis],
                    borders[is_border][0],
                )
            )


def stabilize(
    pixels: np.ndarray,
    frames: np.ndarray,
    path: np.ndarray,
    focal: float,
    size: tuple[int, int],
) -> np.ndarray:
    """Map pixels to the image of the camera in the first frame.

    Args:
        pixels (np.ndarray): Undistorted pixels, NaN where missing, (T, K, 2).
        frames (np.ndarray): Frame numbers, (T,).
        path (np.ndarray): Rotation vectors in radians and zooms by frame number,
            (F, 4).
        focal (float): Focal length in the first frame, pixels.
        size (tuple[int, int]): Width and height of the images.

    Returns:
        np.ndarray: Pixels in the image of the first frame, (T, K, 2) float32.
    """
    center = np.array(size) / 2
    path = path[frames].astype(np.float64)
    rays = (pixels - center) / (focal * path[:, 3, None, None])
    flat = turn_rays(rays, rotation_matrices(path[:, :3]))
    return (focal * flat + center).astype(np.float32)


def turn_rays(rays: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Rotate directions, given by x and y at depth 1.

    Args:
        rays (np.ndarray): Directions, (T, K, 2).
        rotations (np.ndarray): Rotation matrices, (T, 3, 3).

    Returns:
        np.ndarray: Rotated directions at depth 1, (T, K, 2).
    """
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
    turned = rays @ rotations.swapaxes(1, 2)
    # Directions beyond 84 degrees are in no image; the clip avoids a division by zero.
    return turned[..., :2] / np.maximum(turned[..., 2:], 0.1)
