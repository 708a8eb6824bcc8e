"""SAM 3D Body: a list of people for each image, in the camera's axes.

``SAM3DBodyEstimator.process_one_image`` returns such a list. Joints are MHR's 70, in
meters around the pelvis, and ``pred_cam_t`` moves them to the camera:

    >>> from mmhot.io.readers.people import people_of
    >>> people_of([{'pred_keypoints_3d': [[0, -0.6, 0]], 'pred_cam_t': [0.1, 1.2, 4],
    ...             'pred_keypoints_2d': [[640, 300]], 'focal_length': 1100}])
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'axes': 'camera', 'points_3d': [[0, -0.6, 0]], 'root_3d': [0.1, 1.2, 4],
      'points_2d': [[640, 300]], 'focal_length': 1100}]

A fork nests the keys of a person in the dicts ``skeleton`` and ``camera``. Tables of
SAM3DBody-cpp name fingers differently.
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
    """Convert SAM3DBody-cpp's name of a joint to the name in our skeletons.

    >>> joint_name('right_ring_tip')
    'right_ring_finger4'
    """
    name = name.replace('_toe_tip', '_toe')
    if match := _FINGER.fullmatch(name):
        side, finger, point = match.groups()
        name = f'{side}_{_FINGERS.get(finger, f"{finger}_finger")}{_POINTS[point]}'
    return name
