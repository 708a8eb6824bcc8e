"""2D poses of all people in the frames of a video: detection, then pose estimation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from mmhot.chain.frames.capture import prefetch
from mmhot.chain.frames.shot_boundaries import CutDetector
from mmhot.chain.frames.sources import Frame, FrameObserver, FrameSource
from mmhot.chain.pose2d.cache import load_people, save_if_possible, save_people
from mmhot.chain.pose2d.chunks import ChunkTracker, KeyframeSettings
from mmhot.chain.pose2d.filling import Gaps, fill_chunk
from mmhot.chain.pose2d.footage import ClipPeople
from mmhot.chain.pose2d.interfaces import Detector, Images, PoseEstimator, Prior
from mmhot.chain.pose2d.pose_search import PoseSearch
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.people import Boxes, People, round_boxes
from mmhot.version import digest_of_code

# Replacement for the invalid box of a person, x1, y1, x2, y2; the results are dropped.
_ANY_BOX = np.array([0, 0, 8, 8], np.float32)
# Packages with code that decides the results; a change makes the cache invalid.
_ROOMS = (
    *('skeletons', 'geometry', 'structures', 'io', 'deploy'),
    *('chain/frames', 'chain/pose2d', 'chain/tracking'),
)


@dataclass(frozen=True)
class DetectionSettings:
    """Intervals between detections, and limits of the frames kept between them."""

    # Frames from one detection to the next in videos, at most.
    max_interval: int = 30
    # Frames from one detection to the next in streams. It is shorter, as new people
    # cannot be searched backwards there.
    stream_interval: int = 12
    # Frames; in videos that are shorter, people are detected in every frame.
    short_video: int = 15
    # Frames of a chunk that ends early, as at a cut. In shorter ones, people are not
    # detected at the end. 0 to 1 of it find the same people in seven videos of 26
    # frames; as long as them, it loses 7 %.
    min_rest: int = 5
    max_bytes: float = 200e6  # bytes; a chunk ends where its frames take more memory
    # Frames that are read ahead, and take memory, if a CPU estimates; for a GPU it is a
    # chunk.
    cpu_read_ahead: int = 4


_SETTINGS = DetectionSettings()


@dataclass
class VideoPoseEstimator:
    """Estimate the 2D poses of all people in videos.

    Attributes:
        detector (Detector): Person detector.
        estimator (PoseEstimator): 2D pose estimator.
        det_every (int, optional): Frames from one detection to the next. In the frames
            between them, people are tracked by their keypoints. By default, see
            :meth:`detection_interval`.
        batch_size (int): Frames per batch if every frame is detected.
        gaps (Gaps): Gaps between keyframes that are interpolated.
        det_factor (float): Factor of the detector's usual interval.
        filter_boxes (Callable): Selects some of the valid boxes (P, 4) and scores (P,)
            in an image; all by default. It is not part of :attr:`identity`, which names
            caches.
    """

    detector: Detector
    estimator: PoseEstimator
    det_every: int | None = None
    batch_size: int = 8
    gaps: Gaps = Gaps()
    det_factor: float = 1.0
    filter_boxes: Callable[[Boxes], Boxes] = lambda boxes: boxes

    def __post_init__(self) -> None:
        """Check the size of batches; estimate all frames where that is as fast."""
        if self.batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {self.batch_size}')
        if self.estimator.prefers_batches:
            self.gaps = replace(self.gaps, tolerance=0)

    def detection_interval(
        self, fps: float | None = None, num_frames: int | None = None
    ) -> int:
        """Return the number of frames from one detection to the next.

        Args:
            fps (float, optional): Frames per second of a video; None for a stream.
            num_frames (int, optional): Length of the video, if known. In each frame of
                a short video, people are detected.
        """
        if self.det_every is not None:
            return self.det_every
        is_short = num_frames and num_frames < _SETTINGS.short_video
        if not self.detector.interval or is_short:
            return 1
        if fps is None:
            return _SETTINGS.stream_interval
        frames = round(self.detector.interval * fps)
        frames = min(max(frames, 1), _SETTINGS.max_interval)
        return round(self.det_factor * frames)

    @property
    def _num_keypoints(self) -> int:
        """Number of keypoints ``K`` of the 2D model."""
        return get_skeleton(self.estimator.skeleton).num_keypoints

    @property
    def identity(self) -> dict:
        """Return plain values on which results depend, apart from the input."""
        return {
            'detector': self.detector.identity,
            'estimator': self.estimator.identity,
            'det_every': self.det_every,
            'det_factor': self.det_factor,
            'gaps': list(astuple(self.gaps)),
            'code': digest_of_code(*_ROOMS),
        }

    def __call__(
        self,
        source: FrameSource,
        cache: Path | None = None,
        progress: Callable[[int], None] = lambda done: None,
        observers: Sequence[FrameObserver] = (),
    ) -> ClipPeople:
        """Estimate the poses of a clip, or of its frames that are not cached.

        Args:
            source (FrameSource): The clip.
            cache (Path, optional): Cache file, which is written at the end, also after
                Ctrl-C and errors.
            progress (Callable): Called with the number of frames done.
            observers (Sequence[FrameObserver]): Observers of all frames, also of cached
                ones.

        Returns:
            ClipPeople: People of all frames, from the cache or estimated.

        Raises:
            ValueError: If the clip has no frames.
        """
        skeleton = self.estimator.skeleton
        clip = cache and load_people(cache, skeleton)
        clip = clip or ClipPeople(skeleton=skeleton)
        progress(len(clip.people) - clip.first)
        missing = [x for x in observers if x.name not in clip.observed]
        if clip.complete and not any(observer.is_kept for observer in missing):
            return clip
        try:
            self._process(source, clip, progress, missing)
            clip.complete = True
            clip.ended = source.ended or ''
            if clip.people:
                clip.observed |= {x.name: x.arrays() for x in missing if x.is_kept}
        finally:
            if clip.people and clip.times:
                save_if_possible(save_people, clip, cache)
        if not clip.people:
            raise ValueError(source.ended or f'{source.path} has no frames')
        return clip

    def _process(
        self,
        source: FrameSource,
        clip: ClipPeople,
        progress: Callable[[int], None],
        observers: Sequence[FrameObserver],
    ) -> None:
        """Process all frames that an interrupted run has not processed.

        Observers see all frames. They see a batch while the next one is estimated.
        """
        interval = self.detection_interval(source.fps, source.num_frames)
        shots = CutDetector()
        num_cached = len(clip.people)
        if not clip.complete:
            clip.cuts = shots.cuts  # this list grows while frames are read
        chunk = interval if self.estimator.prefers_batches else 0
        ahead = max(chunk, _SETTINGS.cpu_read_ahead)
        reading = closing(prefetch(shots(source), ahead))
        with ThreadPoolExecutor(1) as pool, reading as frames:
            shown = pool.submit(show_frames, [], clip, observers)  # nothing yet
            for batch in self._batches(frames, clip, interval):
                if not clip.people:
                    clip.times = [*batch[0].skipped]
                    clip.first = len(clip.times)
                    clip.people = [People.none(self._num_keypoints)] * clip.first
                if batch[0].index >= num_cached:
                    clip.size = batch[0].image.shape[1::-1]
                    clip.people += self._estimate_batch(batch, clip, interval)
                    clip.times += [frame.time for frame in batch]
                    progress(len(clip.people) - clip.first)
                shown.result()  # waits for the batch before; raises its errors
                shown = pool.submit(show_frames, batch, clip, observers)
            shown.result()

    def _batches(
        self, frames: Iterable[Frame], clip: ClipPeople, interval: int
    ) -> Iterator[list[Frame]]:
        """Split frames into batches of one shot; each cached frame is a batch."""
        batch: list[Frame] = []
        num_cached = len(clip.people)
        for frame in frames:
            is_next = frame.index in clip.cuts or frame.index <= num_cached
            if batch and (is_next or self._is_full(batch, interval)):
                yield batch
                batch = []
            batch.append(frame)
        if batch:
            yield batch

    def _is_full(self, batch: list[Frame], interval: int) -> bool:
        """Return whether a batch is complete.

        With an interval, it ends with a frame in which people are detected.
        """
        if len(batch) * batch[0].image.nbytes > _SETTINGS.max_bytes:
            return True
        if interval > 1:
            return batch[-1].index % interval == 0
        return self.detector.redetects or len(batch) >= self.batch_size

    def _estimate_batch(
        self, frames: list[Frame], clip: ClipPeople, interval: int
    ) -> list[People]:
        """Estimate the poses in the next frames of a clip, a batch of one shot."""
        first = frames[0].index
        shot = max((cut for cut in clip.cuts if cut <= first), default=clip.first)
        if interval == 1 and not self.detector.redetects:
            return self.detect([frame.image for frame in frames])
        before = [first - 1]
        if interval > 1:
            before.insert(0, first - KeyframeSettings.history)
        previous = [clip.people[index] for index in before if index >= shot]
        return self.track(frames, previous, interval)

    def track(
        self, frames: list[Frame], previous: list[People], interval: int
    ) -> list[People]:
        """Estimate the poses in frames of one shot, in which people are tracked.

        Args:
            frames (list[Frame]): The frames.
            previous (list[People]): People of an earlier frame, if any, and of the
                frame just before, as in ``ChunkTracker``; empty at the beginning of a
                shot.
            interval (int): Frames from one detection to the next.

        Returns:
            list[People]: People of each frame.
        """
        if not frames:
            return []
        if not previous:
            image = frames[0].image
            boxes = self._redetect(image, People.none(self._num_keypoints))
            first = self._estimate([image], np.zeros(len(boxes[0]), int), boxes)
            return [first, *self.track(frames[1:], [first], interval)]
        images = [frame.image for frame in frames]
        times = [frame.time for frame in frames]
        search = PoseSearch(partial(self._estimate, images), images[0].shape[1::-1])
        tracker = ChunkTracker(
            len(frames),
            previous,
            search,
            lambda place, tracked: self._redetect(images[place], tracked),
        )
        is_long = len(frames) >= _SETTINGS.min_rest
        is_end = is_long or frames[-1].index % interval == 0
        keyframes = tracker.track(self.gaps.max_step(times), is_end)
        return fill_chunk(times, keyframes, search, self.gaps)

    def _redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect all people in an image (H, W, 3), given the people tracked in it."""
        boxes = self.detector.redetect(image, tracked)
        return self.filter_boxes(_valid_boxes(boxes))

    def detect(self, images: Images, video: bool = True) -> list[People]:
        """Detect people in all images, and estimate their poses.

        Args:
            images (Images): BGR images, uint8 (H, W, 3).
            video (bool): Whether they are frames of a video, where flip test and most
                quarter turns are left out.

        Returns:
            list[People]: People of each image, in pixels.
        """
        found = self.detector(images)
        boxes = [self.filter_boxes(_valid_boxes(boxes)) for boxes in found]
        places = np.repeat(np.arange(len(images)), [len(x) for x, _ in boxes])
        corners, scores = map(np.concatenate, zip(*boxes, strict=True))
        people = self._estimate(images, places, (corners, scores), video=video)
        return [people.take(places == place) for place in range(len(images))]

    def _estimate(
        self,
        images: Images,
        places: np.ndarray,
        boxes: Boxes,
        prior: Prior | None = None,
        video: bool = True,
    ) -> People:
        """Estimate people in boxes; in invalid boxes, keypoints are NaN and scores 0.

        Args:
            images (Images): BGR images (H, W, 3).
            places (np.ndarray): Index of each box's image, (P,).
            boxes (Boxes): Boxes (P, 4), xyxy pixels, and their scores (P,).
            prior (Prior, optional): Results of the same people in other frames.
            video (bool): Whether to save time as in videos: no flip test, and quarter
                turns only for people with a confidence that has fallen.
        """
        corners, box_scores = boxes
        if not len(corners):
            return People.none(self._num_keypoints)
        valid = _are_valid(corners)[:, None]
        crops = np.where(valid, corners, _ANY_BOX)
        if video:
            crops = round_boxes(crops)
        occupied = np.unique(places)  # indices of the images with people
        rows = [np.flatnonzero(places == place) for place in occupied]
        inputs = [images[place] for place in occupied], [crops[x] for x in rows]
        if video:
            prior = prior or Prior.unknown(len(crops))
            priors = [prior.take(x) for x in rows]
            poses = self.estimator.estimate_video(*inputs, priors)
        else:
            poses = self.estimator(*inputs)
        # Poses are in the order of the images, and are returned in that of the boxes.
        order = np.argsort(np.concatenate(rows))
        points, scores = (
            np.concatenate(values)[order].astype(np.float32)
            for values in zip(*poses, strict=True)
        )
        finite = np.isfinite(points).all(-1) & np.isfinite(scores) & valid
        points = np.where(finite[..., None], points, np.float32(np.nan))
        return People(corners, box_scores, points, np.where(finite, scores, 0))


def show_again(
    source: FrameSource,
    clip: ClipPeople,
    cache: Path | None,
    observer: FrameObserver,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, np.ndarray]:
    """Run a single observer over a video, unless its arrays are cached.

    Args:
        source (FrameSource): The video.
        clip (ClipPeople): Its people; the arrays are added to it.
        cache (Path, optional): File in which the clip is cached.
        observer (FrameObserver): The observer.
        progress (Callable): Called with the number of frames done.

    Returns:
        dict[str, np.ndarray]: Arrays of the observer, (T, ...), by name.
    """
    if observer.name not in clip.observed:
        with closing(prefetch(source)) as frames:
            count = len(clip.people) - clip.first
            for done, frame in enumerate(islice(frames, count), 1):
                show_frames([frame], clip, [observer])
                progress(done)
        clip.observed[observer.name] = observer.arrays()
        save_if_possible(save_people, clip, cache)
    return clip.observed[observer.name]


def show_frames(
    frames: Iterable[Frame], clip: ClipPeople, observers: Sequence[FrameObserver]
) -> None:
    """Pass frames, and their people in the clip, on to observers."""
    for frame in frames:
        people = clip.people[frame.index]
        is_cut = frame.index in (clip.first, *clip.cuts)
        for observer in observers:
            observer.observe(frame.index, frame.image, people, is_cut)


def _valid_boxes(boxes: Boxes) -> Boxes:
    """Select the boxes of a detector that are finite and larger than a pixel."""
    corners = np.asarray(boxes[0], np.float32).reshape(-1, 4)
    scores = np.asarray(boxes[1], np.float32).reshape(-1)
    valid = _are_valid(corners) & np.isfinite(scores)
    return corners[valid], scores[valid]


def _are_valid(boxes: np.ndarray) -> np.ndarray:
    """Mark boxes (P, 4) that are finite and larger than a pixel."""
    with np.errstate(invalid='ignore'):
        extent = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf)
    return np.isfinite(boxes).all(1) & (extent > 1)
