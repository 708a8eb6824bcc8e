"""SAM 3D Body: a list of people for each image, in the camera's axes.

A fork nests the keys of a person in the dicts ``skeleton`` and ``camera``. Tables of
SAM3DBody-cpp have other names of fingers.
"""

import re

from mmhot.io.readers.keys import Key

KEYS = {
    'pred_keypoints_3d': Key('points_3d', {'axes': 'camera'}),
    'pred_keypoints_2d': Key('points_2d'),
    'pred_cam_t': Key('root_3d'),
    'translation': Key('root_3d'),
    'focal_length': Key('focal_length'),
}
# A side, a finger, and a point; the third point is the one next to the knuckle.
_FINGER = re.compile(
    r'(\w+)_(thumb|index|middle|ring|pinky)_(tip|first|second|third)(?:_joint)?'
)
_FINGERS = {'index': 'forefinger', 'thumb': 'thumb'}
_POINTS = {'tip': 4, 'first': 3, 'second': 2, 'third': 1}


def joint_name(name: str) -> str:
    """Return a joint's name as skeletons have it.

    >>> joint_name('right_ring_tip')
    'right_ring_finger4'
    """
    name = name.replace('_toe_tip', '_toe')
    if match := _FINGER.fullmatch(name):
        side, finger, point = match.groups()
        name = f'{side}_{_FINGERS.get(finger, f"{finger}_finger")}{_POINTS[point]}'
    return name
