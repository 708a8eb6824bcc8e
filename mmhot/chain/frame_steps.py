"""Steps from frames to tracked people: estimate 2D poses, track."""

from collections.abc import Callable, Collection
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.frames.observer import FrameObserver
from mmhot.frames.sources import FrameSource, Seen, warn_of_damage
from mmhot.pose2d.cache import ClipPeople, cache_path, save_if_possible, save_people
from mmhot.pose2d.estimation import VideoPoseEstimator, show_again
from mmhot.structures.clips import Clip2D
from mmhot.tracking.appearance import AppearanceObserver, AppearanceSettings
from mmhot.tracking.background import (
    Background,
    BackgroundSettings,
    BackgroundTracker,
)
from mmhot.tracking.clip_tracks import LinkLimits, track_clip

# Deviation from a constant rate that is ignored, as a share of a frame.
_UNEVEN = 0.2
_Count = Callable[[int, int], None]


@dataclass
class EstimatePoses:
    """Estimate the 2D poses of all frames, or load them from the cache."""

    name, part, live = 'estimate', '2D', True
    open_models: Callable[[], VideoPoseEstimator]  # when they are first needed
    facts: Collection[str] = ()  # that later steps need
    interval: int = 1  # frames from one whose background is looked at to the next
    cache: Path | None = None  # folder of results, in which 2D keypoints are cached
    background: BackgroundSettings = BackgroundSettings()
    appearance: AppearanceSettings = AppearanceSettings()

    @cached_property
    def models(self) -> VideoPoseEstimator:
        """The 2D models."""
        return self.open_models()

    def __call__(
        self, source: FrameSource, progress: _Count
    ) -> tuple[ClipPeople, dict[str, Any]]:
        """Return the people; the facts are cuts and what observers saw."""
        observers: list[FrameObserver] = []
        if 'background' in self.facts:
            interval = 1 if source.once else self.interval
            observers.append(BackgroundTracker(interval, self.background))
        if 'appearance' in self.facts:
            skeleton = self.models.estimator.skeleton
            observers.append(AppearanceObserver(skeleton, self.appearance))

        def count(done: int) -> None:
            progress(done, max(done, source.num_frames or 0))

        path = self._cache_path(source)
        people = self.models(source, path, count, observers)
        people.skeleton = self.models.estimator.skeleton
        warn_of_damage(source)
        looks = people.observed.get('appearance')
        facts: dict[str, Any] = {'cuts': people.cuts, 'appearance': looks}
        if 'background' in self.facts:
            facts['background'] = Background(
                len(people.people),
                people.observed[observers[0].name],
                lambda progress: self._look_at_all(source, people, progress),
                people.first,
            )
        return people, facts

    def _look_at_all(
        self, source: FrameSource, people: ClipPeople, progress: Callable[[int], None]
    ) -> dict[str, np.ndarray]:
        """Return the background of all frames; reads the video again if necessary."""
        tracker = BackgroundTracker(settings=self.background)
        if not people.has_seen(tracker):
            show_again(source, people, tracker, progress)
            people.observed[tracker.name] = tracker.arrays()
            save_if_possible(save_people, people, self._cache_path(source))
        return people.observed[tracker.name]

    def _cache_path(self, source: FrameSource) -> Path | None:
        if self.cache is None or source.in_memory or not source.path.exists():
            return None  # the content of an address may change
        settings = [astuple(each) for each in (self.background, self.appearance)]
        facts: dict[str, Any] = {'fps': source.fps, 'frames': source.num_frames}
        facts |= {'observers': settings, 'span': source.span}
        return cache_path(self.cache, source.path, facts | self.models.identity)


@dataclass
class TrackPeople:
    """Follow people from frame to frame."""

    name, part, live = 'track', 'track', True
    limits: LinkLimits = LinkLimits()

    def __call__(
        self,
        people: ClipPeople,
        frames: FrameSource,
        appearance: dict[str, np.ndarray] | None,
        progress: _Count,
    ) -> Clip2D:
        """Return the tracks as a clip with the name, rate and times of its frames."""
        count, fps = len(people.people), frames.fps
        tracks = track_clip(
            people.people,
            fps,
            lambda done: progress(done, count),
            people.cuts,
            self.limits,
            people.first,
            appearance,
        )
        frames.seen = Seen(people.people, people.skeleton, tracks)
        times = np.array(people.times)
        even = np.abs(times * fps - np.arange(count)).max() < _UNEVEN
        clip = Clip2D(frames.name, people.skeleton, tracks, *people.size, fps)
        return replace(clip, source=frames.path, times=None if even else times)
