"""From the frames of a clip to 3D poses of all its people."""

import logging
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmhot.clips import Clip2D, Clip3D, Track2D
from mmhot.lens import Lens, settle_lens
from mmhot.lifting.lifter import Lifter
from mmhot.skeletons.joints import get_skeleton
from mmhot.video.cache import (
    FoundPeople,
    cache_path,
    keep_if_possible,
    load_tracks,
    save_tracks,
    tracks_path,
)
from mmhot.video.frames import FrameSource
from mmhot.video.pose_estimation import Finder
from mmhot.video.smoothing import smooth_clip
from mmhot.video.tracking import TRACKING_RULES, track_clip

_LOGGER = logging.getLogger(__name__)

# Times that differ from an even rate by less than this part of a frame are even.
_UNEVEN = 0.2
# A film whose rate is meant to be even has at least so many even steps.
_EVEN_SHARE = 0.9


class UnsureError(ValueError):
    """All that was found is too unsure to be somebody."""


@dataclass
class StageTimes:
    """Seconds that the stages of one clip took, and frames that they went through."""

    seconds: dict[str, float] = field(default_factory=dict)
    num_frames: int = 0

    @contextmanager
    def measure(self, stage: str):
        """Add the time that a block takes."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


@dataclass
class VideoLifter:
    """Lifts people straight from videos.

    Args:
        finder (Finder): Finds 2D keypoints.
        lifter (Lifter): Lifts them.
        kpt_thr (float): Keypoints of less confidence count as not seen. Defaults to
            0.2.
        smooth_2d (str): Smoothing of the keypoints, see
            :func:`mmhot.video.smoothing.smooth_clip`. Defaults to 'none'.
        smooth_3d (str): Smoothing of the poses. Defaults to 'none'.
        mapping (str, optional): See :class:`mmhot.lifting.lifter.Lifter`.
        fov (float, optional): Degrees from the left to the right of the picture.
        intrinsics (Lens, optional): The camera's lens, in place of ``fov``.
        cache (Path, optional): Folder of the results, beside which 2D keypoints are
            kept.
    """

    finder: Finder
    lifter: Lifter
    kpt_thr: float = 0.2
    smooth_2d: str = 'none'
    smooth_3d: str = 'none'
    mapping: str | None = None
    fov: float | None = None
    intrinsics: Lens | None = None
    cache: Path | None = None

    def __call__(
        self,
        source: FrameSource,
        progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
        times: StageTimes | None = None,
    ) -> tuple[Clip3D | None, StageTimes]:
        """Lift the people of a clip.

        Args:
            source (FrameSource): The clip.
            progress (Callable): Told the stage, frames done and all frames (0 if
                that is not known).
            times (StageTimes, optional): Where to note how long it takes, even if it
                fails.

        Returns:
            tuple[Clip3D | None, StageTimes]: The poses in camera axes, None if nobody
            was found, and how long it took.

        Raises:
            ValueError: If no frame can be read.
        """
        times = StageTimes() if times is None else times
        total = source.num_frames or 0

        def count(done: int) -> None:
            times.num_frames = done
            progress('2D', done, max(done, total))

        with times.measure('2D'):
            found = self.find(source, count)
        _warn_of_missing_frames(source.path, np.array(found.times))
        with times.measure('track'):
            tracks = self.track(
                source, found, lambda done: progress('track', done, len(found.people))
            )
        if not tracks:
            return None, times
        try:
            clip = self.assemble(source, found, tracks)
        except UnsureError as error:
            _LOGGER.warning('%s: %s', source.path, error)
            return None, times
        with times.measure('3D'):
            lifted = self.lift(clip, lambda done, all_: progress('3D', done, all_))
        return lifted, times

    def find(
        self, source: FrameSource, progress: Callable[[int], None] = lambda done: None
    ) -> FoundPeople:
        """2D keypoints of all frames, from the cache if they are there."""
        return self.finder(source, self._cache_path(source), progress)

    def track(
        self,
        source: FrameSource,
        found: FoundPeople,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Track2D]:
        """Who is who through the clip, from the cache if that is there."""
        skeleton = get_skeleton(self.finder.estimator.skeleton)
        kept = self._cache_path(source)
        path = kept and tracks_path(kept)
        tracks = path and load_tracks(path, skeleton.num_keypoints, TRACKING_RULES)
        if tracks is None:
            tracks = track_clip(
                found.people, source.fps, progress=progress, cuts=found.cuts
            )
            if path:
                keep_if_possible(lambda: save_tracks(tracks, path, TRACKING_RULES))
        return tracks

    def _cache_path(self, source: FrameSource) -> Path | None:
        if self.cache is None or not source.path.exists():
            return None  # of addresses nobody knows whether they still show the same
        facts = {**self.finder.facts, 'fps': source.fps, 'frames': source.num_frames}
        return cache_path(self.cache, source.path, facts)

    def assemble(
        self, source: FrameSource, found: FoundPeople, tracks: list[Track2D]
    ) -> Clip2D:
        """People through time, without keypoints that nobody is sure of."""
        sure = [without_unsure(track, self.kpt_thr) for track in tracks]
        if not any(np.isfinite(track.keypoints).any() for track in sure):
            raise UnsureError(
                f'no keypoint has a confidence of {self.kpt_thr:g} or more'
            )
        width, height = found.size
        times = np.array(found.times)
        even = np.abs(times * source.fps - np.arange(len(times))).max() < _UNEVEN
        return Clip2D(
            name=source.name,
            skeleton=self.finder.estimator.skeleton,
            tracks=sure,
            width=width,
            height=height,
            fps=source.fps,
            source=source.path,
            times=None if even else times,
        )

    def lift(
        self,
        clip: Clip2D,
        progress: Callable[[int, int], None] | None = None,
    ) -> Clip3D:
        """Lift tracked people, smoothing before and after as wanted."""
        segments = [
            replace(
                segment,
                keypoints=smooth_clip(segment.keypoints, clip.fps, self.smooth_2d),
            )
            for segment in self.lifter.prepare(clip, self.mapping)
        ]
        lens = settle_lens(clip.width, clip.height, self.fov, self.intrinsics)
        lifted = self.lifter.lift(clip, segments, progress, lens)
        return _smooth_poses(lifted, self.smooth_3d)


def _warn_of_missing_frames(path: Path, times: np.ndarray) -> None:
    """Say so if a film of an even rate jumps, as damaged ones do.

    Args:
        path (Path): The film.
        times (np.ndarray): Seconds of its frames, (T,).
    """
    steps = np.diff(times)
    usual = np.median(steps) if len(steps) else 0.0
    if not usual > 0 or (abs(steps / usual - 1) < _UNEVEN).mean() < _EVEN_SHARE:
        return
    missing = np.round(steps / usual - 1).astype(int).clip(0)
    if missing.any():
        _LOGGER.warning(
            '%s: about %d frames are missing, the first after %.2f s',
            *(path, missing.sum(), times[missing.argmax()]),
        )


def without_unsure(track: Track2D, threshold: float) -> Track2D:
    """Mark keypoints below a confidence as missing."""
    unsure = ~(track.scores >= threshold)
    return replace(
        track,
        keypoints=np.where(unsure[..., None], np.nan, track.keypoints),
        scores=np.where(unsure, 0, track.scores),
    )


def _smooth_poses(clip: Clip3D, method: str) -> Clip3D:
    """Smooth poses and places of every person, between breaks."""
    if method == 'none':
        return clip
    poses, root = clip.keypoints_3d.copy(), clip.root_3d.copy()
    for rows in clip.stretches():
        poses[rows] = smooth_clip(poses[rows], clip.fps, method, in_meters=True)
        root[rows] = smooth_clip(root[rows], clip.fps, method, in_meters=True)
    return replace(clip, keypoints_3d=poses, root_3d=root)
