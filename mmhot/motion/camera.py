"""Step ``camera``: its path, keypoints as a static camera would see them, and back."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.frames.sources import FrameSource
from mmhot.geometry.rotations import rotation_matrices
from mmhot.motion.camera_path import (
    CameraLimits,
    FocalSearch,
    choose_path,
    find_lens,
    is_static,
    shows_static,
    solve_camera_path,
    static_path,
)
from mmhot.options import option
from mmhot.state import State, Step, Watch
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.lens import Lens, ideal_pixels

if TYPE_CHECKING:  # only videos need OpenCV
    from mmhot.tracking.background import Background, BackgroundTracker

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StabilizeCamera(Step):
    """Step ``camera`` before lifting: keypoints as a static camera would see them.

    Poses of all frames then share the axes of the camera in the first frame of the
    shot.
    """

    name, part = 'camera', 'camera'

    # static if some frames show it, else rotating if all frames show that, else moving,
    # which means that each frame has its own axes
    camera: str = option(
        'camera motion: static, rotating (pan, tilt and zoom on a tripod), moving, or '
        'auto (detected). Unless the camera moves, all frames share axes, and standing '
        'feet stay in place',
        'auto',
        choices=('auto', 'static', 'rotating', 'moving'),
    )
    limits: CameraLimits = CameraLimits()  # what counts as static, rotating and moving
    search: FocalSearch = FocalSearch()  # of the focal length of cameras that turn

    def watch(self) -> Sequence[Watch]:
        """Return the observer of the background, if it shows how the camera moves."""
        has_to_see = self.camera in ('auto', 'rotating')
        return [lambda source, skeleton: self._tracker(source)] if has_to_see else []

    def _tracker(self, source: FrameSource) -> 'BackgroundTracker':
        from mmhot.tracking.background import BackgroundTracker

        is_sparse = self.camera == 'auto' and not source.once
        return BackgroundTracker(self.limits.interval if is_sparse else 1)

    def _background(self, state: State) -> 'Background | None':
        """Return what was seen of the background of a video."""
        if state.people is None or state.look_again is None or not self.watch():
            return None
        from mmhot.tracking.background import Background, BackgroundTracker

        name = self._tracker(state.source_frames()).name
        look_again, every_frame = state.look_again, BackgroundTracker()
        return Background(
            len(state.people.people),
            state.people.observed[name],
            lambda progress: look_again(every_frame, progress),
            state.people.first,
        )

    def __call__(self, state: State) -> State:
        """Map keypoints; the lens is that of the first frame of each shot."""
        background, count = self._background(state), self.counter(state)
        return self.stabilize(state, background, count)

    def stabilize(
        self,
        state: State,
        background: 'Background | None',
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> State:
        """State the camera's path, unless frames have no common axes, and the lens."""
        clip, lens = state.clip_2d(), state.lens
        path, camera_lens = self._solve(clip, background, state.cuts, lens, progress)
        if path is None and camera_lens is lens:
            return state
        state = replace(state, lens=camera_lens, camera_path=path)
        if path is None or is_static(path):
            return replace(state, keypoints=replace(clip, lens=camera_lens))
        size, tracks = (clip.width, clip.height), []
        for track in clip.tracks:
            points, focal = ideal_pixels(track.keypoints, size, camera_lens)
            points = stabilize(points, track.frames, path, focal, size)
            tracks.append(replace(track, keypoints=points))
        ideal = (
            None if camera_lens is None else Lens.pinhole(camera_lens.focal[0], *size)
        )
        return replace(state, keypoints=replace(clip, tracks=tracks, lens=ideal))

    def _solve(
        self,
        clip: Clip2D,
        background: 'Background | None',
        cuts: Sequence[int] | None,
        lens: Lens | None,
        progress: Callable[[int, int], None],
    ) -> tuple[np.ndarray | None, Lens | None]:
        """Return the path and the lens; None if they are not known.

        'auto' may decode the video another time, unless some frames show that the
        camera is static.
        """
        size, name = (clip.width, clip.height), str(clip.source or clip.name)
        limits = self.limits
        if self.camera == 'static':
            num_frames = background.num_frames if background else clip.num_frames
            return static_path(num_frames), lens
        if background is None:
            return None, lens
        seen = background.points
        total = background.num_frames - background.first
        if self.camera == 'auto':
            if len(seen['points']) < limits.min_frames:
                return None, lens
            path = solve_camera_path(**seen, size=size, lens=lens, limits=limits)
            if shows_static(path, seen['keyframe']):
                return static_path(background.num_frames), lens
            seen = background.look_at_all(lambda done: progress(done, total))
        if len(seen['points']) < total:
            _LOGGER.warning(
                '%s could be read only once: the path of its camera is not known', name
            )
            return None, lens
        stated_lens = lens
        if lens is None and not cuts:  # shots may differ
            points, keyframe = seen['points'], seen['keyframe']
            lens = find_lens(points, keyframe, size, self.search, limits)
        path = solve_camera_path(**seen, size=size, lens=lens, limits=limits)
        chosen = choose_path(path, name)
        if chosen is not None:  # nothing is known of the frames before
            chosen = np.concatenate([static_path(background.first), chosen])
        # images of a carried camera explain no focal length
        return chosen, stated_lens if path.moves else lens


@dataclass(frozen=True, kw_only=True)
class RestoreCamera(Step):
    """Step ``camera`` after lifting: 2D keypoints in pixels of the video."""

    name, part = 'camera', 'camera'

    def __call__(self, state: State) -> State:
        """Undo :class:`StabilizeCamera`; poses stay in axes of the first frame."""
        if state.camera_path is None:
            return state
        clip, lens = replace(state.clip_3d(), camera_path=state.camera_path), state.lens
        if is_static(state.camera_path):
            return replace(state, poses=clip)
        focal, center = clip.focal_length, np.array([clip.width, clip.height]) / 2
        path = state.camera_path[clip.frame].astype(np.float64)
        rays = (clip.keypoints_2d - center) / focal
        flat = _turned(rays, rotation_matrices(-path[:, :3]))
        pixels = focal * path[:, 3, None, None] * flat + center
        pixels = pixels if lens is None else lens.distort(pixels)
        clip = replace(
            clip,
            keypoints_2d=pixels.astype(np.float32),
            intrinsics=() if lens is None else lens.parameters,
        )
        return replace(state, poses=clip)


@dataclass(frozen=True, kw_only=True)
class HoldCamera(Step):
    """Step ``camera`` of keypoints and poses without their video."""

    name = 'camera'

    static_camera: bool = option(
        'the camera does not move: estimate its tilt and the floor, and keep standing '
        'feet in place',
        False,
    )

    def __call__(self, state: State) -> State:
        """State that all frames share axes, if the user says so."""
        clip = state.clip_3d()
        if not self.static_camera or clip.axes == 'world' or not len(clip):
            return state
        if clip.camera_path is not None:
            if not is_static(clip.camera_path):
                text = '{static_camera} is wrong: the camera of %s turns'
                raise ArgumentError(text, clip.name)
            return state
        path = static_path(int(clip.frame.max()) + 1)
        return replace(state, poses=replace(clip, camera_path=path))


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
    flat = _turned(rays, rotation_matrices(path[:, :3]))
    return (focal * flat + center).astype(np.float32)


def _turned(rays: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return where directions (T, K, 2) are at depth 1 after rotations (T, 3, 3)."""
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
    turned = rays @ rotations.swapaxes(1, 2)
    # directions beyond 84 degrees are not in any image
    return turned[..., :2] / np.maximum(turned[..., 2:], 0.1)


def stable_keypoints(clip: Clip3D) -> np.ndarray:
    """Return a clip's 2D keypoints (N, K, 2) as a static camera would see them."""
    if clip.camera_path is None:
        return clip.keypoints_2d
    points, size = clip.keypoints_2d, (clip.width, clip.height)
    if clip.intrinsics:
        fx, fy, cx, cy, *distortion = clip.intrinsics
        lens = Lens((fx, fy), (cx, cy), tuple(distortion), size=size)
        points = lens.undistort(points)
    if is_static(clip.camera_path):
        return points
    return stabilize(points, clip.frame, clip.camera_path, clip.focal_length, size)
