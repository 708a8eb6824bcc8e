"""Video to 3D: 2D poses, tracking, smoothing and lifting of a clip, with timing."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from mmhot.chain.lifting import lift_clip
from mmhot.chain.processors import Processor, run_processors
from mmhot.frames.observer import FrameObserver
from mmhot.frames.sources import FrameSource
from mmhot.lifting.clip_encoder import check_liftable
from mmhot.lifting.lifter import Lifter
from mmhot.motion.camera_path import (
    FEWEST_FRAMES,
    choose_path,
    find_lens,
    shows_static,
    solve_camera_path,
    static_path,
)
from mmhot.pose2d.cache import ClipPeople, cache_path, save_if_possible, save_people
from mmhot.pose2d.estimation import VideoPoseEstimator, show_again
from mmhot.structures.clips import Clip2D, Clip3D, Track2D
from mmhot.structures.lens import Lens, resolve_intrinsics
from mmhot.tracking.appearance import AppearanceObserver
from mmhot.tracking.background import BackgroundTracker
from mmhot.tracking.clip_tracks import track_clip

_LOGGER = logging.getLogger(__name__)

# Deviation from a constant rate that is ignored, as a share of a frame.
_UNEVEN = 0.2
# Cameras whose path is found, with the frames from one that is looked at to the next.
_INTERVALS = {'rotating': 1, 'auto': 15}


@dataclass
class StageTimes:
    """Seconds that the stages of a clip took, and its number of frames."""

    seconds: dict[str, float] = field(default_factory=dict)
    num_frames: int = 0

    @contextmanager
    def measure(self, stage: str):
        """Add the time of a block to a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


@dataclass
class VideoLifter:
    """Lift people from videos.

    Args:
        pose_estimator (VideoPoseEstimator): Estimates 2D keypoints.
        lifter (Lifter): Lifts them.
        kpt_thr (float): Keypoints with a lower confidence count as missing. Defaults
            to 0.35.
        processors (Sequence[Processor]): Steps before and after lifting, in order; what
            none of them needs is not computed.
        camera (str): ``'static'``; ``'rotating'`` on a tripod, also zooming: poses of
            all frames share the axes of the first frame; ``'moving'``: each frame has
            its own axes; ``'auto'``: static if some frames show it, else rotating if
            all frames show that, else moving. Defaults to 'moving'.
        fov (float, optional): Horizontal field of view in degrees.
        intrinsics (Lens, optional): The camera's lens, in place of ``fov``.
        cache (Path, optional): Folder of the results, in which 2D keypoints are cached.
    """

    pose_estimator: VideoPoseEstimator
    lifter: Lifter
    kpt_thr: float = 0.35
    processors: Sequence[Processor] = ()
    camera: str = 'moving'
    fov: float | None = None
    intrinsics: Lens | None = None
    cache: Path | None = None

    def __call__(
        self,
        source: FrameSource,
        progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
        times: StageTimes | None = None,
    ) -> Clip3D | None:
        """Lift the people of a clip; returns None without people.

        Args:
            source (FrameSource): The clip.
            progress (Callable): Called with the stage, frames done and all frames (0 if
                unknown).
            times (StageTimes, optional): Filled in, even if lifting fails.

        Raises:
            ValueError: If no frame can be read.
            NotLiftableError: If the 2D model's keypoints are not those of people.
        """
        times = StageTimes() if times is None else times

        def show(stage: str) -> Callable[[int], None]:
            return lambda done: progress(stage, done, times.num_frames)

        def count(done: int) -> None:
            times.num_frames = done
            progress('2D', done, max(done, source.num_frames or 0))

        with times.measure('2D'):
            people = self.estimate_poses(source, count)
        with times.measure('track'):
            tracks = self.track(source, people, show('track'))
        if not tracks:
            return None
        clip = self.assemble(source, people, tracks)
        if clip is None:
            _LOGGER.warning(
                '%s: no detection exceeds the confidence threshold kpt_thr=%g: lower '
                'it, or use another 2D model',
                source.path,
                self.kpt_thr,
            )
            return None
        check_liftable(clip, self.lifter.skeleton)
        with times.measure('camera'):
            path, lens = self.solve_camera(source, people, show('camera'))
        with times.measure('3D'):
            lifted = self.lift(clip, partial(progress, '3D'), path, lens)
        return replace(lifted, cuts=tuple(people.cuts))

    def estimate_poses(
        self, source: FrameSource, progress: Callable[[int], None] = lambda done: None
    ) -> ClipPeople:
        """Estimate the 2D poses of all frames, or load them from the cache."""
        observers: list[FrameObserver] = []
        if self._need('camera_path') and self.camera in _INTERVALS:
            observers.append(BackgroundTracker(_INTERVALS[self.camera]))
        if self._need('appearance'):
            skeleton = self.pose_estimator.estimator.skeleton
            observers.append(AppearanceObserver(skeleton))
        return self.pose_estimator(
            source, self._cache_path(source), progress, observers
        )

    def _need(self, name: str) -> bool:
        return any(name in step.needs for step in self.processors)

    def solve_camera(
        self,
        source: FrameSource,
        people: ClipPeople,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[np.ndarray | None, Lens | None]:
        """Find rotation and zoom of the camera.

        ``'auto'`` decodes the video another time, unless some frames show that the
        camera is static.

        Returns the path, see :mod:`mmhot.motion.camera_path`, None if frames have no
        common axes; and the lens, None if it is not known.
        """
        num_frames, size = len(people.people), people.size
        given = lens = resolve_intrinsics(*size, self.fov, self.intrinsics)
        if self.camera == 'moving' or not self._need('camera_path'):
            return None, lens
        if self.camera == 'static':
            return static_path(num_frames), lens
        found = people.observed[BackgroundTracker(_INTERVALS[self.camera]).name]
        if self.camera == 'auto':
            if len(found['points']) < FEWEST_FRAMES:
                return None, lens
            path = solve_camera_path(**found, size=size, lens=lens)
            if shows_static(path, found['keyframe']):
                return static_path(num_frames), lens
            tracker = BackgroundTracker()
            if tracker.name not in people.observed:
                show_again(source, people, tracker, progress)
                people.observed[tracker.name] = tracker.arrays()
                save_if_possible(save_people, people, self._cache_path(source))
            found = people.observed[tracker.name]
        if len(found['points']) < num_frames:
            _LOGGER.warning(
                '%s could be read only once: the path of its camera is not known',
                source.path,
            )
            return None, lens
        if lens is None and not people.cuts:  # shots may differ
            lens = find_lens(found['points'], found['keyframe'], size)
        path = solve_camera_path(**found, size=size, lens=lens)
        # images of a carried camera explain no focal length
        return choose_path(path, str(source.path)), given if path.moves else lens

    def track(
        self,
        source: FrameSource,
        clip: ClipPeople,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Track2D]:
        """Track the people of a clip."""
        tracks = track_clip(clip.people, source.fps, progress=progress, cuts=clip.cuts)
        if not tracks:
            return []
        found = self._as_clip(source, clip, tracks)
        known = {'cuts': clip.cuts, **clip.observed}
        return run_processors(self.processors, 'tracks', found, known).tracks

    def _cache_path(self, source: FrameSource) -> Path | None:
        if self.cache is None or not source.path.exists():
            return None  # the content of an address may change
        facts = {'fps': source.fps, 'frames': source.num_frames}
        facts |= self.pose_estimator.identity
        return cache_path(self.cache, source.path, facts)

    def assemble(
        self, source: FrameSource, people: ClipPeople, tracks: list[Track2D]
    ) -> Clip2D | None:
        """Combine the confident keypoints of tracks to a clip; None if all are low."""
        confident = []
        for track in tracks:
            missing = ~(track.scores >= self.kpt_thr)
            keypoints = np.where(missing[..., None], np.nan, track.keypoints)
            scores = np.where(missing, 0, track.scores)
            confident.append(replace(track, keypoints=keypoints, scores=scores))
        known = any(np.isfinite(track.keypoints).any() for track in confident)
        return self._as_clip(source, people, confident) if known else None

    def _as_clip(
        self, source: FrameSource, people: ClipPeople, tracks: list[Track2D]
    ) -> Clip2D:
        times = np.array(people.times)
        even = np.abs(times * source.fps - np.arange(len(times))).max() < _UNEVEN
        skeleton = self.pose_estimator.estimator.skeleton
        clip = Clip2D(source.name, skeleton, tracks, *people.size, source.fps)
        return replace(clip, source=source.path, times=None if even else times)

    def lift(
        self,
        clip: Clip2D,
        progress: Callable[[int, int], None] | None = None,
        path: np.ndarray | None = None,
        lens: Lens | None = None,
    ) -> Clip3D:
        """Lift tracked people, with the processors before and after.

        Path and lens are those of :meth:`solve_camera`, by default the options' lens;
        ``progress`` is called with the number of frames done and of all.
        """
        size = clip.width, clip.height
        lens = lens or resolve_intrinsics(*size, self.fov, self.intrinsics)
        known = {} if path is None else {'camera_path': path}
        return lift_clip(self.lifter, self.processors, clip, lens, progress, **known)
