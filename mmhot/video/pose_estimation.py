"""People in all frames of a clip: boxes, then keypoints, in batches of frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmhot.skeletons.joints import get_skeleton
from mmhot.video.cache import FoundPeople, Keeper, load_boxes, load_found
from mmhot.video.frames import Frame, FrameSource
from mmhot.video.people import Detector, People, PoseEstimator
from mmhot.video.pose_similarity import boxes_around
from mmhot.video.shot_boundaries import CutDetector

# Between detections, a person is looked for around the keypoints of the frame before,
# for so many frames at most: boxes that are made of each other drift.
_MOST_FOLLOWED = 5
_ROOM = 0.15
# Films of fewer frames than this are soon looked through.
_BRIEF = 3 * _MOST_FOLLOWED
_LEAST_SCORE = 0.2
# Told of results that are kept: rules for whom to follow change them, too.
_RULES = 3


@dataclass
class Finder:
    """Finds the keypoints of all people in clips.

    Args:
        detector (Detector): Finds boxes.
        estimator (PoseEstimator): Finds keypoints in boxes.
        det_every (int, optional): The detector sees every so many frames; in those
            between, people are looked for where they were. By default as the
            detector's ``interval`` and the film's rate say, see :meth:`every`.
        batch_size (int): Frames at once. Defaults to 8.

    Raises:
        ValueError: If a number is below 1.
    """

    detector: Detector
    estimator: PoseEstimator
    det_every: int | None = None
    batch_size: int = 8

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ('det_every', 'batch_size'):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f'{name} must be at least 1, got {number}')

    def every(self, fps: float | None = None, num_frames: int | None = None) -> int:
        """How many frames there are from one that the detector sees to the next.

        Args:
            fps (float, optional): Frames per second of a film that can wait; streams
                cannot, and rest as long as people can be followed.
            num_frames (int, optional): Of the film, if that is known: of brief ones
                every frame is seen.
        """
        if self.det_every is not None:
            return self.det_every
        interval = getattr(self.detector, 'interval', 0)
        if not interval or (num_frames or _BRIEF) < _BRIEF:
            return 1
        frames = _MOST_FOLLOWED if fps is None else round(interval * fps)
        return min(max(frames, 1), _MOST_FOLLOWED)

    @property
    def facts(self) -> dict:
        """What its results depend on, besides the input."""
        return {
            'detector': self.detector.identity,
            'estimator': self.estimator.identity,
            'det_every': self.det_every,
            'rules': _RULES,
        }

    def __call__(
        self,
        source: FrameSource,
        cache: Path | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> FoundPeople:
        """Find the people of a clip, or what of them was not found before.

        Args:
            source (FrameSource): The clip.
            cache (Path, optional): Where results are kept, every few seconds as well.
            progress (Callable): Told the number of frames done.

        Returns:
            FoundPeople: Of every frame that could be read.

        Raises:
            ValueError: If not a single frame can be read.
        """
        num_keypoints = get_skeleton(self.estimator.skeleton).num_keypoints
        found = (cache and load_found(cache, num_keypoints)) or FoundPeople()
        progress(len(found.people))
        if found.complete:
            source.ended = found.ended or None
            return found
        keeper = Keeper(found, cache)
        try:
            self._look(source, found, cache, progress, keeper)
            found.complete, found.ended = True, source.ended or ''
        finally:
            # after Ctrl-C and errors as well
            keeper.keep()
        if not found.people:
            raise ValueError(source.ended or f'{source.path} has no frames')
        return found

    def _look(
        self,
        source: FrameSource,
        found: FoundPeople,
        cache: Path | None,
        progress: Callable[[int], None],
        keeper: Keeper,
    ) -> None:
        """Go through all frames that were not looked at before an interruption."""
        every = self.every(source.fps, source.num_frames)
        known = load_boxes(cache) if cache and every == 1 else []
        shots, batch = CutDetector(), []
        found.cuts = shots.cuts
        for frame in shots(source):
            if frame.index < len(found.people):
                continue
            found.size = frame.image.shape[1::-1]
            batch.append(frame)
            if len(batch) < self.batch_size:
                continue
            self._add(batch, found, known, every)
            batch = []
            progress(len(found.people))
            keeper.keep_if_due()
        self._add(batch, found, known, every)
        progress(len(found.people))

    def _add(
        self, frames: list[Frame], found: FoundPeople, known: list, every: int
    ) -> None:
        """Find the people of consecutive frames, in boxes if these are known."""
        if not frames:
            return
        if frames[-1].index < len(known):
            boxes = known[frames[0].index : frames[-1].index + 1]
            found.people += self._in_boxes([frame.image for frame in frames], boxes)
        else:
            before = found.people[-1] if found.people else None
            found.people += self.look(frames, before, every, found.cuts)
        found.times += [frame.time for frame in frames]

    def look(
        self,
        frames: list[Frame],
        before: People | None,
        every: int,
        cuts: Sequence[int] = (),
    ) -> list[People]:
        """Find the people of consecutive frames.

        Args:
            frames (list[Frame]): They go through the models together, if the detector
                sees each of them.
            before (People, optional): Of the frame before the first.
            every (int): See :meth:`every`.
            cuts (Sequence[int]): Frames with which a shot begins: nobody is followed
                into them.

        Returns:
            list[People]: Of each frame.
        """
        if every == 1 and not hasattr(self.detector, 'again'):
            return self.find([frame.image for frame in frames])
        found = []
        for frame in frames:
            followed = None if frame.index in cuts else before
            before = self.follow(frame, followed, every)
            found.append(before)
        return found

    def follow(self, frame: Frame, before: People | None, every: int) -> People:
        """Find the people of a frame by itself.

        Args:
            frame (Frame): Its index says whether the detector's turn has come.
            before (People, optional): Of the frame before.
            every (int): See :meth:`every`.

        Returns:
            People: As :meth:`__call__` finds them.
        """
        if before is None:
            return self.find([frame.image])[0]
        sure = _sure(before)
        around = followed_boxes(sure, frame.image.shape[1::-1])
        boxes = _sensible(around, sure.bbox_scores)
        looks = frame.index % every == 0
        if looks:
            again = getattr(self.detector, 'again', None)
            if again is None:
                return self.find([frame.image])[0]
            boxes = again(frame.image, boxes[0])
        people = self._in_boxes([frame.image], [boxes])[0]
        # of whom the detector did not look for, those who cannot be seen have left
        return people if looks else _sure(people)

    def find(self, images: list[np.ndarray]) -> list[People]:
        """People of BGR images (H, W, 3), none of whom is known from before."""
        return self._in_boxes(images, self.detector(images)) if images else []

    def _in_boxes(
        self, images: list[np.ndarray], boxes: list[tuple[np.ndarray, np.ndarray]]
    ) -> list[People]:
        good = [_sensible(*each) for each in boxes]
        poses = self.estimator(images, [own for own, _ in good])
        return [
            People(own, scores, *_told(*pose))
            for (own, scores), pose in zip(good, poses, strict=True)
        ]


def _sure(people: People) -> People:
    """Those who can be followed."""
    return people.take(people.scores.mean(1) >= _LEAST_SCORE)


def followed_boxes(people: People, size: tuple[int, int]) -> np.ndarray:
    """Boxes (P, 4) in which people are looked for in the next frame.

    Of whom no keypoint is anywhere, the box is the one that they had.

    Args:
        people (People): Of one frame.
        size (tuple[int, int]): Width and height of the picture, which boxes end at.
    """
    boxes = boxes_around(people.keypoints, people.scores, _ROOM, size)
    return np.where(np.isfinite(boxes), boxes, people.bboxes).astype(np.float32)


def _told(keypoints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (P, K, 2) as they are; without a place, their scores (P, K) are 0."""
    real = np.isfinite(keypoints).all(-1) & np.isfinite(scores)
    return keypoints, np.where(real, scores, np.float32(0))


def _sensible(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out boxes without an extent or with values that are no numbers."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    scores = np.asarray(scores, np.float32).reshape(-1)
    with np.errstate(invalid='ignore'):
        extent = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf)
    good = np.isfinite(boxes).all(1) & np.isfinite(scores) & (extent > 1)
    return boxes[good], scores[good]
