"""Feet of shards whose keypoints go from side to side.

Anny's regressors list the left big toe, the right one, the left small toe, and so on;
COCO-WholeBody lists the left foot, then the right one. The first shards of rendered
people have anny's order.
"""

from dataclasses import replace

import numpy as np

from mmhot.datasets.packed_people import PackedPeople
from mmhot.skeletons.joints import get_skeleton

_WHOLE = get_skeleton('coco-wholebody-133')
_FEET = np.array(_WHOLE.indices('feet'))
# Places of COCO-WholeBody's points in anny's order.
_ANNY = _FEET[[0, 2, 4, 1, 3, 5]]


def feet_alternate(people: PackedPeople) -> bool:
    """Whether the keypoints of the feet go from side to side.

    Args:
        people (PackedPeople): With the 133 keypoints of COCO-WholeBody.

    Returns:
        bool: True if the second and the fourth point, which are the right foot's then,
        are mostly closer to each other than the first and the second.
    """
    if people.keypoints.shape[1] != _WHOLE.num_keypoints:
        return False
    first, second, fourth = _FEET[[0, 1, 3]]
    known = (people.visibility[:, [first, second, fourth]] > 0).all(1)
    points = people.keypoints[known]
    one_foot = np.linalg.norm(points[:, second] - points[:, fourth], axis=-1)
    across = np.linalg.norm(points[:, first] - points[:, second], axis=-1)
    return bool(known.any() and (one_foot < across).mean() > 0.5)


def order_feet(people: PackedPeople) -> PackedPeople:
    """Put points of feet that go from side to side into COCO-WholeBody's order.

    Args:
        people (PackedPeople): For whom :func:`feet_alternate`.

    Returns:
        PackedPeople: The same, with ``keypoints``, ``visibility`` and ``cam3d`` as
        they should be.
    """
    order = np.arange(_WHOLE.num_keypoints)
    order[_FEET] = _ANNY
    extras = dict(people.extras)
    if 'cam3d' in extras:
        extras['cam3d'] = extras['cam3d'][:, order[: extras['cam3d'].shape[1]]]
    return replace(
        people,
        keypoints=people.keypoints[:, order],
        visibility=people.visibility[:, order],
        extras=extras,
    )
