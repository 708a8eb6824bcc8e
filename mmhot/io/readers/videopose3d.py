"""VideoPose3D: ``data_2d_custom_NAME.npz``; arrays of HoT and MHFormer, its successors.

``prepare_data_2d_custom.py`` writes one array (T, 17, 2) in pixels for each person of
each video:

    >>> import numpy as np
    >>> rows = read_custom({
    ...     'positions_2d': {'walk.mp4': {'custom': [np.ones((9, 17, 2))]}},
    ...     'metadata': {'video_metadata': {'walk.mp4': {'w': 640, 'h': 480}}},
    ... })
    >>> rows.points.shape, rows.width
    ((9, 17, 2), 640)

``demo/vis.py`` of HoT and MHFormer writes ``reconstruction``: (1, T, 17, 2) in pixels
in ``keypoints.npz``, and (T, 17, 3) in ``output_keypoints_3d.npz``.
"""

from collections.abc import Mapping
from typing import Any

from mmhot.io.readers.keys import Key
from mmhot.structures.rows import Rows

KEYS = {'reconstruction': Key('points')}


def read_custom(content: Mapping[str, Any]) -> Rows:
    """Read the keypoints of one person in one video.

    Returns:
        Rows: One row per frame, in pixels.

    Raises:
        ValueError: If there are several videos or people.
    """
    videos = content['positions_2d']
    if not isinstance(videos, dict) or len(videos) != 1:
        listed = ', '.join(map(str, videos)) if isinstance(videos, dict) else 'none'
        raise ValueError(
            f'must have one video, got {listed:.100}: prepare a file for each'
        )
    [(name, cameras)] = videos.items()
    [people] = cameras.values()
    if len(people) != 1:
        raise ValueError(f'must have one person, got {len(people)}')
    size = content.get('metadata', {}).get('video_metadata', {}).get(name, {})
    return Rows(people[0], width=size.get('w'), height=size.get('h'))
