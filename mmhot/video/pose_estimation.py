"""2D poses of all people in the frames of a video: detection, then pose estimation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmhot.skeletons.joints import get_skeleton
from mmhot.video.cache import CacheWriter, ClipPeople, load_boxes, load_people
from mmhot.video.frames import Frame, FrameSource
from mmhot.video.people import Boxes, Detector, People, PoseEstimator, boxes_around
from mmhot.video.shot_boundaries import CutDetector

# Frames without detection in which people are searched around their last keypoints;
# with more, boxes that are made of each other drift.
_MAX_INTERVAL = 5
_PADDING = 0.15
# In shorter videos every frame is detected.
_SHORT_VIDEO = 3 * _MAX_INTERVAL
# People with a lower mean confidence are not searched in the next frame.
_MIN_CONFIDENCE = 0.2
# Pixels of a batch after which no frame is added: 0.8 GB of images.
_MAX_BATCH_PIXELS = 1 << 28
# Part of the identity: raise it when results change.
_RULES = 3


@dataclass
class VideoPoseEstimator:
    """Estimate the 2D poses of all people in videos.

    Args:
        detector (Detector): Person detector.
        estimator (PoseEstimator): 2D pose estimator.
        det_every (int, optional): Frames from one detection to the next; in those
            between, people are searched around their last keypoints. By default, see
            :meth:`detection_interval`.
        batch_size (int): Frames per batch. Defaults to 8.

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

    def detection_interval(
        self, fps: float | None = None, num_frames: int | None = None
    ) -> int:
        """Return the number of frames from one detection to the next.

        Args:
            fps (float, optional): Frames per second; None of a stream, whose detector
                rests as long as possible.
            num_frames (int, optional): Length, if known: in short videos every frame is
                detected.
        """
        if self.det_every is not None:
            return self.det_every
        interval = self.detector.interval
        if not interval or (num_frames or _SHORT_VIDEO) < _SHORT_VIDEO:
            return 1
        frames = _MAX_INTERVAL if fps is None else round(interval * fps)
        return min(max(frames, 1), _MAX_INTERVAL)

    @property
    def identity(self) -> dict:
        """Return plain values on which results depend, besides the input."""
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
    ) -> ClipPeople:
        """Estimate the poses of a clip, or of its frames that are not cached.

        Args:
            source (FrameSource): The clip.
            cache (Path, optional): Cache file, which is updated every few seconds.
            progress (Callable): Called with the number of frames done.

        Raises:
            ValueError: If no frame can be read.
        """
        num_keypoints = get_skeleton(self.estimator.skeleton).num_keypoints
        clip = (cache and load_people(cache, num_keypoints)) or ClipPeople()
        progress(len(clip.people))
        if clip.complete:
            source.ended = clip.ended or None
            return clip
        writer = CacheWriter(clip, cache)
        try:
            self._process(source, clip, cache, progress, writer)
            clip.complete, clip.ended = True, source.ended or ''
        finally:
            # after Ctrl-C and errors as well
            writer.write()
        if not clip.people:
            raise ValueError(source.ended or f'{source.path} has no frames')
        return clip

    def _process(
        self,
        source: FrameSource,
        clip: ClipPeople,
        cache: Path | None,
        progress: Callable[[int], None],
        writer: CacheWriter,
    ) -> None:
        """Process all frames after those of an interrupted run."""
        interval = self.detection_interval(source.fps, source.num_frames)
        boxes = load_boxes(cache) if cache and interval == 1 else []
        shots, batch = CutDetector(), []
        clip.cuts = shots.cuts
        for frame in shots(source):
            if frame.index < len(clip.people):
                continue
            clip.size = frame.image.shape[1::-1]
            batch.append(frame)
            pixels = len(batch) * clip.size[0] * clip.size[1]
            if len(batch) < self.batch_size and pixels < _MAX_BATCH_PIXELS:
                continue
            self._append(batch, clip, boxes, interval)
            batch = []
            progress(len(clip.people))
            writer.write_if_due()
        self._append(batch, clip, boxes, interval)
        progress(len(clip.people))

    def _append(
        self, frames: list[Frame], clip: ClipPeople, boxes: list[Boxes], interval: int
    ) -> None:
        """Append consecutive frames to a clip, with cached boxes if there are any."""
        if not frames:
            return
        if frames[-1].index < len(boxes):
            own = boxes[frames[0].index : frames[-1].index + 1]
            clip.people += self._estimate([frame.image for frame in frames], own)
        else:
            previous = clip.people[-1] if clip.people else None
            clip.people += self.estimate_frames(frames, previous, interval, clip.cuts)
        clip.times += [frame.time for frame in frames]

    def estimate_frames(
        self,
        frames: list[Frame],
        previous: People | None,
        interval: int,
        cuts: Sequence[int] = (),
    ) -> list[People]:
        """Estimate the poses in consecutive frames, as one batch if possible.

        Args:
            frames (list[Frame]): The frames.
            previous (People, optional): People of the frame before the first.
            interval (int): See :meth:`detection_interval`.
            cuts (Sequence[int]): Frames with which shots begin; no search across these.
        """
        if interval == 1 and not self.detector.redetects:
            return self.estimate_images([frame.image for frame in frames])
        people = []
        for frame in frames:
            if frame.index in cuts:
                previous = None
            previous = self.estimate_frame(frame, previous, interval)
            people.append(previous)
        return people

    def estimate_frame(
        self, frame: Frame, previous: People | None, interval: int
    ) -> People:
        """Estimate the poses in one frame.

        Args:
            frame (Frame): Detected if its index is a multiple of the interval.
            previous (People, optional): People of the frame before.
            interval (int): See :meth:`detection_interval`.
        """
        if previous is None:
            return self.estimate_images([frame.image])[0]
        previous = _drop_uncertain(previous)
        boxes = _valid_boxes(
            search_boxes(previous, frame.image.shape[1::-1]), previous.bbox_scores
        )
        if frame.index % interval:
            return _drop_uncertain(self._estimate([frame.image], [boxes])[0])
        boxes = self.detector.redetect(frame.image, boxes[0])
        return self._estimate([frame.image], [boxes])[0]

    def estimate_images(self, images: list[np.ndarray]) -> list[People]:
        """Estimate the poses in independent BGR images (H, W, 3)."""
        return self._estimate(images, self.detector(images)) if images else []

    def _estimate(self, images: list[np.ndarray], boxes: list[Boxes]) -> list[People]:
        valid = [_valid_boxes(*own) for own in boxes]
        poses = self.estimator(images, [own for own, _ in valid])
        people = []
        for (own, box_scores), (points, scores) in zip(valid, poses, strict=True):
            finite = np.isfinite(points).all(-1) & np.isfinite(scores)
            scores = np.where(finite, scores, np.float32(0))
            points = np.where(finite[..., None], points, np.float32(np.nan))
            people.append(People(own, box_scores, points, scores))
        return people


def search_boxes(people: People, size: tuple[int, int]) -> np.ndarray:
    """Compute boxes (P, 4) to search people in the next frame, of a size (w, h).

    Without any keypoint, the box of the person is kept.
    """
    boxes = boxes_around(people.keypoints, people.scores, _PADDING, size)
    return np.where(np.isfinite(boxes), boxes, people.bboxes).astype(np.float32)


def _drop_uncertain(people: People) -> People:
    return people.take(people.scores.mean(1) >= _MIN_CONFIDENCE)


def _valid_boxes(boxes: np.ndarray, scores: np.ndarray) -> Boxes:
    """Drop boxes that are not finite or smaller than a pixel."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    scores = np.asarray(scores, np.float32).reshape(-1)
    with np.errstate(invalid='ignore'):
        extent = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf)
    valid = np.isfinite(boxes).all(1) & np.isfinite(scores) & (extent > 1)
    return boxes[valid], scores[valid]
