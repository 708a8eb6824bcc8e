"""Online tracker of people, by the similarity of boxes and keypoints.

It predicts, matches, starts and ends tracks like `Norfair
<https://github.com/tryolabs/norfair>`_ 2.3 (Tryolabs, BSD 3-Clause); the tests compare
the IDs of both. The closest pairs are matched first, confirmed tracks before tentative
ones. A detection adds to a track's hits, and every frame without one costs a hit.
"""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass

import numpy as np

from mmhot.structures.people import People, box_of, box_size, compare_people


@dataclass(frozen=True)
class TrackerSettings:
    """Thresholds of the tracker, and noise of its Kalman filters.

    ``docs/tracking.md`` says on which scenes they were chosen.
    """

    # Keypoint score; only keypoints with a higher one are compared. Higher values
    # compare fewer.
    min_score: float = 0.3
    # Only the first keypoints are compared. Faces and hands come last and add nothing.
    max_keypoints: int = 33
    # Weight of the boxes' overlap in the similarity; the rest is the keypoints'. Higher
    # values trust boxes more.
    box_share: float = 0.3
    # Largest distance, 1 - similarity, of a match. Higher values follow faster motion,
    # and swap more people.
    max_distance: float = 0.7
    # Two detections are one person if their keypoints are at least this similar, and
    # their boxes overlap. Higher values keep more duplicates.
    duplicate_similarity: float = 0.9
    duplicate_overlap: float = 0.5  # least overlap of such boxes; see above
    # Seconds of detections that confirm a track. Higher values drop more false alarms,
    # and confirm later.
    confirmation: float = 0.1
    # Standard deviation of a detected keypoint, person sizes. Higher values follow
    # detections less.
    noise: float = 0.05
    # Standard deviation of its change of speed within a second, person sizes / s.
    # Higher values follow turns and stops sooner.
    acceleration: float = 1.0
    # Standard deviation of a new person's speed, person sizes / s. Higher values learn
    # the speed sooner.
    initial_speed: float = 1.5


_SETTINGS = TrackerSettings()


@dataclass(eq=False)
class TrackedPerson:
    """A person with a Kalman filter of constant velocity for each point."""

    points: np.ndarray  # predicted keypoints and box corners, pixels, (K + 2, 2)
    known: np.ndarray  # whether a point was ever detected, (K + 2,) bool
    row: int  # row of the last detection among the people in its frame
    index: int  # frame of the last detection
    number: int  # number among all tracks, tentative and confirmed
    fps: InitVar[float]
    delay: int  # a track with more hits is confirmed
    hits: int  # frames without a detection after which the track ends
    id: int = -1  # number among confirmed tracks; -1 for a tentative one

    def __post_init__(self, fps: float) -> None:
        """Start at rest."""
        self.velocity = np.zeros_like(self.points)  # pixels per frame
        self._missed = 0
        # The noise is proportional to the size of the person.
        size = box_size(box_of(self.points))
        self._noise = (_SETTINGS.noise * size) ** 2
        self._drift = (_SETTINGS.acceleration * size) ** 2 / fps**3
        # The covariance of position and velocity is kept per point: variance of the
        # position, their covariance, and variance of the velocity, (K + 2, 1) each.
        ones = np.ones((len(self.points), 1))
        self._place_variance = self._noise * ones
        self._covariance = 0 * ones
        self._speed_variance = (_SETTINGS.initial_speed * size / fps) ** 2 * ones

    def predict(self) -> None:
        """Predict the next frame; occluded people keep one rigid velocity."""
        self.hits -= 1
        if self._missed:
            self.velocity[:] = np.median(self.velocity, 0)
        self._missed += 1
        self.points += self.velocity

    def update(
        self, points: np.ndarray, confident: np.ndarray, row: int, index: int
    ) -> None:
        """Correct the prediction by a detection (Kalman update).

        Args:
            points (np.ndarray): Detected points in pixels, (K + 2, 2).
            confident (np.ndarray): Points that are used, (K + 2,) bool.
            row (int): Row of the detection among the people in its frame.
            index (int): Number of that frame.
        """
        self._missed, self.row, self.index = 0, row, index
        seen = confident[:, None]
        error = np.where(seen, points - self.points, 0)
        # Covariance of the prediction: the last frame's, moved on by one frame
        shared = self._covariance + self._speed_variance
        total = self._place_variance + self._covariance + shared
        total = total + self._drift + self._noise
        place_gain, speed_gain = 1 - self._noise / total, shared / total
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
        self._num_tracks = self._num_confirmed = 0
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
        if steps >= self._max_gap:
            self._people, steps = [], 1
        # New tracks have few hits; keep them until the next detection, even if frames
        # are skipped.
        for person in self._detected_last():
            person.hits = max(person.hits, steps)
        for _ in range(steps):
            self._people = [person for person in self._people if person.hits >= 0]
            for person in self._people:
                person.predict()
        self._index = index
        points, confident, rows = compared_points(people)
        tentative = [person for person in self._people if person.id < 0]
        confirmed = [person for person in self._people if person.id >= 0]
        for tracked in (confirmed, tentative):
            rows = self._match(tracked, points, confident, rows, index, steps)
        timing = self._fps, max(self._delay, steps), steps
        for row in rows:
            detected = points[row].copy(), confident[row], row, index
            person = TrackedPerson(*detected, self._num_tracks, *timing)
            self._num_tracks += 1
            self._people.append(person)
            self._confirm(person)
        return self._detected_last()

    def _match(
        self,
        people: Sequence[TrackedPerson],
        points: np.ndarray,
        confident: np.ndarray,
        rows: list[int],
        index: int,
        steps: int,
    ) -> list[int]:
        """Match people with detections, the closest pairs first, and update them.

        Points (P, K + 2, 2) and which of them are confident, (P, K + 2), are of all
        detections; ``rows`` may be matched. Returns the rows without a match.
        """
        if not people or not rows:
            return rows
        detected, predicted = points[rows], np.stack([x.points for x in people])
        both = confident[rows][:, None] & np.stack([x.known for x in people])
        overlap, similarity = compare_people(detected[:, None], predicted, both)
        share = _SETTINGS.box_share
        distances = 1 - share * overlap - (1 - share) * similarity
        left = list(rows)
        while distances.min() < _SETTINGS.max_distance:
            place, column = divmod(int(distances.argmin()), len(people))
            distances[place], distances[:, column] = np.inf, np.inf
            row, person = rows[place], people[column]
            person.hits = min(person.hits + 2 * steps, self._max_gap)
            self._confirm(person)
            person.update(points[row], confident[row], row, index)
            left.remove(row)
        return left

    def _confirm(self, person: TrackedPerson) -> None:
        if person.id < 0 and person.hits > person.delay:
            person.id = self._num_confirmed
            self._num_confirmed += 1

    def _detected_last(self) -> list[TrackedPerson]:
        return [person for person in self._people if person.index == self._index]


def compared_points(people: People) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return the points by which the people in a frame are compared.

    Args:
        people (People): P detected people.

    Returns:
        tuple[np.ndarray, np.ndarray, list[int]]: Keypoints and two corners of the box
        in pixels, (P, K + 2, 2); which of them are compared, (P, K + 2) bool; and the
        rows of people to track, without duplicates and without people who have no
        keypoint.
    """
    most = _SETTINGS.max_keypoints
    keypoints = people.keypoints[:, :most].astype(np.float64)
    scores = people.scores[:, :most]
    corners = people.bboxes.reshape(-1, 2, 2).astype(np.float64)
    middle = corners.mean(1, keepdims=True)
    keypoints = np.where(np.isfinite(keypoints), keypoints, middle)
    points = np.concatenate([keypoints, corners], 1)
    confident = scores > _SETTINGS.min_score
    confident = np.pad(confident, ((0, 0), (0, 2)), constant_values=True)
    rows = np.flatnonzero((scores > 0).any(1))
    unique: list[int] = []
    for row in rows[np.argsort(-people.bbox_scores[rows], kind='stable')]:
        both = confident[unique] & confident[row]
        overlap, similarity = compare_people(points[unique], points[row], both)
        duplicate = similarity >= _SETTINGS.duplicate_similarity
        if not (duplicate & (overlap >= _SETTINGS.duplicate_overlap)).any():
            unique.append(row)
    return points, confident, sorted(unique)
