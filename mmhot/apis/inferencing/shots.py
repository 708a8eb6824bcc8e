"""From inputs to the people of every picture: one by one, or film by film."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from mmhot.apis.inferencing.inputs import Picture, PictureFilm, Webcam
from mmhot.apis.inferencing.options import CallOptions
from mmhot.apis.inferencing.predictions import Poses, describe_people
from mmhot.clips import Clip3D, Track2D
from mmhot.video.cache import ClipPeople
from mmhot.video.frames import FrameSource
from mmhot.video.people import People
from mmhot.video.pipeline import VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.shot_boundaries import CutDetector
from mmhot.video.tracking import Tracker, track_clip

_LOGGER = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Shot:
    """A picture, or a frame of a film, and who is in it.

    Attributes:
        index (int): Number of the frame; 0 of a picture.
        size (tuple[int, int]): Width and height in pixels.
        image (np.ndarray | None): BGR, uint8 (H, W, 3), if it was read.
        people (People): Who was found, P of them.
        ids (np.ndarray | None): Their numbers (P,), if they were tracked.
        instances (list[dict]): What is predicted of them.
        poses (Poses | None): In 3D: the clip that this is of.
    """

    index: int
    size: tuple[int, int]
    image: np.ndarray | None
    people: People
    ids: np.ndarray | None
    instances: list[dict[str, Any]]
    poses: Poses | None = None


class Finder2D:
    """Finds people in 2D; films as a stream, whose first results come at once.

    Args:
        finder (VideoPoseEstimator): Detector and 2D model.
    """

    def __init__(self, finder: VideoPoseEstimator) -> None:
        self._finder = finder

    def of_pictures(self, pictures: list[Picture]) -> Iterator[Shot]:
        """Find the people of pictures that go through the models together."""
        images = [picture.read() for picture in pictures]
        for image, people in zip(
            images, self._finder.estimate_images(images), strict=True
        ):
            instances = describe_people(people, None)
            yield Shot(0, image.shape[1::-1], image, people, None, instances)

    def of_film(self, film: FrameSource, progress: Progress) -> Iterator[Shot]:
        """Find and recognize the people of a film, frame by frame."""
        tracker, shots = Tracker(film.fps), CutDetector()
        # a webcam shows one shot, and does not wait
        is_stream = isinstance(film, Webcam)
        frames = iter(film) if is_stream else shots(film)
        every = self._finder.detection_interval(None if is_stream else film.fps)
        read, before = 0, None
        while batch := list(islice(frames, self._finder.batch_size)):
            found = self._finder.estimate_frames(batch, before, every, shots.cuts)
            before = found[-1]
            for frame, people in zip(batch, found, strict=True):
                if frame.index in shots.cuts:
                    tracker.reset()
                ids = tracker.update(people, frame.index, tentative=True)
                people, ids = people.take(ids >= 0), ids[ids >= 0]
                read = frame.index + 1
                progress('2D', read, film.num_frames or 0)
                instances = describe_people(people, ids)
                size = frame.image.shape[1::-1]
                yield Shot(frame.index, size, frame.image, people, ids, instances)
        _warn_of(film, read)


class Finder3D:
    """Lifts pictures, and films after all of their frames were looked at.

    Args:
        pipeline (VideoLifter): Finder and lifter.
        options (CallOptions): Axes and what is drawn.
    """

    def __init__(self, pipeline: VideoLifter, options: CallOptions) -> None:
        self._pipeline, self._options = pipeline, options

    def of_pictures(self, pictures: list[Picture]) -> Iterator[Shot]:
        """Lift the people of pictures, each picture for itself."""
        images = [picture.read() for picture in pictures]
        everybody = self._pipeline.pose_estimator.estimate_images(images)
        for picture, image, people in zip(pictures, images, everybody, strict=True):
            size, ids = image.shape[1::-1], np.arange(len(people))
            found = ClipPeople([people], [0.0], size)
            # the rate of a single frame does not matter
            lifted = self._lift(PictureFilm([picture], 25.0), found, _alone(people))
            poses = Poses(lifted, self._options, tracked=False)
            instances = poses.describe(0, people, ids)
            yield Shot(0, size, image, people, None, instances, poses)

    def of_film(self, film: FrameSource, progress: Progress) -> Iterator[Shot]:
        """Lift a film; where pictures are needed, it is read once more.

        Raises:
            ValueError: If it is a webcam, or no frame can be read.
        """
        if isinstance(film, Webcam):
            raise ValueError(
                f'{film.path} is a webcam, of which no whole clip can be lifted: use '
                'mmhot infer --live, or mmhot.video.live.LiveLifter'
            )
        total = film.num_frames or 0
        found = self._pipeline.estimate_poses(
            film, lambda done: progress('2D', done, total)
        )
        read = len(found.people)
        _warn_of(film, read)
        tracks = track_clip(found.people, film.fps, cuts=found.cuts)
        lifted = self._lift(
            *(film, found, tracks), lambda done, total: progress('3D', done, total)
        )
        poses = Poses(lifted, self._options)
        by_frame = _PeopleByFrame(tracks, found)
        frames = iter(film) if self._options.draws else iter(())
        for index in range(read):
            frame = next(frames, None)
            people, ids = by_frame.at(index)
            instances = poses.describe(index, people, ids)
            image = None if frame is None else frame.image
            progress('frames', index + 1, read)
            yield Shot(index, found.size, image, people, ids, instances, poses)

    def _lift(
        self,
        source: FrameSource,
        found: ClipPeople,
        tracks: list[Track2D],
        progress: Callable[[int, int], None] | None = None,
    ) -> Clip3D | None:
        """Lift tracked people; None if there is nobody of whom enough is seen."""
        if not tracks:
            return None
        try:
            clip = self._pipeline.assemble(source, found, tracks)
            return self._pipeline.lift(clip, progress)
        except ValueError as error:
            # one picture in which nobody is sure should not stop all the others
            _LOGGER.warning('%s: nobody is lifted: %s', source.name, error)
            return None


class _PeopleByFrame:
    """Tracked people, asked for by frame."""

    def __init__(self, tracks: list[Track2D], found: ClipPeople) -> None:
        self._nobody = found.people[0].take(np.zeros(0, int))
        self._rows: dict[int, list[tuple[Track2D, int]]] = {}
        for track in tracks:
            for row, frame in enumerate(track.frames.tolist()):
                self._rows.setdefault(frame, []).append((track, row))

    def at(self, frame: int) -> tuple[People, np.ndarray]:
        """Return the people of a frame, boxes without scores, and their tracks."""
        rows = self._rows.get(frame)
        if rows is None:
            return self._nobody, np.zeros(0, int)
        people = People(
            np.stack([track.bboxes[row] for track, row in rows]),
            np.full(len(rows), np.nan, np.float32),
            np.stack([track.keypoints[row] for track, row in rows]),
            np.stack([track.scores[row] for track, row in rows]),
        )
        return people, np.array([track.track for track, _ in rows])


def _alone(people: People) -> list[Track2D]:
    """Everybody of a picture as a track of one frame."""
    frames = np.zeros(1, np.int64)
    return [
        Track2D(row, frames, own.keypoints, own.scores, own.bboxes)
        for row in range(len(people))
        for own in [people.take(slice(row, row + 1))]
    ]


def _warn_of(film: FrameSource, read: int) -> None:
    """Say what was wrong with a film, of which something could be read all the same."""
    if not read:
        raise ValueError(film.ended or f'{film.path} has no frames')
    if film.ended:
        _LOGGER.warning(film.ended)
    if film.num_damaged:
        _LOGGER.warning('%s: %d frames are damaged', film.path, film.num_damaged)
