"""Definitions of the built-in skeletons: joints, parents, groups and dataset names.

Each entry of ``DEFINITIONS`` holds the arguments of
:func:`mmhot.skeletons.joints.register_skeleton`. Trees of skeletons without joints on
the midline of the trunk have the nose as root. Every tree is its own mirror image.
"""

from collections.abc import Iterable
from itertools import chain


def _both(text: str) -> str:
    """Replace each word with ``@`` by one with ``left_`` and one with ``right_``."""
    words = (
        [word.replace('@', side) for side in ('left_', 'right_')]
        if '@' in word
        else [word]
        for word in text.split()
    )
    return ' '.join(chain.from_iterable(words))


def _fingers(side: str, base: str, numbers: Iterable[int]) -> str:
    """Name the points of fingers, which are numbered from the base outwards."""
    words = []
    for name in ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger'):
        points = [base, *(f'{side}_{name}{number}' for number in range(1, 5))]
        words += [f'{points[x]}<{points[x - 1]}' for x in numbers]
    return ' '.join(words)


# Left face landmarks and their right counterparts.
_FACE_PAIRS = {
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

_COCO_BODY = _both(
    'nose @eye<nose @ear<@eye @shoulder<@ear @elbow<@shoulder @wrist<@elbow '
    '@hip<@shoulder @knee<@hip @ankle<@knee'
)
_COCO_FEET = ' '.join(
    f'{side}_{part}<{side}_ankle'
    for side in ('left', 'right')
    for part in ('big_toe', 'small_toe', 'heel')
)

_H36M = (
    'root right_hip<root right_knee<right_hip right_foot<right_knee '
    'left_hip<root left_knee<left_hip left_foot<left_knee '
    'spine<root thorax<spine neck_base<thorax head<neck_base '
    'left_shoulder<thorax left_elbow<left_shoulder left_wrist<left_elbow '
    'right_shoulder<thorax right_elbow<right_shoulder right_wrist<right_elbow'
)

_EXTREMITIES = (
    'left_big_toe<left_foot left_heel<left_foot right_big_toe<right_foot '
    'right_heel<right_foot left_hand<left_wrist right_hand<right_wrist nose<neck_base'
)

_MPI_INF_3DHP = (
    'head_top<head neck<spine right_shoulder<neck right_elbow<right_shoulder '
    'right_wrist<right_elbow left_shoulder<neck left_elbow<left_shoulder '
    'left_wrist<left_elbow right_hip<root right_knee<right_hip '
    'right_ankle<right_knee left_hip<root left_knee<left_hip '
    'left_ankle<left_knee root spine<root head<neck'
)

_HALPE = _both(
    'nose<neck @eye<nose @ear<@eye @shoulder<neck @elbow<@shoulder @wrist<@elbow '
    '@hip<hip @knee<@hip @ankle<@knee head<neck neck<hip hip '
    '@big_toe<@ankle @small_toe<@ankle @heel<@ankle'
)

_MPII = (
    'right_ankle<right_knee right_knee<right_hip right_hip<pelvis left_hip<pelvis '
    'left_knee<left_hip left_ankle<left_knee pelvis thorax<pelvis '
    'upper_neck<thorax head_top<upper_neck right_wrist<right_elbow '
    'right_elbow<right_shoulder right_shoulder<thorax left_shoulder<thorax '
    'left_elbow<left_shoulder left_wrist<left_elbow'
)

_CROWDPOSE = _both(
    '@shoulder<neck @elbow<@shoulder @wrist<@elbow @hip<@shoulder @knee<@hip '
    '@ankle<@knee top_head<neck neck'
)

_POSETRACK18 = _both(
    'nose head_bottom<nose head_top<nose @ear<nose @shoulder<head_bottom '
    '@elbow<@shoulder @wrist<@elbow @hip<@shoulder @knee<@hip @ankle<@knee'
)

_MEDIAPIPE = _both(
    'nose left_eye_inner<nose left_eye<left_eye_inner left_eye_outer<left_eye '
    'right_eye_inner<nose right_eye<right_eye_inner right_eye_outer<right_eye '
    '@ear<@eye_outer mouth_left<nose mouth_right<nose @shoulder<@ear '
    '@elbow<@shoulder @wrist<@elbow @pinky<@wrist @index<@wrist @thumb<@wrist '
    '@hip<@shoulder @knee<@hip @ankle<@knee @heel<@ankle @foot_index<@ankle'
)

_OPENPOSE_ARMS = (
    'right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow '
    'left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow'
)
_OPENPOSE_LEGS = (
    'right_hip<mid_hip right_knee<right_hip right_ankle<right_knee '
    'left_hip<mid_hip left_knee<left_hip left_ankle<left_knee '
    'right_eye<nose left_eye<nose right_ear<right_eye left_ear<left_eye'
)


# OpenPose's BODY_25B and MPI, by POSE_BODY_25B_BODY_PARTS and POSE_MPI_BODY_PARTS of
# https://github.com/CMU-Perceptual-Computing-Lab/openpose
_OPENPOSE_25B = _both(
    'nose<neck @eye<nose @ear<@eye @shoulder<neck @elbow<@shoulder @wrist<@elbow '
    '@hip<neck @knee<@hip @ankle<@knee neck head_top<neck '
    f'{_COCO_FEET}'
)
_MPI_15 = (
    'head_top<neck neck<chest right_shoulder<neck right_elbow<right_shoulder '
    'right_wrist<right_elbow left_shoulder<neck left_elbow<left_shoulder '
    'left_wrist<left_elbow right_hip<chest right_knee<right_hip '
    'right_ankle<right_knee left_hip<chest left_knee<left_hip left_ankle<left_knee '
    'chest'
)
# AI Challenger, by MMPose's aic.py, and Leeds Sports Pose, by the data set's README
# (http://sam.johnson.io/research/lsp.html)
_AIC = (
    'right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow '
    'left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow '
    'right_hip<neck right_knee<right_hip right_ankle<right_knee left_hip<neck '
    'left_knee<left_hip left_ankle<left_knee head_top<neck neck'
)
_LSP = (
    'right_ankle<right_knee right_knee<right_hip right_hip<neck left_hip<neck '
    'left_knee<left_hip left_ankle<left_knee right_wrist<right_elbow '
    'right_elbow<right_shoulder right_shoulder<neck left_shoulder<neck '
    'left_elbow<left_shoulder left_wrist<left_elbow neck head_top<neck'
)
# Kinect 2, by its JointType: SpineBase, SpineMid, Neck, Head, ShoulderLeft, ...
# (https://docs.microsoft.com/en-us/previous-versions/windows/kinect/dn758662(v=ieb.10))
_KINECT = (
    'spine_base spine_mid<spine_base neck<spine_shoulder head<neck '
    'left_shoulder<spine_shoulder left_elbow<left_shoulder left_wrist<left_elbow '
    'left_hand<left_wrist right_shoulder<spine_shoulder right_elbow<right_shoulder '
    'right_wrist<right_elbow right_hand<right_wrist left_hip<spine_base '
    'left_knee<left_hip left_ankle<left_knee left_foot<left_ankle '
    'right_hip<spine_base right_knee<right_hip right_ankle<right_knee '
    'right_foot<right_ankle spine_shoulder<spine_mid left_hand_tip<left_hand '
    'left_thumb<left_hand right_hand_tip<right_hand right_thumb<right_hand'
)

_MHR_HANDS = {
    side: _fingers(side, f'{side}_wrist', (4, 3, 2, 1)) for side in ('right', 'left')
}
_MHR = ' '.join(
    [
        _both(
            'nose<neck @eye<nose @ear<@eye @shoulder<neck @elbow<@shoulder '
            '@hip<@shoulder @knee<@hip @ankle<@knee'
        ),
        _COCO_FEET,
        *(f'{hand} {side}_wrist<{side}_elbow' for side, hand in _MHR_HANDS.items()),
        _both('@olecranon<@elbow @cubital_fossa<@elbow @acromion<@shoulder neck'),
    ]
)

# Landmarks of the face are not linked, as in MMPose.
_FACE = ' '.join(f'face-{point}' for point in range(68))
_LEFT_HAND, _RIGHT_HAND = (
    f'{side}_hand_root<{side}_wrist '
    + _fingers(side, f'{side}_hand_root', (1, 2, 3, 4))
    for side in ('left', 'right')
)
_COCO_WHOLEBODY = ' '.join([_COCO_BODY, _COCO_FEET, _FACE, _LEFT_HAND, _RIGHT_HAND])

# SMPL's joints (https://smpl.is.tue.mpg.de). HumanML3D has all but the hands
# (https://github.com/EricGuo5513/HumanML3D).
_SMPL_22 = _both(
    'pelvis @hip<pelvis spine1<pelvis @knee<@hip spine2<spine1 @ankle<@knee '
    'spine3<spine2 @foot<@ankle neck<spine3 @collar<spine3 head<neck '
    '@shoulder<@collar @elbow<@shoulder @wrist<@elbow'
)
_SMPL = dict(
    groups=dict(head='head', torso='pelvis spine1 spine2 spine3 neck'),
    meanings=dict(
        head='head_center', left_foot='left_foot_index', right_foot='right_foot_index'
    ),
)
# Names of the same joints in HumanIK, Mixamo and Rokoko (LeftArm), Unity and Xsens
# (LeftUpperArm), OptiTrack's Motive (LUArm), ARKit (left_arm_joint), Meta's headsets
# (LeftArmUpper), Daz (lShldrBend), and Unreal, where it is upperarm_l. Rigify's neck
# and head are spine.004 and spine.006.
RIG_NAMES = {
    **{
        name: joint
        for joint, names in (
            ('pelvis', 'hips hip pelvis hipsjoint'),
            ('spine_1', 'spine spine01 ab'),
            ('spine_2', 'spine1 spine02 chest'),
            ('spine_3', 'spine2 spine03 upperchest'),
            ('neck', 'neck neck01 neck1joint necklower spine004'),
            ('head', 'head headjoint spine006'),
        )
        for name in names.split()
    },
    **{
        f'{start}{name}': f'{side}_{part}'
        for side in ('left', 'right')
        for part, names in (
            ('collar', 'shoulder clavicle shoulder1joint collar'),
            ('shoulder', 'arm upperarm uarm armjoint armupper shldrbend'),
            ('elbow', 'forearm lowerarm farm forearmjoint armlower forearmbend'),
            ('wrist', 'hand handjoint handwrist'),
            ('hip', 'upleg upperleg thigh uplegjoint thighbend'),
            ('knee', 'leg lowerleg shin calf legjoint'),
            ('ankle', 'foot footjoint footankle'),
            ('foot', 'toebase toe toes ball toesjoint toes01 toe0 football'),
        )
        for name in names.split()
        for start in (side, side[0])
    },
}
"""Joints of ``humanml3d-22`` by their names in rigs, in lower case without signs."""
# CMU Panoptic's joints (http://domedb.perception.cs.cmu.edu), there named Neck, Nose,
# BodyCenter, ...
_PANOPTIC = (
    'neck nose<neck body_center<neck left_shoulder<neck left_elbow<left_shoulder '
    'left_wrist<left_elbow left_hip<body_center left_knee<left_hip '
    'left_ankle<left_knee right_shoulder<neck right_elbow<right_shoulder '
    'right_wrist<right_elbow right_hip<body_center right_knee<right_hip '
    'right_ankle<right_knee left_eye<nose left_ear<left_eye right_eye<nose '
    'right_ear<right_eye'
)

_HEAD = _both('nose @eye @ear')
_CORNERS = _both('@shoulder @hip')
_UPPER = _both('@shoulder @elbow @wrist')
_LOWER = _both('@hip @knee @ankle')
_H36M_MEANINGS = dict(
    root='pelvis', left_foot='left_ankle', right_foot='right_ankle', head='head_top'
)
_HALVES = dict(upper_body=_UPPER, lower_body=_LOWER)
_FEET = {
    f'{side}_foot': f'{side}_big_toe {side}_small_toe {side}_heel'
    for side in ('left', 'right')
}


def _joints(tree: str) -> str:
    """Drop the parents of a tree's words."""
    return ' '.join(word.partition('<')[0] for word in tree.split())


DEFINITIONS = (
    dict(
        name='coco-17',
        tree=_COCO_BODY,
        groups=dict(head=_HEAD, torso=_CORNERS, **_HALVES),
        dataset_names=('coco', 'ochuman'),
        by_count=True,
    ),
    dict(
        name='coco-wholebody-133',
        tree=_COCO_WHOLEBODY,
        groups=dict(
            head=_HEAD,
            torso=_CORNERS,
            **_HALVES,
            body=_joints(_COCO_BODY),
            feet=_joints(_COCO_FEET),
            **_FEET,
            face=_joints(_FACE),
            left_hand=_joints(_LEFT_HAND),
            right_hand=_joints(_RIGHT_HAND),
        ),
        flip_pairs=_FACE_PAIRS,
        dataset_names=('coco_wholebody',),
        by_count=True,
    ),
    dict(
        name='h36m-17',
        tree=_H36M,
        groups=dict(head='neck_base head', torso='root spine thorax'),
        meanings=_H36M_MEANINGS,
        dataset_names=('h36m',),
    ),
    # Human3.6M itself, and lifters that were trained on it, have the nose as joint 9.
    dict(
        name='h36m-17-nose',
        tree=_H36M.replace('neck_base', 'nose'),
        groups=dict(head='nose head', torso='root spine thorax'),
        meanings=_H36M_MEANINGS,
    ),
    dict(
        name='h36m-24',
        tree=f'{_H36M} {_EXTREMITIES}',
        groups=dict(head='neck_base head nose', torso='root spine thorax'),
        meanings=_H36M_MEANINGS,
    ),
    dict(
        name='mpi-inf-3dhp-17',
        tree=_MPI_INF_3DHP,
        groups=dict(head='head head_top', torso='root spine neck'),
        meanings=dict(
            root='pelvis', head='head_center', neck='neck_3dhp', spine='spine_3dhp'
        ),
        dataset_names=('mpi_inf_3dhp',),
    ),
    dict(
        name='halpe-26',
        tree=_HALPE,
        groups=dict(
            head=f'{_HEAD} head',
            torso='hip neck',
            upper_body=f'neck {_UPPER}',
            lower_body=f'hip {_LOWER}',
            **_FEET,
        ),
        meanings=dict(hip='pelvis', head='head_top'),
        dataset_names=('halpe26',),
        by_count=True,
    ),
    # source: https://github.com/Fang-Haoshu/Halpe-FullBody
    dict(
        name='halpe-136',
        tree=' '.join([_HALPE, _FACE, _LEFT_HAND, _RIGHT_HAND]),
        groups=dict(
            head=f'{_HEAD} head',
            torso='hip neck',
            **_FEET,
            face=_joints(_FACE),
            left_hand=_joints(_LEFT_HAND),
            right_hand=_joints(_RIGHT_HAND),
        ),
        flip_pairs=_FACE_PAIRS,
        meanings=dict(hip='pelvis', head='head_top'),
        dataset_names=('halpe',),
        by_count=True,
    ),
    dict(name='smpl-24', tree=_both(f'{_SMPL_22} @hand<@wrist'), **_SMPL),
    dict(name='humanml3d-22', tree=_SMPL_22, **_SMPL),
    dict(
        name='panoptic-19',
        tree=_PANOPTIC,
        groups=dict(head=_HEAD, torso='neck body_center'),
        meanings=dict(body_center='pelvis'),
    ),
    dict(
        name='mpii-16',
        tree=_MPII,
        groups=dict(
            head='upper_neck head_top',
            torso='pelvis thorax',
            upper_body=f'thorax {_UPPER}',
            lower_body=f'pelvis {_LOWER}',
        ),
        dataset_names=('mpii',),
    ),
    dict(
        name='crowdpose-14',
        tree=_CROWDPOSE,
        groups=dict(head='top_head neck', torso=_CORNERS, **_HALVES),
        meanings=dict(top_head='head_top'),
        dataset_names=('crowdpose',),
    ),
    dict(
        name='posetrack18-17',
        tree=_POSETRACK18,
        groups=dict(
            head=_both('nose head_bottom head_top @ear'), torso=_CORNERS, **_HALVES
        ),
        meanings=dict(head_bottom='upper_neck'),
        dataset_names=('posetrack18',),
    ),
    dict(
        name='openpose-25',
        tree=f'nose<neck neck<mid_hip {_OPENPOSE_ARMS} mid_hip {_OPENPOSE_LEGS} '
        + _COCO_FEET,
        groups=dict(
            head=_HEAD,
            torso='neck mid_hip',
            upper_body=f'neck {_UPPER}',
            lower_body=f'mid_hip {_LOWER}',
            **_FEET,
        ),
        meanings=dict(mid_hip='pelvis'),
    ),
    dict(
        name='openpose-18',
        tree=f'nose<neck neck {_OPENPOSE_ARMS} '
        + _OPENPOSE_LEGS.replace('mid_hip', 'neck'),
        groups=dict(head=_HEAD, torso=_CORNERS, **_HALVES),
    ),
    dict(
        name='mhr-70',
        tree=_MHR,
        groups=dict(
            head=_HEAD,
            torso=f'neck {_CORNERS}',
            **_HALVES,
            **_FEET,
            left_hand=f'left_wrist {_joints(_MHR_HANDS["left"])}',
            right_hand=f'right_wrist {_joints(_MHR_HANDS["right"])}',
        ),
        by_count=True,
    ),
    dict(
        name='openpose-25b',
        tree=_OPENPOSE_25B,
        groups=dict(head=f'{_HEAD} head_top', torso=f'neck {_CORNERS}', **_FEET),
        meanings=dict(neck='upper_neck'),
    ),
    dict(
        name='openpose-mpi-15',
        tree=_MPI_15,
        groups=dict(head='head_top neck', torso=f'chest {_CORNERS}'),
    ),
    dict(
        name='aic-14',
        tree=_AIC,
        groups=dict(head='head_top neck', torso=_CORNERS, **_HALVES),
        dataset_names=('aic',),
    ),
    dict(
        name='lsp-14',
        tree=_LSP,
        groups=dict(head='head_top neck', torso=_CORNERS, **_HALVES),
    ),
    dict(
        name='kinect-25',
        tree=_KINECT,
        groups=dict(head='neck head', torso='spine_base spine_mid spine_shoulder'),
        meanings=dict(
            spine_base='pelvis',
            spine_mid='spine',
            spine_shoulder='thorax',
            head='head_center',
            left_foot='left_foot_index',
            right_foot='right_foot_index',
        ),
    ),
    # Human3.6M's joints without the one between thorax and head, by the 2D joints in
    # https://github.com/una-dinosauria/3d-pose-baseline/issues/211
    dict(
        name='h36m-16',
        tree=_H36M.replace('neck_base<thorax ', '').replace('neck_base', 'thorax'),
        groups=dict(head='head', torso='root spine thorax'),
        meanings=_H36M_MEANINGS,
    ),
    dict(
        name='mediapipe-33',
        tree=_MEDIAPIPE,
        groups=dict(
            head=_both('nose @eye_inner @eye @eye_outer @ear mouth_left mouth_right'),
            torso=_CORNERS,
            left_foot='left_heel left_foot_index',
            right_foot='right_heel right_foot_index',
            left_hand='left_wrist left_pinky left_index left_thumb',
            right_hand='right_wrist right_pinky right_index right_thumb',
        ),
        meanings=dict(left_thumb='left_thumb2', right_thumb='right_thumb2'),
        by_count=True,
    ),
)
