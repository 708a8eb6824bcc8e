"""VideoPose3D's ``data_2d_custom``; results of HoT and MHFormer, which follow it."""

from collections.abc import Mapping
from typing import Any

from mmhot.io.readers.keys import Key
from mmhot.structures.rows import Rows

KEYS = {'reconstruction': Key('points')}


def read_custom(content: Mapping[str, Any]) -> Rows:
    """Read the keypoints of one video and one person."""
    videos = content['positions_2d']
    if not isinstance(videos, dict) or len(videos) != 1:
        listed = ', '.join(map(str, videos)) if isinstance(videos, dict) else 'none'
        raise ValueError(
            f'must have one video, has {listed:.100}: prepare a file for each'
        )
    [(name, cameras)] = videos.items()
    [people] = cameras.values()
    if len(people) != 1:
        raise ValueError(f'must have one person, has {len(people)}')
    size = content.get('metadata', {}).get('video_metadata', {}).get(name, {})
    return Rows(people[0], width=size.get('w'), height=size.get('h'))
