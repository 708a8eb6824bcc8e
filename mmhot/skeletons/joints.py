"""Skeletons: joints by name, trees, mirror pairs, groups, and conversions.

Joint names are as in MMPose's dataset metainfos and MediaPipe's documentation. The
built-in skeletons are defined in :mod:`mmhot.skeletons.definitions`, and
:func:`register_skeleton` adds others. The weights of conversions are in
:mod:`mmhot.skeletons.mappings`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from mmhot.errors import ArgumentError, hint_at_names
from mmhot.skeletons.definitions import DEFINITIONS, RIG_NAMES
from mmhot.skeletons.mappings import MAPPINGS
from mmhot.skeletons.metainfo import read_metainfo

_TRUNK = {'left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'}
_ELBOWS = {'left_elbow', 'right_elbow'}
# What programs add to the names of joints: characters, such as "Skeleton 001:" of
# Motive, "Bip01" of 3ds Max and "m_avg_" of SMPL, Azure Kinect's K4ABT_JOINT_, Rigify's
# DEF-, Auto-Rig Pro's _stretch and .x, VRoid's J_Bip_, Meta's Body_, DeepMotion's _JNT
_ADDED = re.compile(
    r'^(.*:|mixamorig\d*|bip\d+(?=[ _])|[mf]_avg_|k4abt_joint_|def-|j_bip_(c_)?|'
    r'body_(?!center))|_stretch(?=\.)|\.x$|_jnt$',
    re.IGNORECASE,
)
ANKLE_HEIGHT = 0.08
"""Height of ankles above the floor, meters."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Named joints, the tree they form, and their left/right pairs.

    Attributes:
        name (str): Name for :func:`get_skeleton`.
        joints (tuple[str]): Names of the K joints, in order.
        parents (tuple[int]): Index of each joint's parent, -1 for the root.
        flip_pairs (tuple[tuple[int, int]]): Indices (left, right) of joints that
            exchange their places in a mirrored image, sorted.
        groups (Mapping[str, tuple[str, ...]]): Joint names of each body part. Limbs run
            from the trunk outwards. ``torso`` holds the joints on the midline of the
            trunk or, if there are none, the shoulders and hips. ``head``,
            ``upper_body`` and ``lower_body`` are disjoint where they exist.
        meanings (Mapping[str, str]): Names that joints have in all skeletons, for
            joints whose own name differs, such as Human3.6M's ``left_foot``, which is
            ``left_ankle``.
        dataset_names (tuple[str]): ``dataset_name`` of MMPose's metainfos with these
            keypoints.
        by_count (bool): Whether this is the skeleton of files and models with K
            keypoints that name none.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    groups: Mapping[str, tuple[str, ...]]
    meanings: Mapping[str, str] = field(default_factory=dict)
    dataset_names: tuple[str, ...] = ()
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
        """Indices of the left joints; ``right`` has their counterparts in order."""
        return [left for left, _ in self.flip_pairs]

    @property
    def right(self) -> list[int]:
        """Indices of the right joints, in the order of ``left``."""
        return [right for _, right in self.flip_pairs]

    @property
    def flip_indices(self) -> list[int]:
        """Index of each joint's counterpart in a mirrored image."""
        partners = dict(
            zip(self.left + self.right, self.right + self.left, strict=True)
        )
        return [partners.get(index, index) for index in range(self.num_keypoints)]

    @property
    def bones(self) -> list[tuple[int, int]]:
        """Index pairs (parent, child), in the order of the children."""
        return [(parent, x) for x, parent in enumerate(self.parents) if parent >= 0]

    def index(self, name: str) -> int:
        """Return the index of one joint.

        Raises:
            ValueError: If there is no joint of this name.
        """
        if name not in self.joints:
            raise ValueError(_unknown(f'joint of {self.name}', name, self.joints))
        return self.joints.index(name)

    def indices(self, names: str | Iterable[str]) -> list[int]:
        """Return the indices of joints.

        Args:
            names (str | Iterable[str]): Name of a group, or names of joints.

        Raises:
            ValueError: If there is no group or joint of this name.

        >>> get_skeleton('coco-17').indices('left_leg')
        [11, 13, 15]
        """
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
        name (str): Name of the skeleton.
        tree (str): Words ``joint<parent`` in the order of the joints; the root is
            ``joint``.
        groups (Mapping[str, str]): Joint names of each body part, separated by spaces.
            ``head`` and ``torso`` are required.
        flip_pairs (Mapping[str, str], optional): Right counterparts of left joints
            without 'left' in their names.
        meanings (Mapping[str, str], optional): See :class:`Skeleton`.
        dataset_names (Sequence[str]): See :class:`Skeleton`.
        by_count (bool): See :class:`Skeleton`. Defaults to False.

    Returns:
        Skeleton: The registered skeleton.

    Raises:
        ValueError: If another skeleton has the name, or a joint or group is missing.

    Example::

        register_skeleton(
            'stick-3', 'pelvis neck<pelvis nose<neck', dict(head='nose', torso='neck'))
    """
    words = [word.partition('<') for word in tree.split()]
    joints = tuple(joint for joint, _, _ in words)
    named_parents = [parent for _, _, parent in words]
    parts = {group: tuple(names.split()) for group, names in groups.items()}
    for joint in chain(filter(None, named_parents), meanings or (), *parts.values()):
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
    parents = tuple(joints.index(x) if x else -1 for x in named_parents)
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
    """Return the name of a joint without its side.

    >>> part_of('left_knee')
    'knee'
    """
    return joint.removeprefix('left_').removeprefix('right_')


def get_skeleton(name: str) -> Skeleton:
    """Return a registered skeleton.

    Args:
        name (str): Its name, or the ``dataset_name`` of MMPose's metainfo, such as
            'coco'. For metainfos themselves, see :func:`configured_skeleton`.

    Raises:
        ValueError: If there is none of this name.

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
            ``dict(from_file='my.py')``.

    Returns:
        Skeleton: The registered skeleton with the name, or with the joints and mirror
        pairs of the metainfo. If there is none, a new one, which is not registered.

    Raises:
        FileNotFoundError: If the metainfo names a missing file.
        ValueError: If the name is unknown, or the metainfo is damaged.
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
    """Return the skeleton of a description, and register it if it is new.

    Raises:
        ValueError: If another skeleton has its name.
    """
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
    """Build a skeleton, and find its limbs by the names of its joints.

    ``swaps`` has the index of each joint's counterpart in a mirrored image, and
    ``parts`` the joint names of further groups.
    """
    ankle = 'ankle' if 'left_ankle' in joints else 'foot'
    limbs = {}
    for limb, names in ('leg', f'hip knee {ankle}'), ('arm', 'shoulder elbow wrist'):
        for side in ('right', 'left'):
            of_side = (f'{side}_{part}' for part in names.split())
            if of_limb := tuple(x for x in of_side if x in joints):
                limbs[f'{side}_{limb}'] = of_limb
    pairs = [
        (other, index) if 'left' in joints[other].lower() else (index, other)
        for index, other in enumerate(swaps)
        if index < other
    ]
    body = {group: parts[group] for group in ('head', 'torso') if group in parts}
    groups = MappingProxyType(body | limbs | dict(parts))
    return Skeleton(name, joints, parents, tuple(sorted(pairs)), groups)


def add_skeleton(skeleton: Skeleton) -> Skeleton:
    """Register a skeleton, so that it is found by name.

    Args:
        skeleton (Skeleton): A new skeleton, or one that is registered already.

    Returns:
        Skeleton: The registered skeleton of this name.

    Raises:
        ValueError: If a skeleton of this name has other joints.
    """
    same = _REGISTRY.setdefault(skeleton.name, skeleton)
    if (same.joints, same.flip_indices) != (skeleton.joints, skeleton.flip_indices):
        raise ValueError(
            f'skeleton {skeleton.name!r} is registered with other joints: choose '
            'another name, or dataset_name in the metainfo'
        )
    return same


def skeleton_with(count: int, argument: str = 'skeleton') -> str:
    """Return the name of the skeleton of unnamed keypoints.

    Args:
        count (int): Number of keypoints.
        argument (str): Argument that states the skeleton, for the error.

    Raises:
        ArgumentError: If there is none, or it could be one of several.
    """
    names = {x.num_keypoints: x.name for x in SKELETONS.values() if x.by_count}
    if count not in names:
        same = [x.name for x in SKELETONS.values() if x.num_keypoints == count]
        listed = same or [f'{number} ({name})' for number, name in names.items()]
        raise ArgumentError(
            f'people have %s keypoints; known skeletons are %s: give {{{argument}}}',
            count,
            ', '.join(listed),
        )
    return names[count]


def match_joints(names: Sequence[str]) -> tuple[Skeleton, list[int]] | None:
    """Find the skeleton of named joints, in any order and spelling.

    ``LShoulder``, ``shoulder_left`` and ``left_shoulder`` are the same. Shoulders and
    hips must be among the names, or all joints of a skeleton. If several skeletons fit,
    the one with most joints is returned. Rigs name joints by the bones that begin
    there: ``LeftArm`` is a shoulder, and ``LeftShoulder`` beside it a collar bone.

    Args:
        names (Sequence[str]): Names of the joints of a file.

    Returns:
        tuple[Skeleton, list[int]] | None: The skeleton, and the index of each of its
        joints among the names, -1 if it is missing; None if no skeleton fits.
    """
    spelled = [spell_joint(_ADDED.sub('', name)) for name in names]
    renamed = [RIG_NAMES.get(x.replace('_', ''), x) for x in spelled]
    skeletons: Iterable[Skeleton] = SKELETONS.values()
    if _ELBOWS.isdisjoint(spelled) and {*renamed} >= _TRUNK | _ELBOWS:
        skeletons = [get_skeleton('humanml3d-22')]
        spelled = renamed
    # Names are in reverse order, so that the first of two equal names is kept.
    index_of = {x: index for index, x in [*enumerate(spelled)][::-1]}
    best = None
    most = 0, False
    for skeleton in skeletons:
        order = [
            index_of.get(spell_joint(x), index_of.get(skeleton.meanings.get(x, ''), -1))
            for x in skeleton.joints
        ]
        named = {x for x, n in zip(skeleton.joints, order, strict=True) if n >= 0}
        fits = len(named), order == [*range(len(names))]
        if fits > most and (named >= _TRUNK or len(named) == len(order)):
            best = skeleton, order
            most = fits
    return best


def spell_joint(joint: str) -> str:
    """Spell the name of a joint in one way: the side first, words with underscores.

    >>> [spell_joint(name) for name in ('LShoulder', 'shoulder_left', 'Big Toe R')]
    ['left_shoulder', 'left_shoulder', 'right_big_toe']
    """
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
    """Convert poses from one skeleton to another by the names of joints.

    Joints of both skeletons are copied, others are weighted sums of source joints.
    Weights may differ between the x and y axis of the image; a third axis has the
    weights of x.

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
        (..., K'), 0 there, or None; and ``measured`` (K',) bool, True for copied
        joints.

    Raises:
        ValueError: If a skeleton or mapping is unknown, or keypoints have another
            shape.

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
    """Compile a conversion, see :func:`convert_keypoints`.

    Returns:
        tuple: Indices of the M source joints of each joint, (K', M); their weights for
        x and y, (K', M, 2); and whether a joint is copied, (K',). Rows with fewer than
        M source joints repeat the first one with the weight 0, so that NaN comes only
        from source joints. Joints that cannot be derived have the weight NaN.
    """
    if mapping not in MAPPINGS:
        raise ValueError(_unknown('mapping', mapping, MAPPINGS))
    start = get_skeleton(source)
    end = get_skeleton(target)
    # Joints by the names that are the same in all skeletons
    available = {start.meanings.get(joint, joint): joint for joint in start.joints}
    names = [end.meanings.get(joint, joint) for joint in end.joints]
    recipes = [
        next((x for x in recipes if x.keys() <= available.keys()), None)
        for name in names
        for recipes in [({name: 1.0}, *MAPPINGS[mapping].get(name, ()))]
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
    """Compose a message about an unknown name, with a hint at known ones."""
    return f'unknown {kind}: {got!r}{hint_at_names(got, known)}'


for _definition in DEFINITIONS:
    register_skeleton(**_definition)
