"""Who is who from frame to frame: frame by frame for streams, or a clip at once.

`Norfair <https://github.com/tryolabs/norfair>`_ does the work: it predicts everybody's
keypoints and box, matches them with what was found, and decides who is new or gone.
Ours is what makes two people alike (box overlap and keypoint similarity), how people
move while nobody sees them, and what only a whole clip allows. ``docs/video.md`` says
how Norfair was chosen, and how often ids are wrong.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mmhot.clips import Track2D
from mmhot.video.people import People
from mmhot.video.pose_similarity import box_of, box_size, compare_people
from mmhot.video.track_linking import join_pieces

# To be raised when tracks change: tracks in caches are kept with it, and
# tests/video/test_tracking.py says when that is.
TRACKING_RULES = 1

# Keypoints less sure than this say nothing about who it is.
_MIN_SCORE = 0.3
# Faces and hands, which skeletons list last, add nothing but time.
_MOST_POINTS = 33
# Likeness of two people: so much of it is the boxes' intersection over union, the rest
# keypoint similarity. What still can be the same person is at least 1 - distance.
_BOX_SHARE = 0.3
_MOST_DISTANCE = 0.7
# Who is as similar as that to somebody of a surer box that overlaps so much is the same
# person, found twice.
_TWICE, _TWICE_OVERLAP = 0.9, 0.5
# Error of a keypoint, and change of its speed in a second, in sizes of the person.
_ERROR = 0.05
_AGILITY = 1.0
# Speed that a new person may have, sizes per second.
_SPEED = 1.5
# A new person is confirmed after being found for so many seconds.
_CONFIRMED = 0.1
# Found for less of a clip, it is taken for a false alarm.
_SHORTEST = 0.25


class Tracker:
    """Gives the people of a stream their ids, frame by frame.

    Args:
        fps (float): Frames per second of the indices.
        max_gap (float): Seconds for which somebody may be hidden and still be known;
            those who were seen for less than that are forgotten sooner. Defaults to 2.

    Raises:
        ValueError: If ``fps`` or ``max_gap`` is not above 0, or Norfair is missing.
    """

    def __init__(self, fps: float, max_gap: float = 2.0) -> None:
        if not (fps > 0 and math.isfinite(fps)):
            raise ValueError(f'fps must be above 0, got {fps}')
        if not max_gap > 0:
            raise ValueError(f'max_gap must be above 0 seconds, got {max_gap}')
        self._delay = max(1, round(_CONFIRMED * fps))
        self._memory = max(self._delay + 1, round(max_gap * fps))
        self._tracker = _make_tracker(fps, self._delay, self._memory)
        self._index: int | None = None

    def update(self, people: People, index: int) -> np.ndarray:
        """Recognize the people of the next frame.

        Args:
            people (People): Of the frame.
            index (int): The frame's number; frames may be left out.

        Returns:
            np.ndarray: Ids from 0, and -1 for those who are not confirmed yet, (P,).

        Raises:
            ValueError: If frames come in another order.
        """
        ids = np.full(len(people), -1)
        for row, person in self._match(people, index):
            ids[row] = -1 if person.id is None else person.id - 1
        return ids

    def recognize(self, people: People, index: int) -> np.ndarray:
        """Recognize the people of the next frame, new ones included.

        Args:
            people (People): Of the frame.
            index (int): The frame's number; frames may be left out.

        Returns:
            np.ndarray: Ids from 0, others than those of :meth:`update`, (P,). False
            alarms have some too; -1 is for those only who were found twice, or of
            whom nothing was seen.
        """
        ids = np.full(len(people), -1)
        for row, person in self._match(people, index):
            ids[row] = person.initializing_id - 1
        return ids

    def predict(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Guess where those who were found in the last frame are in a later one.

        Args:
            index (int): The later frame's number.

        Returns:
            tuple[np.ndarray, np.ndarray]: Boxes (P, 4), and ids (P,) as above.
        """
        steps = 0 if self._index is None else index - self._index
        found = self._found()
        boxes = [box_of(x.estimate + steps * x.estimate_velocity) for x in found]
        ids = [-1 if person.id is None else person.id - 1 for person in found]
        return np.array(boxes, np.float32).reshape(-1, 4), np.array(ids, int)

    def forget(self) -> None:
        """Take everybody for somebody new from here on, as a film's shot has ended."""
        self._tracker.tracked_objects = []

    def _match(self, people: People, index: int) -> list[tuple[int, Any]]:
        """Pairs of a row of the frame and whom Norfair takes it for."""
        if self._index is not None and index <= self._index:
            raise ValueError(f'frame {index} must come after frame {self._index}')
        steps = 1 if self._index is None else index - self._index
        if steps >= self._memory:
            self.forget()
            steps = 1
        # norfair forgets new people at once: give them until the next detection
        for person in self._found():
            person.hit_counter = max(person.hit_counter, steps)
        self._tracker.initialization_delay = max(self._delay, steps)
        for _ in range(steps - 1):
            self._tracker.update()
        self._tracker.update(_as_detections(people, index), period=steps)
        self._index = index
        return [(person.last_detection.data[1], person) for person in self._found()]

    def _found(self) -> list[Any]:
        """Those of the last frame."""
        return [
            person
            for person in self._tracker.tracked_objects
            if person.last_detection.data[0] == self._index
        ]


def track_clip(
    people: Sequence[People],
    fps: float,
    max_gap: float = 2.0,
    indices: Sequence[int] | None = None,
    progress: Callable[[int], None] = lambda done: None,
    cuts: Sequence[int] = (),
) -> list[Track2D]:
    """Recognize the people of a clip.

    Knows more than a :class:`Tracker`: who was found too briefly is left out, what was
    found before somebody was confirmed is theirs, and people who come out where others
    went out of sight are joined if their ways fit together.

    Args:
        people (Sequence[People]): Of each frame.
        fps (float): Frames per second.
        max_gap (float): Seconds for which somebody may be hidden. Defaults to 2.
        indices (Sequence[int], optional): The frames' numbers, if not 0, 1, 2, ...
        progress (Callable): Told the number of frames done.
        cuts (Sequence[int]): Numbers of frames with which another shot begins, in
            which nobody is who was somebody before.

    Returns:
        list[Track2D]: By first frame, numbered from 0. Frames in which a person was
        not found are missing from their track.

    Raises:
        ValueError: If an argument is wrong.
    """
    indices = range(len(people)) if indices is None else indices
    if len(indices) != len(people):
        raise ValueError(f'{len(people)} frames have {len(indices)} numbers')
    starts = np.searchsorted(indices, sorted(cuts)).tolist()
    tracks = []
    for first, last in pairwise([0, *starts, len(people)]):
        shot = slice(first, last)
        tracks += _track_shot(
            *(people[shot], fps, max_gap, indices[shot]),
            lambda done, first=first: progress(first + done),
        )
    tracks.sort(key=lambda track: (track.frames[0], track.track))
    for number, track in enumerate(tracks):
        track.track = number
    return tracks


def _track_shot(
    people: Sequence[People],
    fps: float,
    max_gap: float,
    indices: Sequence[int],
    progress: Callable[[int], None],
) -> list[Track2D]:
    """Recognize the people of one shot; their numbers are those of first sight."""
    tracker = Tracker(fps, max_gap)
    rows: dict[int, list[tuple[int, People, int]]] = {}
    for done, (index, of_frame) in enumerate(zip(indices, people, strict=True), 1):
        for row, person in tracker._match(of_frame, index):
            rows.setdefault(person.initializing_id, []).append((index, of_frame, row))
        progress(done)
    pieces = [_as_track(found) for found in rows.values()]
    tracks = join_pieces(pieces, fps, max_gap)
    needed = max(1, min(math.ceil(_SHORTEST * fps), len(people) // 2))
    return [track for track in tracks if len(track.frames) >= needed]


def _make_tracker(fps: float, delay: int, memory: int) -> Any:
    """Norfair's tracker with our distance and motion."""
    try:
        # takes a second or two, and only those who track need it
        from norfair import Tracker as NorfairTracker
        from norfair.filter import FilterFactory, OptimizedKalmanFilter
    except ImportError as error:
        raise ValueError(
            'tracking needs Norfair: pip install --no-deps norfair==2.3.0 filterpy'
        ) from error

    class PersonFilter(OptimizedKalmanFilter):
        """Kalman filter that moves whom nobody sees as one, not limb by limb."""

        unseen = 0

        def predict(self) -> None:
            speed = self.x[self.dim_z :].reshape(-1, 2)
            if self.unseen:
                speed[:] = np.median(speed, 0)
            self.unseen += 1
            super().predict()

        def update(self, *args, **kwargs) -> None:
            self.unseen = 0
            super().update(*args, **kwargs)

    class PersonFilters(FilterFactory):
        """Filters whose noise goes with the person's size in the picture."""

        def create_filter(self, initial_detection: np.ndarray) -> PersonFilter:
            size = box_size(box_of(initial_detection))
            made = PersonFilter(
                2 * initial_detection.size,
                initial_detection.size,
                pos_variance=(_ERROR * size) ** 2,
                vel_variance=(_SPEED * size / fps) ** 2,
                q=(_AGILITY * size) ** 2 / fps**3,
                r=(_ERROR * size) ** 2,
            )
            made.x[: made.dim_z] = initial_detection.reshape(-1, 1)
            return made

    tracker = NorfairTracker(
        # replaced below: only by name it takes a distance of all pairs at once
        distance_function='euclidean',
        distance_threshold=_MOST_DISTANCE,
        hit_counter_max=memory,
        initialization_delay=delay,
        pointwise_hit_counter_max=memory,
        detection_threshold=_MIN_SCORE,
        filter_factory=PersonFilters(),
        past_detections_length=0,
    )
    tracker.distance_function = _Distance()
    return tracker


class _Distance:
    """How far detections are from where people are expected; Norfair's interface."""

    def get_distances(self, objects: Sequence, candidates: Sequence) -> np.ndarray:
        """Of each candidate (rows) and object (columns)."""
        if not objects or not candidates:
            return np.zeros((len(candidates), len(objects)))
        found = np.stack([candidate.points for candidate in candidates])[:, None]
        scores = np.stack([candidate.scores for candidate in candidates])[:, None]
        expected = np.stack([person.estimate for person in objects])[None]
        known = np.stack([x.detected_at_least_once_points for x in objects])[None]
        both = (scores > _MIN_SCORE) & known
        overlap, similar = compare_people(found, expected, both)
        return 1 - _BOX_SHARE * overlap - (1 - _BOX_SHARE) * similar


def _as_detections(people: People, index: int) -> list:
    """What Norfair is given: keypoints and the box's two corners."""
    from norfair import Detection

    keypoints = people.keypoints[:, :_MOST_POINTS].astype(np.float64)
    scores = np.nan_to_num(people.scores[:, :_MOST_POINTS].astype(np.float64))
    scores = np.where(np.isfinite(keypoints).all(-1), scores, 0)
    corners = people.bboxes.reshape(-1, 2, 2).astype(np.float64)
    middle = corners.mean(1, keepdims=True)
    keypoints = np.where(np.isfinite(keypoints), keypoints, middle)
    points = np.concatenate([keypoints, corners], 1)
    good = np.isfinite(corners).all((1, 2)) & (scores > 0).any(1)
    scores = np.concatenate([scores, np.ones((len(scores), 2))], 1)
    rows = _without_doubles(np.flatnonzero(good), points, scores, people.bbox_scores)
    return [Detection(points[row], scores[row], data=(index, row)) for row in rows]


def _without_doubles(
    rows: np.ndarray, points: np.ndarray, scores: np.ndarray, sureness: np.ndarray
) -> list[int]:
    """Leave out the less sure one of two boxes around the same person."""
    kept: list[int] = []
    for row in rows[np.argsort(-sureness[rows], kind='stable')]:
        both = (scores[kept] > _MIN_SCORE) & (scores[row] > _MIN_SCORE)
        overlap, similar = compare_people(points[kept], points[row], both)
        if not ((similar >= _TWICE) & (overlap >= _TWICE_OVERLAP)).any():
            kept.append(row)
    return sorted(kept)


def _as_track(found: list[tuple[int, People, int]]) -> Track2D:
    """A person's rows as a track, whose number is that of its first frame."""
    keypoints = np.stack([people.keypoints[row] for _, people, row in found])
    scores = np.stack([people.scores[row] for _, people, row in found])
    missing = ~np.isfinite(keypoints).all(-1)
    keypoints[missing], scores[missing] = np.nan, 0
    return Track2D(
        track=found[0][2],
        frames=np.array([index for index, _, _ in found], np.int64),
        keypoints=keypoints.astype(np.float32),
        scores=np.nan_to_num(scores).astype(np.float32),
        bboxes=np.stack([x.bboxes[row] for _, x, row in found]).astype(np.float32),
    )
