"""Online tracker of people, by the similarity of boxes and keypoints.

It predicts, matches, starts and ends tracks like `Norfair
<https://github.com/tryolabs/norfair>`_ 2.3 (Tryolabs, BSD 3-Clause); the tests compare
the IDs of both. The closest pairs are matched first, confirmed tracks before tentative
ones. A detection adds to a track's hits, and every frame without one costs a hit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np

from mmhot.structures.people import People, box_of, box_size, compare_people


@dataclass(frozen=True)
class TrackerSettings:
    """Thresholds of the tracker, and noise of its Kalman filters.

    ``docs/tracking.md`` names the scenes on which they were chosen. Ranges are those of
    ten videos (as they are, every fourth frame, with gaps, and with duplicates and
    false alarms) and of the car park in the tests. From 0.5 to 2 of a value, at most 30
    of 5,500 boxes get another track, and one person of the car park, unless it says
    more.
    """

    min_score: float = 0.3  # only keypoints with a higher score are compared
    # Weight of the boxes' overlap in the similarity; the rest is the keypoints'.
    # Without it, people of the car park change their ID 14 times, not 5.
    box_share: float = 0.3
    # Largest distance, 1 - similarity, of a match. Half of it changes 110 boxes, double
    # 160, and 27 more are on the track of another person.
    max_distance: float = 0.7
    # Two detections are one person if their keypoints are at least this similar, and
    # their boxes overlap by at least ``duplicate_overlap``. With half of the first, 17
    # boxes of people who meet are lost, with none of the second 8 of the car park.
    duplicate_similarity: float = 0.9
    duplicate_overlap: float = 0.5  # intersection over union
    # Seconds of detections that confirm a track. Results stay from 0 to 2 of it, as
    # short tracks are left out of videos; streams show false alarms for as long.
    confirmation: float = 0.1
    # Standard deviation of a detected keypoint, person sizes.
    noise: float = 0.05
    # Standard deviation of its change of speed within a second, person sizes / s. With
    # none, people of the car park change their ID 12 times, not 5.
    acceleration: float = 1.0
    # Standard deviation of a new person's speed, person sizes / s. Results stay from
    # 0.5 to 10 of it.
    initial_speed: float = 1.5


_SETTINGS = TrackerSettings()


class Detection(NamedTuple):
    """A person who was detected in a frame."""

    row: int  # row among the people in the frame
    points: np.ndarray  # keypoints and two corners of the box, pixels, (K + 2, 2)
    confident: np.ndarray  # points that are compared, (K + 2,) bool


class PointFilter:
    """Kalman filter of constant velocity for each point of a person.

    Position and velocity of a point have a covariance of three values: the variance of
    the position, the covariance of both, and the variance of the velocity.

    Attributes:
        points (np.ndarray): Predicted points in pixels, (K + 2, 2).
        velocity (np.ndarray): Their velocities in pixels per frame, (K + 2, 2).
        known (np.ndarray): Points that were detected at least once, (K + 2,) bool.

    Args:
        points (np.ndarray): Keypoints and two corners of the box in pixels,
            (K + 2, 2).
        confident (np.ndarray): Points that were detected, (K + 2,) bool.
        fps (float): Frames per second.

    A box of 40 x 90 pixels moves by 5 pixels per frame, to x = 125:

    >>> box = np.array([[100.0, 50.0], [140.0, 140.0]])
    >>> person = PointFilter(box, np.ones(2, bool), fps=25.0)
    >>> for step in range(1, 6):
    ...     person.predict()
    ...     person.update(box + [5 * step, 0], np.ones(2, bool))
    >>> person.points[0].round(1).tolist(), person.velocity[0].round(1).tolist()
    ([124.6, 50.0], [4.9, 0.0])
    """

    def __init__(self, points: np.ndarray, confident: np.ndarray, fps: float) -> None:
        self.points = points.copy()
        self.velocity = np.zeros_like(points)
        self.known = confident
        # The noise is proportional to the size of the person.
        size = box_size(box_of(points))
        self._noise = (_SETTINGS.noise * size) ** 2
        self._drift = (_SETTINGS.acceleration * size) ** 2 / fps**3
        shape = len(points), 1
        self._place_variance = np.full(shape, self._noise)
        self._covariance = np.zeros(shape)
        self._speed_variance = np.full(
            shape, (_SETTINGS.initial_speed * size / fps) ** 2
        )

    def predict(self, is_occluded: bool = False) -> None:
        """Predict the next frame; the points of occluded people share one velocity."""
        if is_occluded:
            self.velocity[:] = np.median(self.velocity, 0)
        self.points += self.velocity

    def update(self, points: np.ndarray, confident: np.ndarray) -> None:
        """Correct the prediction by a detection (Kalman update).

        Args:
            points (np.ndarray): Detected points in pixels, (K + 2, 2).
            confident (np.ndarray): Points that are used, (K + 2,) bool.
        """
        seen = confident[:, None]
        error = np.where(seen, points - self.points, 0)
        # Covariance of the prediction: the last frame's, moved on by one frame
        shared = self._covariance + self._speed_variance
        total = self._place_variance + self._covariance + shared
        total = total + self._drift + self._noise
        place_gain = 1 - self._noise / total
        speed_gain = shared / total
        self.points += place_gain * error
        self.velocity += speed_gain * error
        left = np.where(seen, self._noise, total)
        self._place_variance = place_gain * left
        self._covariance = speed_gain * left
        gained = np.where(seen, speed_gain**2 * total, 0)
        self._speed_variance = self._speed_variance + self._drift - gained
        # The first detection of a point sets its position; its velocity starts at zero.
        first = confident & ~self.known
        self.points[first] = points[first]
        self.velocity[~self.known] = 0
        self.known = self.known | confident


@dataclass(eq=False)
class TrackedPerson:
    """A person, tentative until they were detected in enough frames."""

    filter: PointFilter
    row: int  # row of the last detection among the people in its frame
    index: int  # frame of the last detection
    delay: int  # a track with more hits is confirmed
    hits: int  # frames without a detection after which the track ends
    id: int = -1  # number among confirmed tracks; -1 for a tentative one


class Tracker:
    """Assign track IDs to people, frame by frame.

    Args:
        fps (float): Frames per second of the frame numbers.
        max_gap (float): Longest occlusion in seconds. A track that was seen for a
            shorter time ends sooner: it is kept for about as long as it was seen.
    """

    def __init__(self, fps: float, max_gap: float = 2.0) -> None:
        self._fps = fps
        self._delay = max(1, round(_SETTINGS.confirmation * fps))
        self._max_gap = max(self._delay + 1, round(max_gap * fps))
        self._people: list[TrackedPerson] = []
        self._ids = count()
        self._index: int | None = None

    def update(self, people: People, index: int) -> list[TrackedPerson]:
        """Assign the people in the next frame to tracks.

        Args:
            people (People): Detected people.
            index (int): Frame number, larger than the last one.

        Returns:
            list[TrackedPerson]: The people detected in this frame, without duplicates
            and without people who have no keypoint. IDs count from 0; tentative tracks
            have the ID -1.
        """
        steps = 1 if self._index is None else index - self._index
        if steps >= self._max_gap:  # all tracks have ended
            self._people = []
            steps = 1
        self._predict(steps)
        self._index = index
        tentative = [person for person in self._people if person.id < 0]
        confirmed = [person for person in self._people if person.id >= 0]
        left = list_detections(people)
        for tracked in (confirmed, tentative):
            left = self._match(tracked, left, index, steps)
        delay = max(self._delay, steps)
        for row, points, confident in left:
            new = PointFilter(points, confident, self._fps)
            person = TrackedPerson(new, row, index, delay, steps)
            self._people.append(person)
            self._confirm(person)
        return self._detected_last()

    def _predict(self, steps: int) -> None:
        """Move all people on by a number of frames, and end tracks without hits."""
        # New tracks have few hits; keep them until the next detection, even if frames
        # are skipped.
        for person in self._detected_last():
            person.hits = max(person.hits, steps)
        for step in range(steps):
            self._people = [person for person in self._people if person.hits >= 0]
            for person in self._people:
                person.hits -= 1
                person.filter.predict(step > 0 or person.index != self._index)

    def _match(
        self,
        people: Sequence[TrackedPerson],
        detections: list[Detection],
        index: int,
        steps: int,
    ) -> list[Detection]:
        """Update people by their detections in a frame, the closest pairs first.

        Returns the detections without a match.
        """
        if not people or not detections:
            return detections
        detected = np.stack([x.points for x in detections])
        confident = np.stack([x.confident for x in detections])
        predicted = np.stack([x.filter.points for x in people])
        known = np.stack([x.filter.known for x in people])
        overlap, similarity = compare_people(
            detected[:, None], predicted, confident[:, None] & known
        )
        share = _SETTINGS.box_share
        distances = 1 - share * overlap - (1 - share) * similarity
        left = dict(enumerate(detections))
        while distances.min() < _SETTINGS.max_distance:
            place, column = divmod(int(distances.argmin()), len(people))
            distances[place] = np.inf
            distances[:, column] = np.inf
            person = people[column]
            person.hits = min(person.hits + 2 * steps, self._max_gap)
            self._confirm(person)
            person.index = index
            person.row, points, confident = left.pop(place)
            person.filter.update(points, confident)
        return list(left.values())

    def _confirm(self, person: TrackedPerson) -> None:
        """Give a tentative track an ID if it has enough hits."""
        if person.id < 0 and person.hits > person.delay:
            person.id = next(self._ids)

    def _detected_last(self) -> list[TrackedPerson]:
        """List the people who were detected in the last frame."""
        return [person for person in self._people if person.index == self._index]


def list_detections(people: People) -> list[Detection]:
    """List the people in a frame, without duplicates and people without a keypoint.

    Args:
        people (People): All P people in the frame.

    Returns:
        list[Detection]: At most P people, in the same order.
    """
    keypoints = people.keypoints.astype(np.float64)
    corners = people.bboxes.reshape(-1, 2, 2).astype(np.float64)
    middle = corners.mean(1, keepdims=True)
    keypoints = np.where(np.isfinite(keypoints), keypoints, middle)
    points = np.concatenate([keypoints, corners], 1)
    confident = people.scores > _SETTINGS.min_score
    confident = np.pad(confident, ((0, 0), (0, 2)), constant_values=True)
    rows = np.flatnonzero((people.scores > 0).any(1))
    unique: list[int] = []
    for row in rows[np.argsort(-people.bbox_scores[rows], kind='stable')]:
        both = confident[unique] & confident[row]
        overlap, similarity = compare_people(points[unique], points[row], both)
        duplicate = similarity >= _SETTINGS.duplicate_similarity
        if not (duplicate & (overlap >= _SETTINGS.duplicate_overlap)).any():
            unique.append(row)
    return [Detection(row, points[row], confident[row]) for row in sorted(unique)]
