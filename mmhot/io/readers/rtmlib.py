"""rtmlib: keypoints and scores of the people in each frame, in memory.

``body(image)`` of ``rtmlib.Body`` and its ``PoseTracker`` returns a pair of arrays:

    >>> one, two = np.ones((1, 17, 2)), np.ones((2, 17, 2))
    >>> rows = read_people([(one, one[..., 0]), (two, two[..., 0])])
    >>> rows.points.shape, rows.scores.shape
    ((2, 2, 17, 2), (2, 2, 17))
"""

import numpy as np

from mmhot.structures.rows import Rows


def read_people(content: object) -> Rows | None:
    """Stack the keypoints of each frame, perhaps with scores.

    Args:
        content (object): A list with keypoints (P, K, 2), or a pair of them and scores
            (P, K), for each of T frames. P may differ between frames.

    Returns:
        Rows | None: Keypoints (T, P, K, 2) and perhaps scores (T, P, K), where P is the
        largest number of people. Missing people are NaN, with scores of 0. None if the
        content has another structure.
    """
    if not isinstance(content, list):
        return None
    pairs = [x if isinstance(x, tuple) else (x,) for x in content]
    axes = {tuple(map(np.ndim, pair)) for pair in pairs}
    if axes not in ({(3,)}, {(3, 2)}) or not hasattr(pairs[0][0], 'dtype'):
        return None
    most = max(len(pair[0]) for pair in pairs)

    def stack(frames: tuple[np.ndarray, ...], missing: float) -> np.ndarray:
        """Stack arrays (P, ...), filled up to the largest number of people."""
        return np.stack(
            [
                np.append(x, np.full((most - len(x), *x.shape[1:]), missing), 0)
                for x in frames
            ]
        )

    points, *scores = zip(*pairs, strict=True)
    return Rows(stack(points, np.nan), stack(scores[0], 0) if scores else None)
