"""Step ``estimate``: from frames to the people of each frame."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mmhot.chain.frames.sources import Frame, FrameObserver, FrameSource, warn_of_damage
from mmhot.chain.frames.view import ViewOptions
from mmhot.chain.pose2d.cache import cache_path
from mmhot.chain.pose2d.footage import ClipPeople, Footage
from mmhot.chain.pose2d.options import SPEEDS, Pose2DOptions
from mmhot.chain.step import Step
from mmhot.errors import ArgumentError
from mmhot.progress import CountStage, no_count
from mmhot.structures.people import People
from mmhot.weights.names import NAMED_FILES

if TYPE_CHECKING:  # imports OpenCV
    from mmhot.chain.pose2d.estimation import VideoPoseEstimator

_MORE_ACCURATE = (
    ' (trained on rendered people only, finds 3 of 4 joints on photos; more accurate, '
    'once downloaded: {pose2d} movenet, 17 MB with its detector, or human, RTMPose-m, '
    '150 MB)'
)


@dataclass(frozen=True, kw_only=True)
class EstimatePoses(Pose2DOptions, ViewOptions, Step):
    """Estimate the 2D poses of all frames, or load them from the cache."""

    name = 'estimate'
    part = '2D'
    optional = False

    def open(self) -> 'VideoPoseEstimator':
        """Open the detector and the 2D model."""
        from mmhot.chain.pose2d.estimation import VideoPoseEstimator
        from mmhot.chain.pose2d.pose_source import open_pose_source

        speed = SPEEDS[self.speed]
        detector, estimator = open_pose_source(self, fetch=self._fetch)
        self.report.say(
            ArgumentError(
                f'boxes: %s, 2D keypoints: %s{"" if self.pose2d else _MORE_ACCURATE}',
                detector.name,
                estimator.name,
            )
        )
        return VideoPoseEstimator(
            detector,
            estimator,
            self.det_every,
            gaps=speed.gaps,
            det_factor=speed.det_factor,
        )

    def _fetch(self, name: str) -> None:
        """Download a named model, unless its file exists."""
        file = NAMED_FILES[name]
        if not file.path(name).exists():
            host = urlsplit(file.url).hostname
            size = f'{file.megabytes:g} MB'
            self.report.say(f'{name}: {size} from {host}, once ({file.license})')
            with self.report.bars(f'downloading {name}', 'MB') as show:
                file.fetch(name, show)

    def __call__(
        self,
        frames: FrameSource,
        models: 'VideoPoseEstimator',
        observers: Sequence[FrameObserver] = (),
        cache: Path | None = None,
        count: CountStage = no_count,
    ) -> Footage:
        """Find the people of all frames.

        Args:
            frames (FrameSource): The video.
            models (VideoPoseEstimator): Detector and 2D model, see :meth:`open`.
            observers (Sequence[FrameObserver]): Observers of the frames and people.
            cache (Path, optional): Folder of results, in which 2D keypoints are cached.
            count (CountStage): Receives the progress.

        Returns:
            Footage: The video and the people of its frames.

        Raises:
            ValueError: If the video has no frames.
        """
        from mmhot.chain.pose2d.estimation import show_again

        path = None
        # The content of an address may change.
        if cache is not None and not frames.in_memory and frames.path.exists():
            facts = {'fps': frames.fps, 'frames': frames.num_frames}
            facts |= {'span': frames.span, 'view': frames.view} | models.identity
            path = cache_path(cache, frames.path, facts)
        people = models(
            frames,
            path,
            lambda done: count(self.part, done, max(done, frames.num_frames or 0)),
            observers,
        )
        warn_of_damage(frames, people.ended)
        return Footage(
            frames,
            people,
            look_again=partial(show_again, frames, people, path),
            count=count,
        )

    def find_turn(self, footage: Footage, models: 'VideoPoseEstimator') -> int:
        """Find the degrees by which a video is stored turned, unless they are stated.

        Args:
            footage (Footage): The video and its people.
            models (VideoPoseEstimator): Detector and 2D model.

        Returns:
            int: Degrees by which frames are to be turned clockwise.
        """
        from mmhot.chain.pose2d.orientation import find_turn

        return find_turn(footage, models) if self.rotate == 'auto' else 0

    def start(
        self, frames: FrameSource, models: 'VideoPoseEstimator'
    ) -> Callable[[Frame, bool], Footage]:
        """Return a function that finds the people in each frame of a stream.

        People are followed from frame to frame. The function is called with a frame,
        and whether frames before it were lost.
        """
        previous: list[People] = []
        numbers = itertools.count()
        interval = models.detection_interval()
        skeleton = models.estimator.skeleton

        def estimate(frame: Frame, interrupted: bool) -> Footage:
            nonlocal previous
            numbered = replace(frame, index=next(numbers))
            before = [] if interrupted else previous
            previous = models.track([numbered], before, interval)
            size = frame.image.shape[1::-1]
            people = ClipPeople(previous, [frame.time], size, skeleton=skeleton)
            return Footage(frames, people)

        return estimate
