"""Joints and parents of all skeletons, as text: data of :mod:`mmhot.skeletons.joints`.

A word ``joint<parent`` is one joint, in the skeleton's order. The trees of skeletons
without joints on the trunk's midline start at the nose. Every tree is its own mirror
image.
"""

from itertools import pairwise


def _chain(*joints: str) -> str:
    """Write joints as words, each the child of the one before; the first is known."""
    return ' '.join(f'{child}<{parent}' for parent, child in pairwise(joints))


def _hand(side: str) -> str:
    root = f'{side}_hand_root'
    fingers = ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger')
    return ' '.join(
        [
            f'{root}<{side}_wrist',
            *(_chain(root, *(f'{side}_{f}{n}' for n in range(1, 5))) for f in fingers),
        ]
    )


def _face() -> str:
    """Return the 68 face points as words, as a tree that is its own mirror image."""
    chains = (
        ('nose', 27, 28, 29, 30, 33, 51, 57),  # nose ridge, below the nose, lips
        ('nose', 8, 7, 6, 5, 4, 3, 2, 1, 0),  # chin to the right ear
        (8, 9, 10, 11, 12, 13, 14, 15, 16),
        (27, 21, 20, 19, 18, 17),  # brows
        (27, 22, 23, 24, 25, 26),
        (33, 32, 31),  # nostrils
        (33, 34, 35),
        *(('right_eye', point) for point in range(36, 42)),
        *(('left_eye', point) for point in range(42, 48)),
        (51, 50, 49, 48),  # outer lips, from the middle to the corners
        (51, 52, 53, 54),
        (57, 58, 59),
        (57, 56, 55),
        (51, 62, 61, 60),  # inner lips
        (62, 63, 64),
        (57, 66, 67),
        (66, 65),
    )
    parents = {
        child: parent if isinstance(parent, str) else f'face-{parent}'
        for chain in chains
        for parent, child in pairwise(chain)
    }
    return ' '.join(f'face-{point}<{parents[point]}' for point in range(68))


# Left face points and their partners.
FACE_PAIRS = {
    f'face-{left}': f'face-{right}'
    for left, right in (
        *((16 - point, point) for point in range(8)),
        *((43 - point, point) for point in range(17, 22)),
        *((35, 31), (34, 32)),
        *((45, 36), (44, 37), (43, 38), (42, 39), (47, 40), (46, 41)),
        *((54, 48), (53, 49), (52, 50), (55, 59), (56, 58)),
        *((64, 60), (63, 61), (65, 67)),
    )
}

COCO_BODY = (
    'nose left_eye<nose right_eye<nose left_ear<left_eye right_ear<right_eye '
    'left_shoulder<left_ear right_shoulder<right_ear left_elbow<left_shoulder '
    'right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow '
    'left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip '
    'right_knee<right_hip left_ankle<left_knee right_ankle<right_knee'
)
COCO_FEET = ' '.join(
    f'{side}_{part}<{side}_ankle'
    for side in ('left', 'right')
    for part in ('big_toe', 'small_toe', 'heel')
)

H36M = (
    'root right_hip<root right_knee<right_hip right_foot<right_knee '
    'left_hip<root left_knee<left_hip left_foot<left_knee '
    'spine<root thorax<spine neck_base<thorax head<neck_base '
    'left_shoulder<thorax left_elbow<left_shoulder left_wrist<left_elbow '
    'right_shoulder<thorax right_elbow<right_shoulder right_wrist<right_elbow'
)

MPI_INF_3DHP = (
    'head_top<head neck<spine right_shoulder<neck right_elbow<right_shoulder '
    'right_wrist<right_elbow left_shoulder<neck left_elbow<left_shoulder '
    'left_wrist<left_elbow right_hip<root right_knee<right_hip '
    'right_ankle<right_knee left_hip<root left_knee<left_hip '
    'left_ankle<left_knee root spine<root head<neck'
)

HALPE = (
    'nose<neck left_eye<nose right_eye<nose left_ear<left_eye '
    'right_ear<right_eye left_shoulder<neck right_shoulder<neck '
    'left_elbow<left_shoulder right_elbow<right_shoulder '
    'left_wrist<left_elbow right_wrist<right_elbow left_hip<hip right_hip<hip '
    'left_knee<left_hip right_knee<right_hip left_ankle<left_knee '
    'right_ankle<right_knee head<neck neck<hip hip '
    'left_big_toe<left_ankle right_big_toe<right_ankle '
    'left_small_toe<left_ankle right_small_toe<right_ankle '
    'left_heel<left_ankle right_heel<right_ankle'
)

MPII = (
    'right_ankle<right_knee right_knee<right_hip right_hip<pelvis left_hip<pelvis '
    'left_knee<left_hip left_ankle<left_knee pelvis thorax<pelvis '
    'upper_neck<thorax head_top<upper_neck right_wrist<right_elbow '
    'right_elbow<right_shoulder right_shoulder<thorax left_shoulder<thorax '
    'left_elbow<left_shoulder left_wrist<left_elbow'
)

CROWDPOSE = (
    'left_shoulder<neck right_shoulder<neck left_elbow<left_shoulder '
    'right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow '
    'left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip '
    'right_knee<right_hip left_ankle<left_knee right_ankle<right_knee '
    'top_head<neck neck'
)

POSETRACK18 = (
    'nose head_bottom<nose head_top<nose left_ear<nose right_ear<nose '
    'left_shoulder<head_bottom right_shoulder<head_bottom left_elbow<left_shoulder '
    'right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow '
    'left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip '
    'right_knee<right_hip left_ankle<left_knee right_ankle<right_knee'
)

MEDIAPIPE = (
    'nose left_eye_inner<nose left_eye<left_eye_inner left_eye_outer<left_eye '
    'right_eye_inner<nose right_eye<right_eye_inner right_eye_outer<right_eye '
    'left_ear<left_eye_outer right_ear<right_eye_outer mouth_left<nose '
    'mouth_right<nose left_shoulder<left_ear right_shoulder<right_ear '
    'left_elbow<left_shoulder right_elbow<right_shoulder '
    'left_wrist<left_elbow right_wrist<right_elbow left_pinky<left_wrist '
    'right_pinky<right_wrist left_index<left_wrist right_index<right_wrist '
    'left_thumb<left_wrist right_thumb<right_wrist left_hip<left_shoulder '
    'right_hip<right_shoulder left_knee<left_hip right_knee<right_hip '
    'left_ankle<left_knee right_ankle<right_knee left_heel<left_ankle '
    'right_heel<right_ankle left_foot_index<left_ankle '
    'right_foot_index<right_ankle'
)

FACE = _face()
LEFT_HAND = _hand('left')
RIGHT_HAND = _hand('right')
COCO_WHOLEBODY = ' '.join([COCO_BODY, COCO_FEET, FACE, LEFT_HAND, RIGHT_HAND])
