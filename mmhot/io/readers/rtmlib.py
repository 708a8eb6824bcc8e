"""Results of rtmlib: arrays of the people in each frame."""

from typing import Any

import numpy as np

from mmhot.structures.rows import Rows


def read_people(content: Any) -> Rows | None:
    """Stack keypoints (P, K, 2) of each frame, or pairs with scores (P, K).

    Rows have keypoints (T, P, K, 2) and perhaps scores (T, P, K), NaN and 0 for people
    who are not in a frame. The result is None if the content is something else.
    """
    if not isinstance(content, list):
        return None
    pairs = [x if isinstance(x, tuple) else (x,) for x in content]
    axes = {tuple(map(np.ndim, pair)) for pair in pairs}
    if axes not in ({(3,)}, {(3, 2)}) or not hasattr(pairs[0][0], 'dtype'):
        return None
    most = max(len(pair[0]) for pair in pairs)
    columns = zip(zip(*pairs, strict=True), (np.nan, 0), strict=False)
    points, *scores = [
        np.stack(
            [
                np.append(x, np.full((most - len(x), *x.shape[1:]), value), 0)
                for x in column
            ]
        )
        for column, value in columns
    ]
    return Rows(points, scores[0] if scores else None)
