"""Step ``estimate``: from frames to the people of each frame."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from mmhot.frames.sources import FrameObserver, FrameSource, warn_of_damage
from mmhot.pose2d.cache import cache_path, save_if_possible, save_people
from mmhot.pose2d.options import SPEEDS, Pose2DOptions
from mmhot.state import ClipPeople, LiveStep, State, Watch
from mmhot.weights.names import NAMED_FILES

if TYPE_CHECKING:  # imports OpenCV
    from mmhot.pose2d.estimation import VideoPoseEstimator

_MORE_ACCURATE = (
    ' (trained on rendered people only, finds 3 of 4 joints on photos; more accurate, '
    'once downloaded: --pose2d movenet, 17 MB, or human, RTMPose-m, 150 MB)'
)


@dataclass(frozen=True, kw_only=True)
class EstimatePoses(Pose2DOptions, LiveStep):
    """Estimate the 2D poses of all frames, or load them from the cache."""

    name, part, optional = 'estimate', '2D', False

    cache: Path | None = None  # folder of results, in which 2D keypoints are cached
    opened: 'VideoPoseEstimator | None' = None  # models in place of the options' ones
    watches: tuple[Watch, ...] = ()  # what other steps want to see, see `Step.watch`

    @cached_property
    def models(self) -> 'VideoPoseEstimator':
        """The detector and the 2D model, which are opened once."""
        if self.opened is not None:
            return self.opened
        from mmhot.pose2d.estimation import VideoPoseEstimator
        from mmhot.pose2d.pose_source import open_pose_source

        say, speed = self.report.say, SPEEDS[self.speed]
        detector, estimator = open_pose_source(self, fetch=self._fetch)
        hint = '' if self.pose2d else _MORE_ACCURATE
        say(f'boxes: {detector.name}, 2D keypoints: {estimator.name}{hint}')
        return VideoPoseEstimator(
            detector,
            estimator,
            self.det_every,
            gaps=speed.gaps,
            det_factor=speed.det_factor,
        )

    def prepare(self) -> None:
        """Open the models."""
        self.models  # noqa: B018, opened at first use

    def _fetch(self, name: str) -> None:
        """Download a named model, unless it is there."""
        file = NAMED_FILES[name]
        if not file.path(name).exists():
            host = urlsplit(file.url).hostname
            size = f'{file.megabytes:g} MB'
            self.report.say(f'{name}: {size} from {host}, once ({file.license})')
            with self.report.bars(f'downloading {name}', 'MB') as show:
                file.fetch(name, show)

    def __call__(self, state: State) -> State:
        """Find the people of all frames, and what other steps want to see in them."""
        source, count = state.source_frames(), self.counter(state)
        skeleton = self.models.estimator.skeleton
        observers = [make(source, skeleton) for make in self.watches]
        if state.thumbnails is not None:
            observers.append(state.thumbnails)
        people = self.models(
            source,
            self._cache_path(source),
            lambda done: count(done, max(done, source.num_frames or 0)),
            observers,
        )
        people.skeleton = skeleton
        warn_of_damage(source, people.ended)
        look_again = partial(self._look_again, source, people)
        return replace(state, people=people, cuts=people.cuts, look_again=look_again)

    def _look_again(
        self,
        source: FrameSource,
        people: ClipPeople,
        observer: FrameObserver,
        progress: Callable[[int], None],
    ) -> dict[str, np.ndarray]:
        """Show all frames to an observer; reads the video again if necessary."""
        from mmhot.pose2d.estimation import show_again

        if not people.has_seen(observer):
            show_again(source, people, observer, progress)
            people.observed[observer.name] = observer.arrays()
            save_if_possible(save_people, people, self._cache_path(source))
        return people.observed[observer.name]

    def start(self, fps: float) -> Callable[[State], State]:
        """Return the estimation of a stream, which follows people between frames."""
        models, previous, count = self.models, None, 0
        interval = models.detection_interval()

        def estimate(state: State) -> State:
            nonlocal previous, count
            frame = state.stream_frame()
            numbered = replace(frame, index=count)
            before = None if state.interrupted else previous
            previous = models.estimate_frame(numbered, before, interval)
            count += 1
            people = ClipPeople(
                [previous],
                [frame.time],
                frame.image.shape[1::-1],
                skeleton=models.estimator.skeleton,
            )
            return replace(state, people=people)

        return estimate

    def _cache_path(self, source: FrameSource) -> Path | None:
        if self.cache is None or source.in_memory or not source.path.exists():
            return None  # the content of an address may change
        facts: dict[str, Any] = {'fps': source.fps, 'frames': source.num_frames}
        facts |= {'span': source.span} | self.models.identity
        return cache_path(self.cache, source.path, facts)
