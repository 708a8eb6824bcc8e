"""Errors of 2D keypoints: PCK, OKS, swapped sides, and calibration of scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import isotonic_regression

from projects.rendered_people.packed_people import estimate_areas

# Bins of scores from 0 to 1, and knots of a curve between its ends.
_BINS, _KNOTS = 10, 8
# Tolerances of found and of precise keypoints, per length of the torso.
_FOUND, _PRECISE = 0.2, 0.05
_THIRD = 60.001  # degrees, a third of all angles of a trunk; 180 is in the last one


@dataclass
class LabeledPeople:
    """Labeled and predicted keypoints of people.

    Attributes:
        predicted (np.ndarray): Pixels, (N, K, 2); NaN if not predicted.
        truth (np.ndarray): Ground truth, pixels, (N, K, 2).
        labeled (np.ndarray): Whether a keypoint counts, bool (N, K).
        bboxes (np.ndarray): x1, y1, x2, y2, (N, 4).
        partners (np.ndarray): Index of the same keypoint on the other side, its own
            index if there is none, (K,).
        torso (tuple[tuple[int, int], tuple[int, int]]): Indices of left shoulder and
            right hip, and of right shoulder and left hip.
        sigmas (np.ndarray): COCO's tolerances, (K,).
        areas (np.ndarray, optional): Annotated areas, square pixels, (N,); estimated
            from the boxes if None.
    """

    predicted: np.ndarray
    truth: np.ndarray
    labeled: np.ndarray
    bboxes: np.ndarray
    partners: np.ndarray
    torso: tuple[tuple[int, int], tuple[int, int]]
    sigmas: np.ndarray
    areas: np.ndarray | None = None

    def distances(self, truth: np.ndarray | None = None) -> np.ndarray:
        """Distances to the labels or to given points, pixels, (N, K).

        Missing predictions have infinite distances.
        """
        truth = self.truth if truth is None else truth
        distances = np.linalg.norm(self.predicted - truth, axis=-1)
        return np.where(np.isnan(distances), np.inf, distances)

    def torso_lengths(self) -> np.ndarray:
        """Longest labeled diagonal of each torso, (N,); NaN if none is labeled."""
        lengths = []
        for shoulder, hip in self.torso:
            both = self.labeled[:, shoulder] & self.labeled[:, hip]
            length = np.linalg.norm(
                self.truth[:, shoulder] - self.truth[:, hip], axis=1
            )
            lengths.append(np.where(both & (length > 0), length, np.nan))
        return np.fmax(*lengths)

    def trunk_angles(self) -> np.ndarray:
        """Angle of each trunk to the image's vertical, degrees from 0 to 180, (N,).

        NaN without a labeled diagonal of the torso.
        """
        vectors = np.zeros((len(self.truth), 2))
        for shoulder, hip in self.torso:
            both = self.labeled[:, shoulder] & self.labeled[:, hip]
            vectors += (self.truth[:, shoulder] - self.truth[:, hip]) * both[:, None]
        angles = np.degrees(np.arctan2(abs(vectors[:, 0]), -vectors[:, 1]))
        return np.where(vectors.any(1), angles, np.nan)

    def select(self, rows: np.ndarray) -> 'LabeledPeople':
        """Return some of the people.

        Args:
            rows (np.ndarray): Whether a person is in, bool (N,).
        """
        names = ('predicted', 'truth', 'labeled', 'bboxes', 'areas')
        arrays = {name: getattr(self, name) for name in names}
        return replace(
            self, **{k: x if x is None else x[rows] for k, x in arrays.items()}
        )

    def counted(self) -> np.ndarray:
        """Labels of people with a labeled torso, bool (N, K)."""
        return self.labeled & np.isfinite(self.torso_lengths())[:, None]

    def within(self, share: float, of: str = 'torso') -> np.ndarray:
        """Whether keypoints are within a tolerance of their labels, (N, K).

        Args:
            share (float): Tolerance, relative to ``of``.
            of (str): 'torso', its diagonal, or 'bbox', its longer side.
        """
        return self.distances() <= self._tolerance(share, of)

    def swapped(self, share: float = _FOUND) -> np.ndarray:
        """Whether keypoints miss their label but hit their partner's, (N, K)."""
        other = self.distances(self.truth[:, self.partners])
        tolerance = self._tolerance(share, 'torso')
        is_pair = self.partners != np.arange(len(self.partners))
        known = self.labeled & self.labeled[:, self.partners] & is_pair
        return known & (self.distances() > tolerance) & (other <= tolerance)

    def oks(self) -> np.ndarray:
        """Object keypoint similarity of each person, (N,); NaN without labels."""
        areas = estimate_areas(self.bboxes) if self.areas is None else self.areas
        spread = 2 * areas[:, None] * (2 * self.sigmas) ** 2
        similarity = np.exp(-(self.distances() ** 2) / spread) * self.labeled
        count = self.labeled.sum(1)
        return np.where(count > 0, similarity.sum(1) / np.maximum(count, 1), np.nan)

    def _tolerance(self, share: float, of: str) -> np.ndarray:
        """Tolerance in pixels, (N, 1)."""
        if of == 'bbox':
            size = (self.bboxes[:, 2:] - self.bboxes[:, :2]).max(1)
        else:
            size = self.torso_lengths()
        return share * size[:, None]


def summarize(people: LabeledPeople) -> dict[str, float]:
    """Compute the metrics of a group of people.

    Returns:
        dict[str, float]: Number of ``people`` and, from 0 to 1, ``PCK@0.2 torso`` and
        ``PCK@0.05 torso`` (of people with a labeled torso), ``PCK@0.1 bbox``, ``OKS``
        (mean over people), ``OKS > .5``, ``AP-like`` (share of people above COCO's ten
        thresholds, averaged), ``swapped`` (left and right confused), and ``PCK, any
        side``, which counts swapped keypoints as correct.
    """
    counted = people.counted()
    close, swapped = people.within(_FOUND)[counted], people.swapped()[counted]
    precise = people.within(_PRECISE)[counted]
    oks = people.oks()
    oks = oks[np.isfinite(oks)]
    thresholds = np.arange(0.5, 1, 0.05)
    return {
        'people': len(people.truth),
        'PCK@0.2 torso': close.mean() if close.size else np.nan,
        'PCK@0.05 torso': precise.mean() if close.size else np.nan,
        'PCK, any side': (close | swapped).mean() if close.size else np.nan,
        'swapped': swapped.mean() if close.size else np.nan,
        'PCK@0.1 bbox': people.within(0.1, 'bbox')[people.labeled].mean(),
        'OKS': oks.mean(),
        'OKS > .5': (oks > 0.5).mean(),
        'AP-like': (oks[:, None] > thresholds).mean(),
    }


def group_trunks(people: LabeledPeople) -> dict[str, np.ndarray]:
    """Mark people (N,) by the angle of their trunks to the image's vertical.

    ``upright`` trunks are within 60 degrees, ``inverted`` ones beyond 120 degrees.
    """
    thirds = people.trunk_angles() // _THIRD
    return {
        name: thirds == number
        for number, name in enumerate(('upright', 'lying', 'inverted'))
    }


def summarize_joints(
    people: LabeledPeople, joints: Mapping[str, Sequence[int]]
) -> dict[str, dict[str, float]]:
    """Compute the accuracy of groups of joints, of people with a labeled torso.

    Args:
        people (LabeledPeople): The people.
        joints (Mapping[str, Sequence[int]]): Indices of each group.

    Returns:
        dict[str, dict[str, float]]: Of each group with labels: number of labeled
        ``keypoints``, ``PCK@0.2 torso``, ``PCK@0.05 torso`` (0 to 1), and the median
        distance to the labels of those within 0.2 torsos, in torsos; NaN if there are
        none.
    """
    counted = people.counted()
    lengths = np.where(counted, people.torso_lengths()[:, None], 1)
    distances, rows = people.distances() / lengths, {}
    for name, columns in joints.items():
        own = distances[:, columns][counted[:, columns]]
        found = own[own <= _FOUND]
        if own.size:
            rows[name] = {
                'keypoints': own.size,
                'PCK@0.2 torso': found.size / own.size,
                'PCK@0.05 torso': (own <= _PRECISE).mean(),
                'median of found': np.median(found) if found.size else np.nan,
            }
    return rows


def reliability(
    scores: np.ndarray, correct: np.ndarray
) -> list[tuple[float, float, int]]:
    """Compute a reliability diagram: accuracy against confidence, in ten bins.

    Args:
        scores (np.ndarray): Confidences, (M,).
        correct (np.ndarray): Whether keypoints are within a tolerance, (M,).

    Returns:
        list[tuple[float, float, int]]: Mean score, accuracy and number of keypoints of
        each bin that is not empty.
    """
    index = np.clip((scores * _BINS).astype(int), 0, _BINS - 1)
    bins = [(scores[index == i], correct[index == i]) for i in range(_BINS)]
    return [(s.mean(), r.mean(), len(s)) for s, r in bins if len(s)]


def calibration_error(table: list[tuple[float, float, int]]) -> float:
    """Expected calibration error: mean gap of score and accuracy over keypoints."""
    total = sum(count for *_, count in table)
    return sum(abs(score - share) * count for score, share, count in table) / total


def fit_confidence(
    scores: np.ndarray, correct: np.ndarray
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit a monotonic curve from a model's scores to their accuracy.

    Isotonic regression, reduced to eight means over equal numbers of keypoints
    and the ends; fewer if these have the same score. Above the highest score the curve
    is constant.

    Args:
        scores (np.ndarray): Scores from 0 to 1, (M,).
        correct (np.ndarray): Whether keypoints are within a tolerance, (M,).

    Returns:
        tuple: Scores and confidences at the knots, for ``test_cfg.score_curve``.

    Raises:
        ValueError: If there are fewer keypoints than knots.
    """
    if len(scores) < _KNOTS:
        raise ValueError(f'{len(scores)} keypoints are too few for {_KNOTS} knots')
    # keypoints of equal score get one confidence
    levels, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(level, correct) / counts
    fitted = isotonic_regression(shares, weights=counts).x
    ordered = np.sort(level)
    parts = [
        (levels[part].mean(), fitted[part].mean())
        for part in np.array_split(ordered, _KNOTS)
    ]
    knots = np.round([(0.0, 0.0), *parts, (1.0, fitted[-1])], 3).tolist()
    # of knots at one score dict keeps the last, which is the highest
    x, y = zip(*dict(knots).items(), strict=True)
    return x, y
