"""Predictors of the inferencer: 2D and 3D poses of images and videos."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mmhot.apis.inferencer_inputs import CallOptions, Image, ImageVideo, Webcam
from mmhot.apis.inferencer_outputs import (
    Instances,
    describe_2d,
    describe_3d,
    turn_clip,
)
from mmhot.apis.lifting import warn_of_damage
from mmhot.apis.progress import ShowStage
from mmhot.structures.clips import Clip3D, Track2D
from mmhot.video.cache import ClipPeople
from mmhot.video.frames import FrameSource
from mmhot.video.people import People
from mmhot.video.pipeline import VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.shot_boundaries import CutDetector
from mmhot.video.tracking import Tracker
from mmhot.visualization.clip_renderer import ClipRenderer

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class FrameResult:
    """Prediction for one image or frame.

    Attributes:
        index (int): Frame number; 0 of an image.
        size (tuple[int, int]): Width and height in pixels.
        image (np.ndarray | None): BGR, uint8 (H, W, 3), if it was read.
        people (People): People in 2D, P of them.
        ids (np.ndarray | None): Their track IDs (P,), if tracked.
        instances (list[dict]): Predictions as plain values.
        lifted (bool): Whether they are 3D.
        scene (ClipRenderer | None): 3D poses to draw.
    """

    index: int
    size: tuple[int, int]
    image: np.ndarray | None
    people: People
    ids: np.ndarray | None
    instances: Instances
    lifted: bool = False
    scene: ClipRenderer | None = None


class Predictor2D:
    """Predicts 2D poses; videos as a stream."""

    def __init__(self, models: VideoPoseEstimator) -> None:
        self._models = models

    def predict_images(self, images: Sequence[Image]) -> Iterator[FrameResult]:
        """Predict the poses in images, as one batch."""
        pixels = [image.read() for image in images]
        for image, people in zip(
            pixels, self._models.estimate_images(pixels), strict=True
        ):
            instances = describe_2d(people, None)
            yield FrameResult(0, image.shape[1::-1], image, people, None, instances)

    def predict_video(
        self, video: FrameSource, progress: ShowStage
    ) -> Iterator[FrameResult]:
        """Predict and track the poses in a video, frame by frame."""
        tracker, cut_detector = Tracker(video.fps), CutDetector()
        # a webcam shows one shot, and does not wait
        is_stream = isinstance(video, Webcam)
        frames = iter(video) if is_stream else cut_detector(video)
        interval = self._models.detection_interval(None if is_stream else video.fps)
        num_read, previous = 0, None
        while batch := list(islice(frames, self._models.batch_size)):
            found = self._models.estimate_frames(
                batch, previous, interval, cut_detector.cuts
            )
            previous = found[-1]
            for frame, people in zip(batch, found, strict=True):
                if frame.index in cut_detector.cuts:
                    tracker.reset()
                ids = tracker.update(people, frame.index, tentative=True)
                people, ids = people.take(ids >= 0), ids[ids >= 0]
                num_read = frame.index + 1
                progress('2D', num_read, video.num_frames or 0)
                instances = describe_2d(people, ids)
                size = frame.image.shape[1::-1]
                yield FrameResult(
                    frame.index, size, frame.image, people, ids, instances
                )
        if not num_read:
            raise ValueError(video.ended or f'{video.path} has no frames')
        warn_of_damage(video)


class Predictor3D:
    """Predicts 3D poses of images, and of videos after reading them completely."""

    def __init__(self, pipeline: VideoLifter, options: CallOptions) -> None:
        self._pipeline, self._options = pipeline, options

    def predict_images(self, images: Sequence[Image]) -> Iterator[FrameResult]:
        """Predict the poses in images, each for itself."""
        pixels = [image.read() for image in images]
        found = self._pipeline.pose_estimator.estimate_images(pixels)
        for image, array, people in zip(images, pixels, found, strict=True):
            size = array.shape[1::-1]
            ids = np.arange(len(people))
            # the frame rate of a single frame does not matter
            clip, scene = self._lift(
                ImageVideo([image], 25.0),
                ClipPeople([people], [0.0], size),
                _one_frame_tracks(people),
            )
            instances = self._describe(clip, 0, people, ids)
            for instance in instances:
                del instance['track_id']
            yield FrameResult(0, size, array, people, None, instances, True, scene)

    def predict_video(
        self, video: FrameSource, progress: ShowStage
    ) -> Iterator[FrameResult]:
        """Predict the poses in a video; for drawings it is read once more.

        Raises:
            ValueError: If it is a webcam, or no frame can be read.
        """
        if isinstance(video, Webcam):
            raise ValueError(
                f'{video.path} is a webcam, which has no end: lift it with '
                'mmhot infer --live, or mmhot.video.live.LiveLifter'
            )
        total = video.num_frames or 0
        found = self._pipeline.estimate_poses(
            video, lambda done: progress('2D', done, total)
        )
        warn_of_damage(video)
        tracks = self._pipeline.track(video, found)
        clip, scene = self._lift(video, found, tracks, progress)
        by_frame = _people_by_frame(tracks)
        no_people = found.people[0].take(np.zeros(0, int)), np.zeros(0, int)
        frames = iter(video) if self._options.draws else iter(())
        for index in range(len(found.people)):
            frame = next(frames, None)
            people, ids = by_frame.get(index, no_people)
            instances = self._describe(clip, index, people, ids)
            image = None if frame is None else frame.image
            progress('frames', index + 1, len(found.people))
            yield FrameResult(
                index, found.size, image, people, ids, instances, True, scene
            )

    def _lift(
        self,
        source: FrameSource,
        found: ClipPeople,
        tracks: list[Track2D],
        progress: ShowStage = lambda stage, done, total: None,
    ) -> tuple[Clip3D | None, ClipRenderer | None]:
        """Lift tracks; returns the clip in the chosen axes, and what to draw of it."""
        if not tracks:
            return None, None
        try:
            clip = self._pipeline.assemble(source, found, tracks)
            lifted = self._pipeline.lift(clip, lambda *done: progress('3D', *done))
        except ValueError as error:
            # an image without confident keypoints must not stop the others
            _LOGGER.warning('%s: no person is lifted: %s', source.name, error)
            return None, None
        scene, shown = None, lifted
        if self._options.num_instances >= 0:
            tracks = np.unique(lifted.track)[: self._options.num_instances]
            shown = lifted.take(np.isin(lifted.track, tracks))
        if self._options.draws and len(shown):
            scene = ClipRenderer(shown)
        return turn_clip(lifted, self._options), scene

    def _describe(
        self, clip: Clip3D | None, frame: int, people: People, ids: np.ndarray
    ) -> Instances:
        if clip is None:
            return []
        rows = slice(*np.searchsorted(clip.frame, [frame, frame + 1]))
        boxes = dict(zip(ids.tolist(), people.bboxes.tolist(), strict=True))
        return describe_3d(clip.take(rows), boxes)


def _people_by_frame(tracks: list[Track2D]) -> dict[int, tuple[People, np.ndarray]]:
    """Group tracks by frame: people, without scores of boxes, and their track IDs."""
    rows: dict[int, list[tuple[Track2D, int]]] = {}
    for track in tracks:
        for row, frame in enumerate(track.frames.tolist()):
            rows.setdefault(frame, []).append((track, row))
    return {
        frame: (
            People(
                np.stack([track.bboxes[row] for track, row in own]),
                np.full(len(own), np.nan, np.float32),
                np.stack([track.keypoints[row] for track, row in own]),
                np.stack([track.scores[row] for track, row in own]),
            ),
            np.array([track.track for track, _ in own]),
        )
        for frame, own in rows.items()
    }


def _one_frame_tracks(people: People) -> list[Track2D]:
    """Make a track of one frame for each person."""
    frames = np.zeros(1, np.int64)
    tracks = []
    for row in range(len(people)):
        own = people.take(slice(row, row + 1))
        tracks.append(Track2D(row, frames, own.keypoints, own.scores, own.bboxes))
    return tracks
