"""CMU Panoptic: folder ``hdPose3d_stage1_coco19`` with a JSON file per frame.

``body3DScene_00000141.json`` has x, y, z in centimeters and score of 19 joints:

    >>> from mmhot.io.readers.people import people_of
    >>> scene = {'version': 0.7, 'bodies': [{'id': 3, 'joints19': [9, -150, 12, 0.8]}]}
    >>> person, = people_of(scene)
    >>> person['points_3d'], person['joint_names'][:2]
    ([9, -150, 12, 0.8], ('neck', 'nose'))
"""

from mmhot.io.readers.keys import Key
from mmhot.skeletons.joints import get_skeleton

KEYS = {
    'joints19': Key('points_3d', {'joint_names': get_skeleton('panoptic-19').joints})
}
