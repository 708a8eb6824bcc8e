"""Skeletons: joints by name, trees, mirror pairs, groups, and conversions.

Joint names are those of MMPose's dataset metainfos; MediaPipe's are those of its
documentation. How joints of one skeleton are made from another's is data, in
:mod:`mmhot.skeletons.mappings`; how good those approximations are is measured in
``docs/skeletons.md``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType

import numpy as np

from mmhot.errors import hint_at_names
from mmhot.skeletons import trees
from mmhot.skeletons.mappings import MAPPINGS, MEANINGS


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Named joints, the tree they form, and their left/right pairs.

    Args:
        name (str): Name in :func:`get_skeleton`.
        joints (tuple[str]): Joint names in order, K of them.
        parents (tuple[int]): Index of each joint's parent, -1 for the root.
        flip_pairs (tuple[tuple[int, int]]): Pairs (left, right), by left index.
        groups (Mapping[str, tuple[str]]): Joint names of each body part. Limbs run
            from the trunk outwards. ``torso`` holds the joints on the trunk's
            midline or, where there are none, the shoulders and hips. Where they
            exist, ``head``, ``upper_body`` and ``lower_body`` share no joint.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    groups: Mapping[str, tuple[str, ...]]

    def __reduce__(self) -> tuple:
        """Copy and pickle by name: there is one of each."""
        return get_skeleton, (self.name,)

    @property
    def num_keypoints(self) -> int:
        """Number of joints K."""
        return len(self.joints)

    @property
    def left(self) -> list[int]:
        """Indices of the left joints; ``right`` has their partners in order."""
        return [left for left, _ in self.flip_pairs]

    @property
    def right(self) -> list[int]:
        """Indices of the right joints, in the order of ``left``."""
        return [right for _, right in self.flip_pairs]

    @property
    def flip_indices(self) -> list[int]:
        """For every joint, the joint that it becomes in a mirror image."""
        indices = list(range(self.num_keypoints))
        for left, right in self.flip_pairs:
            indices[left], indices[right] = right, left
        return indices

    @property
    def bones(self) -> list[tuple[int, int]]:
        """Pairs (parent, child) of indices, in the order of the children."""
        return [(p, child) for child, p in enumerate(self.parents) if p >= 0]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {joint: index for index, joint in enumerate(self.joints)}

    def index(self, name: str) -> int:
        """Return the index of one joint."""
        if name not in self._positions:
            raise ValueError(_unknown(f'joint of {self.name}', name, self.joints))
        return self._positions[name]

    def indices(self, names: str | Iterable[str]) -> list[int]:
        """Return the indices of several joints.

        Args:
            names (str | Iterable[str]): Joint names, or the name of one group.
        """
        if isinstance(names, str):
            if names not in self.groups:
                raise ValueError(_unknown(f'group of {self.name}', names, self.groups))
            names = self.groups[names]
        return [self.index(name) for name in names]


def get_skeleton(name: str) -> Skeleton:
    """Return a skeleton by name.

    Args:
        name (str): One of ``SKELETONS``, or MMPose's ``dataset_name`` for it, such
            as ``'coco_wholebody'``.
    """
    if not isinstance(name, str):
        raise TypeError(f'skeleton must be a name, got {type(name).__name__}')
    found = SKELETONS.get(name) or SKELETONS.get(_DATASET_NAMES.get(name))
    if found is None:
        raise ValueError(_unknown('skeleton', name, SKELETONS))
    return found


def convert_keypoints(
    keypoints: np.ndarray,
    scores: np.ndarray | None,
    source: str,
    target: str,
    mapping: str = 'mmpose',
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Convert poses from one skeleton to another, joint by joint name.

    A joint that both skeletons have is copied, others are weighted sums of source
    joints. Weights of a mapping may differ between the picture's x and y axis; a
    third axis is treated like x.

    Args:
        keypoints (np.ndarray): Positions, (..., K, 2) or (..., K, 3). A derived
            joint is NaN if any joint that it is made of is.
        scores (np.ndarray, optional): Confidences, (..., K). A derived joint gets
            the lowest of the joints that it is made of.
        source (str): Skeleton of ``keypoints``.
        target (str): Skeleton of the result.
        mapping (str): How joints are approximated that the source lacks:
            ``'mmpose'``, ``'hot'`` or ``'trained'``, see ``docs/skeletons.md``.

    Returns:
        tuple: Positions (..., K', C), NaN where a joint cannot be had; scores
        (..., K'), 0 there, or None; and ``measured`` (K',), True for joints that
        are copied and not approximated.
    """
    keypoints = np.asarray(keypoints)
    num_keypoints = get_skeleton(source).num_keypoints
    if keypoints.ndim < 2 or keypoints.shape[-2] != num_keypoints:
        raise ValueError(
            f'keypoints must be (..., {num_keypoints}, 2 or 3) for {source}, '
            f'got {keypoints.shape}'
        )
    if keypoints.shape[-1] not in (2, 3):
        raise ValueError(f'keypoints must have 2 or 3 axes, got {keypoints.shape[-1]}')
    indices, weights, measured = _conversion(source, target, mapping)
    dtype = np.result_type(keypoints, np.float32)
    weights = weights[..., [0, 1, 0][: keypoints.shape[-1]]].astype(dtype)
    converted = (keypoints[..., indices, :] * weights).sum(axis=-2)
    if scores is not None:
        scores = np.asarray(scores)
        if scores.shape != keypoints.shape[:-1]:
            raise ValueError(
                f'scores must be {keypoints.shape[:-1]} like keypoints, '
                f'got {scores.shape}'
            )
        reachable = np.isfinite(weights).all(axis=(-2, -1))
        scores = scores[..., indices].min(axis=-1) * reachable.astype(scores.dtype)
    return converted, scores, measured.copy()


@lru_cache(maxsize=64)
def _conversion(
    source: str, target: str, mapping: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compile one conversion: indices (K', M), weights (K', M, 2), measured (K',).

    Rows with fewer than M parts repeat their first joint with weight 0, so that NaN
    spreads from no joint but a joint's own parts. Unreachable joints weigh NaN.
    """
    if mapping not in MAPPINGS:
        raise ValueError(_unknown('mapping', mapping, MAPPINGS))
    source, target = get_skeleton(source), get_skeleton(target)
    available = {_meaning(source, joint): joint for joint in source.joints}
    recipes = [
        _recipe(_meaning(target, joint), available, MAPPINGS[mapping])
        for joint in target.joints
    ]
    most = max(len(recipe or ()) for recipe, _ in recipes)
    indices = np.zeros((len(recipes), max(most, 1)), dtype=np.int64)
    weights = np.zeros((*indices.shape, 2))
    for row, (recipe, _) in enumerate(recipes):
        if recipe is None:
            weights[row] = np.nan
            continue
        parts = [source.index(available[part]) for part in recipe]
        indices[row] = parts + parts[:1] * (indices.shape[1] - len(parts))
        weights[row, : len(parts)] = [
            weight if isinstance(weight, tuple) else (weight, weight)
            for weight in recipe.values()
        ]
    return indices, weights, np.array([measured for _, measured in recipes])


def _recipe(
    meaning: str, available: Mapping[str, str], rules: Mapping[str, Sequence[Mapping]]
) -> tuple[Mapping | None, bool]:
    """Return the weights that make a joint, and whether it is simply measured."""
    if meaning in available:
        return {meaning: 1.0}, True
    for recipe in rules.get(meaning, ()):
        if all(part in available for part in recipe):
            return recipe, False
    return None, False


def _meaning(skeleton: Skeleton, joint: str) -> str:
    """Return the name under which a joint is known across skeletons."""
    return MEANINGS.get((skeleton.name, joint), joint)


def _unknown(kind: str, got: str, known: Iterable[str]) -> str:
    return f'unknown {kind}: {got!r}; {hint_at_names(got, known)}'


def _build(
    name: str, tree: str, head: str, torso: str, **groups: Sequence[str]
) -> Skeleton:
    """Make a skeleton from ``joint<parent`` words; limbs are found by name."""
    words = [word.partition('<') for word in tree.split()]
    joints = tuple(joint for joint, _, _ in words)
    parents = tuple(joints.index(parent) if parent else -1 for _, _, parent in words)
    limbs = {
        f'{side}_{limb}': tuple(
            joint for part in parts if (joint := f'{side}_{part}') in joints
        )
        for limb, parts in (
            ('leg', ('hip', 'knee', 'ankle' if 'left_ankle' in joints else 'foot')),
            ('arm', ('shoulder', 'elbow', 'wrist')),
        )
        for side in ('right', 'left')
    }
    body = dict(head=tuple(head.split()), torso=tuple(torso.split()), **limbs)
    groups = {group: tuple(members) for group, members in groups.items()}
    pairs = [
        (joints.index(left), joints.index(right))
        for left in joints
        if (right := _mirror(left)) in joints
    ]
    return Skeleton(
        name, joints, parents, tuple(pairs), MappingProxyType(body | groups)
    )


def _mirror(joint: str) -> str | None:
    """Return the right partner of a left joint, None for all others."""
    return trees.FACE_PAIRS.get(joint) or (
        joint.replace('left', 'right') if 'left' in joint else None
    )


def _names(tree: str) -> list[str]:
    return [word.partition('<')[0] for word in tree.split()]


def _pairs(*parts: str) -> list[str]:
    """Return left and right joint of each part."""
    return [f'{side}_{part}' for part in parts for side in ('left', 'right')]


def _sides(*parts: str) -> dict[str, list[str]]:
    """Return the two groups of foot joints."""
    return {
        f'{side}_foot': [f'{side}_{part}' for part in parts]
        for side in ('left', 'right')
    }


_HEAD = 'nose left_eye right_eye left_ear right_ear'
_CORNERS = 'left_shoulder right_shoulder left_hip right_hip'
_HALVES = {
    'upper_body': _pairs('shoulder', 'elbow', 'wrist'),
    'lower_body': _pairs('hip', 'knee', 'ankle'),
}

_ALL = (
    _build('coco-17', trees.COCO_BODY, _HEAD, _CORNERS, **_HALVES),
    _build(
        'coco-wholebody-133',
        trees.COCO_WHOLEBODY,
        _HEAD,
        _CORNERS,
        **_HALVES,
        body=_names(trees.COCO_BODY),
        feet=_names(trees.COCO_FEET),
        **_sides('big_toe', 'small_toe', 'heel'),
        face=_names(trees.FACE),
        left_hand=_names(trees.LEFT_HAND),
        right_hand=_names(trees.RIGHT_HAND),
    ),
    _build(
        'h36m-17',
        trees.H36M,
        'neck_base head',
        'root spine thorax',
    ),
    _build(
        'mpi-inf-3dhp-17',
        trees.MPI_INF_3DHP,
        'head head_top',
        'root spine neck',
    ),
    _build(
        'halpe-26',
        trees.HALPE,
        f'{_HEAD} head',
        'hip neck',
        upper_body=['neck', *_HALVES['upper_body']],
        lower_body=['hip', *_HALVES['lower_body']],
        **_sides('big_toe', 'small_toe', 'heel'),
    ),
    _build(
        'mpii-16',
        trees.MPII,
        'upper_neck head_top',
        'pelvis thorax',
        upper_body=['thorax', *_HALVES['upper_body']],
        lower_body=['pelvis', *_HALVES['lower_body']],
    ),
    _build('crowdpose-14', trees.CROWDPOSE, 'top_head neck', _CORNERS, **_HALVES),
    _build(
        'posetrack18-17',
        trees.POSETRACK18,
        'nose head_bottom head_top left_ear right_ear',
        _CORNERS,
        **_HALVES,
    ),
    _build(
        'mediapipe-33',
        trees.MEDIAPIPE,
        'nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye '
        'right_eye_outer left_ear right_ear mouth_left mouth_right',
        _CORNERS,
        **_sides('heel', 'foot_index'),
        left_hand=('left_wrist', 'left_pinky', 'left_index', 'left_thumb'),
        right_hand=('right_wrist', 'right_pinky', 'right_index', 'right_thumb'),
    ),
)

SKELETONS: Mapping[str, Skeleton] = MappingProxyType({s.name: s for s in _ALL})

_DATASET_NAMES = MappingProxyType(
    {
        'coco': 'coco-17',
        'ochuman': 'coco-17',
        'coco_wholebody': 'coco-wholebody-133',
        'h36m': 'h36m-17',
        'mpi_inf_3dhp': 'mpi-inf-3dhp-17',
        'halpe26': 'halpe-26',
        'mpii': 'mpii-16',
        'crowdpose': 'crowdpose-14',
        'posetrack18': 'posetrack18-17',
    }
)
