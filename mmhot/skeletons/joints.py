"""Skeletons: joints by name, trees, mirror pairs, groups, and conversions.

Joint names are as in MMPose's dataset metainfos and MediaPipe's documentation.
:func:`get_skeleton` reads skeletons of such metainfos, and :func:`register_skeleton`
adds one by name; the built-in ones are defined in :mod:`mmhot.skeletons.definitions`.
The weights of conversions are in :mod:`mmhot.skeletons.mappings`;
``docs/mmpose.md`` reports their errors.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from mmhot.errors import ArgumentError, hint_at_names
from mmhot.skeletons.definitions import DEFINITIONS
from mmhot.skeletons.mappings import MAPPINGS
from mmhot.skeletons.metainfo import read_metainfo

_TRUNK = {'left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'}
ANKLE_HEIGHT = 0.08
"""Height of ankles above the floor, meters."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Named joints, the tree they form, and their left/right pairs."""

    name: str  # name for :func:`get_skeleton`
    joints: tuple[str, ...]  # names of the K joints in order
    parents: tuple[int, ...]  # index of each joint's parent, -1 for the root
    flip_pairs: tuple[tuple[int, int], ...]  # (left, right), by left index
    # Joint names of each body part. Limbs run from the trunk outwards. ``torso`` holds
    # the joints on the midline of the trunk or, if there are none, the shoulders and
    # hips. ``head``, ``upper_body`` and ``lower_body`` are disjoint where they exist.
    groups: Mapping[str, tuple[str, ...]]
    # Names that joints have across skeletons, where a joint's own name differs.
    meanings: Mapping[str, str] = field(default_factory=dict)
    # ``dataset_name`` of MMPose's metainfos with these keypoints.
    dataset_names: tuple[str, ...] = ()
    # Whether files and models that name no keypoints have this skeleton if K agrees.
    by_count: bool = False

    def __reduce__(self) -> tuple:
        """Copy and pickle by name."""
        return get_skeleton, (self.name,)

    def describe(self) -> dict[str, Any]:
        """Return name, joints, parents and mirror pairs as plain values."""
        return {
            'skeleton': self.name,
            'joints': list(self.joints),
            'parents': list(self.parents),
            'flip_indices': list(self.flip_indices),
        }

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
        """Index of each joint's counterpart in a mirrored image."""
        indices = list(range(self.num_keypoints))
        for left, right in self.flip_pairs:
            indices[left], indices[right] = right, left
        return indices

    @property
    def bones(self) -> list[tuple[int, int]]:
        """Pairs (parent, child) of indices, in the order of the children."""
        return [(p, child) for child, p in enumerate(self.parents) if p >= 0]

    def index(self, name: str) -> int:
        """Return the index of one joint."""
        if name not in self.joints:
            raise ValueError(_unknown(f'joint of {self.name}', name, self.joints))
        return self.joints.index(name)

    def indices(self, names: str | Iterable[str]) -> list[int]:
        """Return the indices of joints, by their names or that of a group."""
        if isinstance(names, str):
            if names not in self.groups:
                raise ValueError(_unknown(f'group of {self.name}', names, self.groups))
            names = self.groups[names]
        return [self.index(name) for name in names]


_Scores = TypeVar('_Scores', np.ndarray, None)
_REGISTRY: dict[str, Skeleton] = {}
SKELETONS: Mapping[str, Skeleton] = MappingProxyType(_REGISTRY)
"""All registered skeletons by name."""


def register_skeleton(
    name: str,
    tree: str,
    groups: Mapping[str, str],
    *,
    flip_pairs: Mapping[str, str] | None = None,
    meanings: Mapping[str, str] | None = None,
    dataset_names: Sequence[str] = (),
    by_count: bool = False,
) -> Skeleton:
    """Add a skeleton that can be read, converted and lifted.

    Mirror pairs and the groups ``left_arm``, ``right_arm``, ``left_leg`` and
    ``right_leg`` are derived from joint names that contain 'left' and 'right'.

    Args:
        name (str): A new name.
        tree (str): Joints in order as ``joint<parent`` words; the root is ``joint``.
        groups (Mapping[str, str]): Joint names of each body part, separated by spaces.
            ``head`` and ``torso`` are required.
        flip_pairs (Mapping[str, str], optional): Right counterparts of left joints
            without 'left' in their names.
        meanings (Mapping[str, str], optional): See :class:`Skeleton`.
        dataset_names (Sequence[str]): See :class:`Skeleton`.
        by_count (bool): See :class:`Skeleton`. Defaults to False.

    Raises:
        ValueError: If another skeleton has the name, or a joint or group is missing.

    Example::

        register_skeleton(
            'stick-3', 'pelvis neck<pelvis nose<neck', dict(head='nose', torso='neck'))
    """
    words = [word.partition('<') for word in tree.split()]
    joints = tuple(joint for joint, _, _ in words)
    parts = {group: tuple(names.split()) for group, names in groups.items()}
    mentioned = [parent for _, _, parent in words if parent] + [*(meanings or ())]
    for joint in sum(map(list, parts.values()), mentioned):
        if joint not in joints:
            raise ValueError(_unknown(f'joint of {name}', joint, joints))
    if not {'head', 'torso'} <= {*groups}:
        raise ValueError(f"groups of {name} must contain 'head' and 'torso'")
    mirror = {x: x.replace('left', 'right') for x in joints if 'left' in x}
    pairs = (
        (joints.index(left), joints.index(right))
        for left, right in (mirror | dict(flip_pairs or {})).items()
        if right in joints
    )
    parents = tuple(joints.index(parent) if parent else -1 for _, _, parent in words)
    return add_skeleton(
        replace(
            _build(name, joints, parents, range(len(joints)), parts),
            flip_pairs=tuple(sorted(pairs)),
            meanings=MappingProxyType(dict(meanings or {})),
            dataset_names=tuple(dataset_names),
            by_count=by_count,
        )
    )


def part_of(joint: str) -> str:
    """Return the name of a joint without its side."""
    return joint.removeprefix('left_').removeprefix('right_')


def get_skeleton(name: str) -> Skeleton:
    """Return a skeleton by a name in ``SKELETONS`` or a ``dataset_name`` of MMPose.

    Names may come from files. For configs' metainfos, see :func:`configured_skeleton`.

    Example::

        skeleton = mmhot.get_skeleton('coco-17')
        left_knee = skeleton.index('left_knee')
    """
    for skeleton in SKELETONS.values():
        if name == skeleton.name or name in skeleton.dataset_names:
            return skeleton
    raise ValueError(_unknown('skeleton', name, SKELETONS))


def configured_skeleton(skeleton_or_metainfo: str | Mapping[str, Any]) -> Skeleton:
    """Return the skeleton of a config; configs are trusted, and their files are run.

    Args:
        skeleton_or_metainfo (str | Mapping): A name, or a metainfo (see
            :func:`mmhot.skeletons.metainfo.read_metainfo`) such as
            ``dict(from_file='my.py')``. The skeleton of a metainfo is not registered,
            and is a registered one if that has the same joints.
    """
    if not isinstance(skeleton_or_metainfo, Mapping):
        return get_skeleton(skeleton_or_metainfo)
    metainfo = read_metainfo(skeleton_or_metainfo)
    for skeleton in SKELETONS.values():
        own = skeleton.joints, tuple(skeleton.flip_indices)
        if own == (metainfo.joints, metainfo.swaps):
            return skeleton
    name = f'{metainfo.name}-{len(metainfo.joints)}'
    parts = {part: names for part, names in metainfo.parts.items() if names}
    return _build(name, metainfo.joints, metainfo.tree(), metainfo.swaps, parts)


def described_skeleton(description: Mapping[str, Any]) -> Skeleton:
    """Return the skeleton of a :meth:`Skeleton.describe`, registered if it is new."""
    names = ('joints', 'parents', 'flip_indices')
    joints, parents, swaps = (tuple(description[name]) for name in names)
    return add_skeleton(_build(description['skeleton'], joints, parents, swaps))


def _build(
    name: str,
    joints: tuple[str, ...],
    parents: tuple[int, ...],
    swaps: Sequence[int],
    parts: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Skeleton:
    """Build a skeleton, and find its limbs by the names of its joints."""
    ankle = 'ankle' if 'left_ankle' in joints else 'foot'
    limbs = {}
    for limb, names in ('leg', f'hip knee {ankle}'), ('arm', 'shoulder elbow wrist'):
        for side in ('right', 'left'):
            of_side = (f'{side}_{part}' for part in names.split())
            if of_limb := tuple(x for x in of_side if x in joints):
                limbs[f'{side}_{limb}'] = of_limb
    pairs = [(index, other) for index, other in enumerate(swaps) if index < other]
    # the left one first
    pairs = [(b, a) if 'left' in joints[b].lower() else (a, b) for a, b in pairs]
    body = {group: parts[group] for group in ('head', 'torso') if group in parts}
    groups = MappingProxyType(body | limbs | dict(parts))
    return Skeleton(name, joints, parents, tuple(sorted(pairs)), groups)


def add_skeleton(skeleton: Skeleton) -> Skeleton:
    """Register a skeleton, unless it is registered, so that it is found by name.

    Raises:
        ValueError: If its name is that of another skeleton.
    """
    same = _REGISTRY.setdefault(skeleton.name, skeleton)
    if (same.joints, same.flip_indices) != (skeleton.joints, skeleton.flip_indices):
        raise ValueError(
            f'skeleton {skeleton.name!r} is registered with other joints: choose '
            'another name, or dataset_name in the metainfo'
        )
    return same


def skeleton_with(count: int, argument: str = 'skeleton') -> str:
    """Return the skeleton of unnamed keypoints by their number.

    Raises:
        ValueError: If there is none.
    """
    names = {x.num_keypoints: x.name for x in SKELETONS.values() if x.by_count}
    if count not in names:
        same = [x.name for x in SKELETONS.values() if x.num_keypoints == count]
        listed = same or [f'{number} ({name})' for number, name in names.items()]
        raise ArgumentError(
            f'there are %s keypoints per person; known are %s: give {{{argument}}}',
            count,
            ', '.join(listed),
        )
    return names[count]


def match_joints(names: Sequence[str]) -> tuple[Skeleton, list[int]] | None:
    """Find the skeleton of named joints, in any order and spelling.

    ``LShoulder``, ``shoulder_left`` and ``left_shoulder`` are the same. Shoulders and
    hips must be among the names, or all joints of a skeleton. If several skeletons fit,
    the one with most joints is returned.

    Returns:
        tuple[Skeleton, list[int]] | None: The skeleton, and the index of the name of
        each of its joints, -1 if there is none; None if no skeleton fits.
    """
    # Names are in reverse order, so that the first of two equal names is kept.
    index_of = {spell_joint(x): index for index, x in [*enumerate(names)][::-1]}
    best = None
    most = 0, False
    for skeleton in SKELETONS.values():
        order = [
            index_of.get(
                spell_joint(joint), index_of.get(skeleton.meanings.get(joint, ''), -1)
            )
            for joint in skeleton.joints
        ]
        named = {x for x, n in zip(skeleton.joints, order, strict=True) if n >= 0}
        fits = len(named), order == [*range(len(names))]
        if fits > most and (named >= _TRUNK or len(named) == len(order)):
            best = skeleton, order
            most = fits
    return best


def spell_joint(joint: str) -> str:
    """Spell the name of a joint in one way: words by underscores, the side first."""
    words = re.findall(r'[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+', joint)
    words = [{'l': 'left', 'r': 'right'}.get(x.lower(), x.lower()) for x in words]
    return '_'.join(sorted(words, key=lambda word: word not in ('left', 'right')))


def convert_keypoints(
    keypoints: np.ndarray,
    scores: _Scores,
    source: str,
    target: str,
    mapping: str = 'mmpose',
) -> tuple[np.ndarray, _Scores, np.ndarray]:
    """Convert poses from one skeleton to another, joint by joint name.

    A joint that both skeletons have is copied, others are weighted sums of source
    joints. Weights may differ between the x and y axis of the image; a third axis has
    the weights of x.

    Args:
        keypoints (np.ndarray): Positions, (..., K, 2) or (..., K, 3). A derived
            joint is NaN if any of its source joints is.
        scores (np.ndarray, optional): Confidences, (..., K). A derived joint gets the
            lowest confidence of its source joints.
        source (str): Skeleton of ``keypoints``.
        target (str): Skeleton of the result.
        mapping (str): How missing joints are approximated: ``'mmpose'``, ``'hot'`` or
            ``'trained'``, see ``docs/mmpose.md``.

    Returns:
        tuple: Positions (..., K', C), NaN where a joint cannot be derived; scores
        (..., K'), 0 there, or None; and ``measured`` (K',), True for copied joints.

    Example::

        poses = np.random.default_rng(0).uniform(0, 720, (100, 17, 2))
        converted, _, measured = mmhot.convert_keypoints(
            poses, None, 'coco-17', 'h36m-17', 'trained')
    """
    keypoints = np.asarray(keypoints)
    num_keypoints = get_skeleton(source).num_keypoints
    if keypoints.shape[-2:] not in ((num_keypoints, 2), (num_keypoints, 3)):
        raise ValueError(
            f'keypoints must be (..., {num_keypoints}, 2 or 3) for {source}, '
            f'got {keypoints.shape}'
        )
    indices, weights, measured = _conversion(source, target, mapping)
    dtype = np.result_type(keypoints, np.float32)
    weights = weights[..., [0, 1, 0][: keypoints.shape[-1]]].astype(dtype)
    converted = (keypoints[..., indices, :] * weights).sum(axis=-2)
    if scores is not None:
        scores = np.asarray(scores)
        derivable = np.isfinite(weights).all(axis=(-2, -1))
        scores = scores[..., indices].min(axis=-1) * derivable.astype(scores.dtype)
    return converted, scores, measured.copy()


@lru_cache(maxsize=64)
def _conversion(
    source: str, target: str, mapping: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compile one conversion: indices (K', M), weights (K', M, 2), measured (K',).

    Rows with fewer than M source joints repeat the first one with weight 0, so that NaN
    comes only from source joints. Underivable joints have the weight NaN.
    """
    if mapping not in MAPPINGS:
        raise ValueError(_unknown('mapping', mapping, MAPPINGS))
    start, end = get_skeleton(source), get_skeleton(target)
    # joints by the names that are the same in all skeletons
    available = {start.meanings.get(joint, joint): joint for joint in start.joints}
    names = [end.meanings.get(joint, joint) for joint in end.joints]
    recipes = [
        next((x for x in choices if x.keys() <= available.keys()), None)
        for choices in (
            [{name: 1.0}, *MAPPINGS[mapping].get(name, ())] for name in names
        )
    ]
    most = max(len(recipe or ()) for recipe in recipes)
    indices = np.zeros((len(recipes), max(most, 1)), dtype=np.int64)
    weights = np.zeros((*indices.shape, 2))
    for row, recipe in enumerate(recipes):
        if recipe is None:
            weights[row] = np.nan
            continue
        parts = [start.index(available[part]) for part in recipe]
        indices[row] = parts + parts[:1] * (indices.shape[1] - len(parts))
        weights[row, : len(parts)] = [np.broadcast_to(x, 2) for x in recipe.values()]
    return indices, weights, np.array([name in available for name in names])


def _unknown(kind: str, got: str, known: Iterable[str]) -> str:
    return f'unknown {kind}: {got!r}{hint_at_names(got, known)}'


for _definition in DEFINITIONS:
    register_skeleton(**_definition)
