"""Thresholds of detectors, chosen on other images than they are evaluated on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Heights of people, pixels, that are counted apart, and number of resampled sets.
_HEIGHTS, _RESAMPLED = (0, 64, 256), 1000


@dataclass
class ScoredImage:
    """Detections in an image, at any threshold.

    Attributes:
        heights (np.ndarray): Of labeled people, pixels (P,).
        found (np.ndarray): Scores of their detections, 0 without (P,).
        extra (np.ndarray): Scores of detections that match no label, (D,).
    """

    heights: np.ndarray
    found: np.ndarray
    extra: np.ndarray


Images = Sequence[ScoredImage]


def cross_validate(labeled: Images, empty: Images, extra: int) -> dict:
    """Count people found in each image, with a threshold chosen on all others.

    Args:
        labeled (Images): Images with people.
        empty (Images): Images without people.
        extra (int): Extra detections allowed in as many images as are labeled; both
            kinds of images have to keep to it, in proportion to their number.

    Returns:
        dict: ``threshold`` of all images; numbers of people, by least height, and of
        those found, and extra detections. Intervals hold 95 % of the numbers that
        thresholds of resampled images have on other resampled images.
    """
    rate = extra / len(labeled)
    groups = [list(labeled), list(empty)]
    count = np.zeros(len(_HEIGHTS) + 2)
    for kind, group in enumerate(groups):
        for place, image in enumerate(group):
            others = [*groups]
            others[kind] = group[:place] + group[place + 1 :]
            count += _count([image], _choose(others, rate), kind == 0)
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(_RESAMPLED):
        threshold = _choose(_resample(groups, rng), rate)
        drawn = _resample(groups, rng)
        counts = [_count(x, threshold, kind == 0) for kind, x in enumerate(drawn)]
        resampled.append(sum(counts))
    low, high = np.percentile(resampled, (2.5, 97.5), axis=0)
    texts = [f'{n:g} [{a:g}, {b:g}]' for n, a, b in zip(count, low, high, strict=True)]
    people = np.concatenate([image.heights for image in labeled])
    return {
        'threshold': round(_choose(groups, rate), 3),
        **{
            f'found from {height} px': f'{text} of {(people >= height).sum()}'
            for height, text in zip(_HEIGHTS, texts, strict=False)
        },
        f'extra in {len(labeled)} images': texts[-2],
        f'in {len(empty)} without people': texts[-1],
    }


def _choose(groups: Sequence[Images], rate: float) -> float:
    """Least score above which no group has more extra detections per image."""
    threshold = 0.0
    for group in groups:
        scores = np.sort(np.concatenate([image.extra for image in group]))[::-1]
        allowed = int(rate * len(group) + 1e-6)
        threshold = max([threshold, *scores[allowed : allowed + 1].tolist()])
    return threshold


def _count(images: Images, threshold: float, is_labeled: bool) -> np.ndarray:
    """Found people by height, extra detections of labeled and of empty images."""
    scores = np.concatenate([image.found for image in images])
    heights = np.concatenate([image.heights for image in images])[scores > threshold]
    extra = (np.concatenate([image.extra for image in images]) > threshold).sum()
    found = [(heights >= height).sum() for height in _HEIGHTS]
    return np.array([*found, extra * is_labeled, extra * (not is_labeled)])


def _resample(groups: list, rng: np.random.Generator) -> list:
    return [[x[i] for i in rng.integers(len(x), size=len(x))] for x in groups]
