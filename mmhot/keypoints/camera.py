"""Step ``camera`` before the lift: keypoints as a static camera would see them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.frames.sources import FrameObserver, FrameSource
from mmhot.geometry.rotations import rotation_matrices
from mmhot.keypoints.camera_path import (
    CameraLimits,
    choose_path,
    find_lens,
    is_static,
    seems_static,
    shows_static,
    solve_camera_path,
    static_path,
)
from mmhot.pose2d.footage import Footage, VideoStep
from mmhot.skeletons.joints import get_skeleton, part_of
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.lens import Camera, Lens, ideal_pixels

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StabilizeCamera(VideoStep):
    """Map keypoints to the image of a static camera.

    Poses of all frames then share the axes of the camera in the shot's first frame.
    """

    name, part = 'camera', 'camera'

    # static if some frames show it, else rotating if all frames show that, else moving,
    # which means that each frame has its own axes
    camera: Annotated[
        Literal['auto', 'static', 'rotating', 'moving'],
        'camera motion: static, rotating (pan, tilt and zoom on a tripod), moving, or '
        'auto (detected). Unless the camera moves, all frames share axes, and standing '
        'feet stay in place',
    ] = 'auto'

    def observers(self, frames: FrameSource, skeleton: str) -> Sequence[FrameObserver]:
        """Return the observer of the background, if it shows how the camera moves."""
        return [self._tracker(frames)] if self.camera in ('auto', 'rotating') else []

    def _tracker(self, frames: FrameSource, again: bool = False) -> FrameObserver:
        from mmhot.tracking.background import BackgroundTracker  # imports OpenCV

        is_sparse = self.camera == 'auto' and not (again or frames.once)
        return BackgroundTracker(CameraLimits.interval if is_sparse else 1)

    def __call__(self, clip: Clip2D, footage: Footage) -> Clip2D:
        """Map keypoints, and state the camera and its lens.

        The lens is that of the first frame of each shot. Frames of a camera that moves
        have no common axes, so that it is not stated.
        """
        path, lens = self.solve(clip, footage)
        if path is None and lens is clip.lens:
            return clip
        clip = replace(
            clip, lens=lens, camera=None if path is None else Camera(path, lens)
        )
        if path is None or is_static(path):
            return clip
        size, tracks = (clip.width, clip.height), []
        for track in clip.tracks:
            points, focal = ideal_pixels(track.keypoints, size, lens)
            points = stabilize(points, track.frames, path, focal, size)
            tracks.append(replace(track, keypoints=points))
        ideal = None if lens is None else Lens.pinhole(lens.focal[0], *size)
        return replace(clip, tracks=tracks, lens=ideal)

    def solve(
        self, clip: Clip2D, footage: Footage
    ) -> tuple[np.ndarray | None, Lens | None]:
        """Return the path and the lens; None if they are not known.

        'auto' may decode the video another time, unless some frames show that the
        camera is static.
        """
        size, name = (clip.width, clip.height), str(clip.source or clip.name)
        lens, people = clip.lens, footage.people
        if self.camera == 'static':
            return static_path(clip.num_frames), lens
        if footage.look_again is None or self.camera == 'moving':
            return None, lens
        seen = people.observed[self._tracker(footage.frames).name]
        total = len(people.people) - people.first
        if self.camera == 'auto':
            if len(seen['points']) < CameraLimits.min_frames:
                return None, lens
            path = solve_camera_path(**seen, size=size, lens=lens)
            if shows_static(path, seen['keyframe']):
                return static_path(len(people.people)), lens
            if seems_static(path, seen['moved'], _ankle_paths(clip)):
                text = (
                    '%s: the background has little texture, and what is seen of it, or '
                    'of standing feet, is still: the camera counts as static; '
                    '{camera=%r} if it is carried'
                )
                _LOGGER.warning(ArgumentError(text, name, 'moving'))
                return static_path(len(people.people)), lens
            seen = footage.look_again(
                self._tracker(footage.frames, again=True),
                lambda done: footage.count(self.part, done, total),
            )
        if len(seen['points']) < total:
            _LOGGER.warning(
                '%s could be read only once: the path of its camera is not known', name
            )
            return None, lens
        if lens is None and not clip.cuts:  # shots may differ
            lens = find_lens(seen['points'], seen['keyframe'], size)
        path = solve_camera_path(**seen, size=size, lens=lens)
        chosen = choose_path(path, name, self.camera == 'rotating')
        if chosen is not None:  # nothing is known of the frames before
            chosen = np.concatenate([static_path(people.first), chosen])
        # images of a carried camera explain no focal length
        return chosen, clip.lens if path.moves else lens


def _ankle_paths(clip: Clip2D) -> np.ndarray:
    """Return how far ankles are after half a second, heights of people, (N,)."""
    joints, span = get_skeleton(clip.skeleton).joints, max(round(clip.fps / 2), 1)
    ankles, paths = [x for x, y in enumerate(joints) if part_of(y) == 'ankle'], []
    for track in clip.tracks:
        rows = track.keypoints[:, ankles]
        passed = np.linalg.norm(rows[span:] - rows[:-span], axis=-1)
        heights = np.ptp(track.boxes[:, 1::2], axis=1)
        paths.append((passed / np.median(heights)).ravel())
    return np.concatenate([*paths, []])


def stabilize(
    pixels: np.ndarray,
    frames: np.ndarray,
    path: np.ndarray,
    focal: float,
    size: tuple[int, int],
) -> np.ndarray:
    """Map pixels to the image of a camera that stays as it is in the first frame.

    Pixels (T, K, 2) are those of an ideal lens, NaN where missing; the path has
    rotation vectors and zooms by frame, (F, 4).
    """
    center = np.array(size) / 2
    path = path[frames].astype(np.float64)
    rays = (pixels - center) / (focal * path[:, 3, None, None])
    flat = turn_rays(rays, rotation_matrices(path[:, :3]))
    return (focal * flat + center).astype(np.float32)


def turn_rays(rays: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return where directions (T, K, 2) are at depth 1 after rotations (T, 3, 3)."""
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
    turned = rays @ rotations.swapaxes(1, 2)
    # directions beyond 84 degrees are not in any image
    return turned[..., :2] / np.maximum(turned[..., 2:], 0.1)
