"""Tables of weights that derive the joints of one skeleton from another skeleton.

Joints are named by their meaning, which is the same in all skeletons. A recipe maps
source joints to weights; a pair of weights is for the x and y axis of the image. A
joint may have several recipes, of which the first one with existing joints is used.
``docs/mmpose.md`` has those of the shipped weights.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

Recipe = Mapping[str, float | np.ndarray]

_MID_SHOULDERS = {'left_shoulder': 0.5, 'right_shoulder': 0.5}
_MID_HIPS = {'left_hip': 0.5, 'right_hip': 0.5}
_MID_EYES = {'left_eye': 0.5, 'right_eye': 0.5}
_MID_EARS = {'left_ear': 0.5, 'right_ear': 0.5}
_NOSE = {'nose': 1.0}


def _mix(*terms: tuple[float | tuple[float, float], Recipe]) -> Recipe:
    """Return the weighted sum of recipes, per axis where a weight is a pair."""
    total: dict[str, np.ndarray] = {}
    for weight, recipe in terms:
        for part, share in recipe.items():
            total[part] = total.get(part, np.zeros(2)) + np.multiply(weight, share)
    return MappingProxyType(total)


_FINGERS = ('forefinger', 'middle_finger', 'ring_finger', 'pinky_finger')
_MID_TRUNK = _mix((0.5, _MID_SHOULDERS), (0.5, _MID_HIPS))

# Top of the head for skeletons without a face, such as SMPL's: a fifth of the trunk
# above the head's center, which is 45 mm off in CMU's motion capture.
_ABOVE_HEAD = _mix(
    (1.0, {'head_center': 1.0}), (0.21, _MID_SHOULDERS), (-0.21, _MID_HIPS)
)

# Recipes of all mappings, for joints that no published mapping covers.
_GENERAL: dict[str, list[Recipe]] = {
    'pelvis': [_MID_HIPS],
    'neck': [{'thorax': 1.0}, {'neck_3dhp': 1.0}, _MID_SHOULDERS],
    'thorax': [{'neck_3dhp': 1.0}, _MID_SHOULDERS],
    'neck_3dhp': [{'thorax': 1.0}, _MID_SHOULDERS],
    'spine': [{'spine_3dhp': 1.0}, _MID_TRUNK],
    'spine_3dhp': [{'spine': 1.0}, _MID_TRUNK],
    'neck_base': [{'head_center': 1.0}],
    'head_center': [{'neck_base': 1.0}],
    **{
        f'{side}_{joint}': [{part.format(side=side): 1.0}]
        for side in ('left', 'right')
        for joint, part in (
            ('index', '{side}_forefinger1'),
            ('forefinger1', '{side}_index'),
            ('pinky', '{side}_pinky_finger1'),
            ('pinky_finger1', '{side}_pinky'),
            ('hand_root', '{side}_wrist'),
            ('foot_index', '{side}_big_toe'),
            ('big_toe', '{side}_foot_index'),
        )
    },
    # The middle of the hand is the mean of its knuckles.
    **{
        f'{side}_hand': [
            {f'{side}_{finger}1': 0.25 for finger in _FINGERS},
            {f'{side}_index': 0.5, f'{side}_pinky': 0.5},
        ]
        for side in ('left', 'right')
    },
}


def _with_head(nose: Recipe, top: Recipe) -> dict[str, list[Recipe]]:
    """Add recipes of the neck's base and of the top of the head."""
    return _GENERAL | {
        'neck_base': [{'head_center': 1.0}, nose],
        'head_center': [{'neck_base': 1.0}, nose],
        'head_top': [top, _ABOVE_HEAD],
    }


# The conversion of mmpose.apis.convert_keypoint_definition
_MMPOSE = _with_head(nose=_NOSE, top=_MID_EYES)

# The conversion in the demos of the HoT family, as one linear map per axis
_HOT = _with_head(
    nose=_mix((3 / 4, _NOSE), (1 / 4, _MID_SHOULDERS)),
    top=_mix(
        ((1 / 2, 2.0), _MID_EYES), ((1 / 2, 0.0), _MID_EARS), ((0.0, -1.0), _NOSE)
    ),
) | {
    'thorax': [
        {'neck_3dhp': 1.0},
        _mix(
            (2 / 3, _MID_SHOULDERS), ((1 / 3, 1.0), _NOSE), ((0.0, -2 / 3), _MID_EYES)
        ),
    ],
    'spine': [
        {'spine_3dhp': 1.0},
        _mix(
            ((5 / 6, 1 / 2), _MID_SHOULDERS), (1 / 2, _MID_HIPS), ((-1 / 3, 0.0), _NOSE)
        ),
    ],
}

# A conversion that was fitted to rendered people; shipped weights were trained with it
_TRAINED = _with_head(
    nose=_mix((0.5, _NOSE), (0.4, _MID_EARS), (0.1, _MID_SHOULDERS)),
    top=_mix((4 / 3, _MID_EARS), (-1 / 3, _MID_SHOULDERS)),
)
# Neck base from Human3.6M's nose: halfway from there to the line from thorax to head.
_TRAINED['neck_base'].insert(0, {'nose': 0.5, 'thorax': 0.25, 'head_top': 0.25})

MAPPINGS: Mapping[str, Mapping[str, list[Recipe]]] = MappingProxyType(
    {'mmpose': _MMPOSE, 'hot': _HOT, 'trained': _TRAINED}
)
