"""How far 2D keypoints are from their labels, and whether sides are mixed up.

NumPy only: what is compared may come from any model.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from mmhot.datasets.packed_people import estimate_areas


@dataclass
class LabeledPeople:
    """People whose keypoints are labeled and predicted.

    Attributes:
        predicted (np.ndarray): Pixels, (N, K, 2).
        truth (np.ndarray): Pixels, (N, K, 2).
        labeled (np.ndarray): Which of them count, bool (N, K).
        bboxes (np.ndarray): x1, y1, x2, y2, (N, 4).
        partners (np.ndarray): Each keypoint's partner on the other side, itself if it
            has none, (K,).
        torso (tuple[tuple[int, int], tuple[int, int]]): Indices of a left shoulder
            and right hip, and of a right shoulder and left hip.
        sigmas (np.ndarray): COCO's tolerances, (K,).
        areas (np.ndarray, optional): As annotated, square pixels, (N,); estimated from
            the boxes if None.
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
        """Distances to the labels, or to others, in pixels, (N, K).

        Of keypoints that were not found they are infinite.
        """
        truth = self.truth if truth is None else truth
        distances = np.linalg.norm(self.predicted - truth, axis=-1)
        return np.where(np.isnan(distances), np.inf, distances)

    def torso_lengths(self) -> np.ndarray:
        """Longest labeled diagonal of each torso, (N,); NaN where there is none."""
        lengths = []
        for shoulder, hip in self.torso:
            both = self.labeled[:, shoulder] & self.labeled[:, hip]
            length = np.linalg.norm(
                self.truth[:, shoulder] - self.truth[:, hip], axis=1
            )
            lengths.append(np.where(both & (length > 0), length, np.nan))
        return np.fmax(*lengths)

    def within(self, share: float, of: str = 'torso') -> np.ndarray:
        """Which keypoints are close to their labels, (N, K).

        Args:
            share (float): Part of the size that a keypoint may be off.
            of (str): What the size is: 'torso', its diagonal, or 'bbox', the box's
                longer side.
        """
        return self.distances() <= self._reach(share, of)

    def swapped(self, share: float = 0.2) -> np.ndarray:
        """Which keypoints are far from their label, and close to their partner's."""
        other = self.distances(self.truth[:, self.partners])
        reach = self._reach(share, 'torso')
        is_pair = self.partners != np.arange(len(self.partners))
        known = self.labeled & self.labeled[:, self.partners] & is_pair
        return known & (self.distances() > reach) & (other <= reach)

    def oks(self) -> np.ndarray:
        """Object keypoint similarity of each person, (N,); NaN without labels."""
        areas = estimate_areas(self.bboxes) if self.areas is None else self.areas
        spread = 2 * areas[:, None] * (2 * self.sigmas) ** 2
        likeness = np.exp(-(self.distances() ** 2) / spread) * self.labeled
        count = self.labeled.sum(1)
        return np.where(count > 0, likeness.sum(1) / np.maximum(count, 1), np.nan)

    def _reach(self, share: float, of: str) -> np.ndarray:
        """Largest distance that is close, (N, 1)."""
        if of == 'bbox':
            size = (self.bboxes[:, 2:] - self.bboxes[:, :2]).max(1)
        else:
            size = self.torso_lengths()
        return share * size[:, None]


def summarize(people: LabeledPeople) -> dict[str, float]:
    """Numbers of a table row.

    Returns:
        dict[str, float]: ``people`` and, as shares of one, ``PCK@0.2 torso`` (of
        people whose torso is labeled), ``PCK@0.1 bbox``, ``OKS`` (mean of people),
        ``OKS > .5``, ``AP-like`` (share of people beyond each of COCO's ten
        thresholds, averaged), ``swapped`` (sides mixed up), and ``PCK, any side``,
        which counts those as right.
    """
    counted = people.labeled & np.isfinite(people.torso_lengths())[:, None]
    close, swapped = people.within(0.2)[counted], people.swapped()[counted]
    oks = people.oks()
    oks = oks[np.isfinite(oks)]
    thresholds = np.arange(0.5, 1, 0.05)
    return {
        'people': len(people.truth),
        'PCK@0.2 torso': close.mean() if close.size else np.nan,
        'PCK, any side': (close | swapped).mean() if close.size else np.nan,
        'swapped': swapped.mean() if close.size else np.nan,
        'PCK@0.1 bbox': people.within(0.1, 'bbox')[people.labeled].mean(),
        'OKS': oks.mean(),
        'OKS > .5': (oks > 0.5).mean(),
        'AP-like': (oks[:, None] > thresholds).mean(),
    }


def reliability(
    scores: np.ndarray, right: np.ndarray, num_bins: int = 10
) -> list[tuple[float, float, int]]:
    """How often keypoints of like confidence are right.

    Args:
        scores (np.ndarray): Confidences, (M,).
        right (np.ndarray): Whether each keypoint is close to its label, (M,).
        num_bins (int): Bins of equal width from 0 to 1.

    Returns:
        list[tuple[float, float, int]]: Mean score, share that is right, and number of
        keypoints of each bin that is not empty.
    """
    index = np.clip((scores * num_bins).astype(int), 0, num_bins - 1)
    bins = [(scores[index == i], right[index == i]) for i in range(num_bins)]
    return [(s.mean(), r.mean(), len(s)) for s, r in bins if len(s)]


def calibration_error(table: list[tuple[float, float, int]]) -> float:
    """Mean distance of score and share of right keypoints, weighted by their number."""
    total = sum(count for *_, count in table)
    return sum(abs(score - right) * count for score, right, count in table) / total


def fit_confidence(
    scores: np.ndarray, right: np.ndarray, num_knots: int = 8
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit the rising curve from a model's scores to how often they are right.

    Isotonic regression, of which ``num_knots`` means of equally many keypoints are
    kept, and the ends; fewer where these have the same score. Beyond the surest
    keypoints the curve stays level.

    Args:
        scores (np.ndarray): Scores from 0 to 1, (M,).
        right (np.ndarray): Whether each keypoint is close to its label, (M,).
        num_knots (int): Knots between the ends. Defaults to 8.

    Returns:
        tuple: Scores and confidences at the knots, for ``test_cfg.score_curve``.

    Raises:
        ValueError: If there are fewer keypoints than knots.
    """
    if len(scores) < num_knots:
        raise ValueError(f'{len(scores)} keypoints are too few for {num_knots} knots')
    # keypoints of the same score are one, since they get one confidence
    levels, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(level, right) / counts
    fitted = isotonic_regression(shares, weights=counts).x
    ordered = np.sort(level)
    parts = [
        (levels[part].mean(), fitted[part].mean())
        for part in np.array_split(ordered, num_knots)
    ]
    knots = np.round([(0.0, 0.0), *parts, (1.0, fitted[-1])], 3).tolist()
    # of knots at the same score the last, which is the highest
    x, y = zip(*dict(knots).items(), strict=True)
    return x, y
