"""Groups of keypoints by name, or found by body part or branch of the skeleton."""

from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from mmhot.errors import hint_at_names
from mmhot.models.gtpt.groups import KeypointGroups
from mmhot.skeletons.joints import Skeleton, configured_skeleton

_BODY_PARTS = ('head', 'upper_body', 'lower_body')
# Largest number of groups by branches. Each group has its own patches, so that more
# groups cost more time than they gain.
_MOST_BRANCHES = 5


class NamedGroups(KeypointGroups):
    """Groups of the keypoints of a skeleton.

    Args:
        skeleton (str | Mapping): Name of the skeleton, or its metainfo.
        groups (str | Sequence[Sequence]): For each group, the names or indices of its
            keypoints, or names of keypoint groups of the skeleton, which are its parts.
            Each keypoint must be in one group. 'auto' chooses the groups by
            :func:`find_groups`.
    """

    def __init__(
        self,
        skeleton: str | Mapping[str, Any],
        groups: str | Sequence[Sequence[str | int]],
    ) -> None:
        tree = configured_skeleton(skeleton)
        if isinstance(groups, str) and groups == 'auto':
            groups = find_groups(tree)
        names, indices = check_groups(tree, groups)
        super().__init__(indices)
        self.skeleton = tree.name
        self.joints = tree.joints
        self.groups = names

    def check_count(self, num_keypoints: int) -> None:
        """Raise a ValueError unless a model has as many keypoints as the skeleton."""
        if num_keypoints != self.num_keypoints:
            raise ValueError(
                f'out_channels must be {self.num_keypoints}, the number of keypoints '
                f'of {self.skeleton}, got {num_keypoints}'
            )


def check_groups(
    skeleton: Skeleton, groups: Sequence[str | Sequence[str | int]]
) -> tuple[tuple[tuple[str, ...], ...], list[list[list[int]]]]:
    """Look up the keypoints of groups.

    Args:
        skeleton (Skeleton): Skeleton with K keypoints.
        groups (Sequence[str | Sequence]): See :class:`NamedGroups`.

    Returns:
        tuple: For each group, the names in it; and for each group, the indices of its
        slots, followed by the indices of each of its dense parts.

    Raises:
        ValueError: If a name is unknown, or a keypoint is not in exactly one group.
    """
    groups = [[names] if isinstance(names, str) else names for names in groups]
    indices = [_find_parts(skeleton, names) for names in groups]
    counts = Counter(index for parts in indices for part in parts for index in part)
    wrong = [
        f'{joint} {counts[index]} times'
        for index, joint in enumerate(skeleton.joints)
        if counts[index] != 1
    ]
    if wrong:
        raise ValueError(
            f"groups must name each keypoint of {skeleton.name} once, or be 'auto': "
            f'got {", ".join(wrong[:5])}{", ..." if wrong[5:] else ""}'
        )
    names = tuple(
        tuple(x if isinstance(x, str) else skeleton.joints[x] for x in group)
        for group in groups
    )
    return names, indices


def _find_parts(skeleton: Skeleton, names: Sequence[str | int]) -> list[list[int]]:
    """Return the indices of a group's slots, then the indices of each dense part."""
    if all(name in skeleton.groups for name in names):
        return [skeleton.indices(str(name)) for name in names]
    slots = []
    for name in names:
        if name in skeleton.joints:
            slots.append(skeleton.index(name))
        elif isinstance(name, Integral) and 0 <= name < skeleton.num_keypoints:
            slots.append(int(name))
        else:
            hint = hint_at_names(str(name), skeleton.joints)
            raise ValueError(
                f'groups: {name!r} is not a keypoint of {skeleton.name}{hint}; list '
                'names of groups, or of keypoints; own keypoints need the metainfo of '
                "the dataset as model.head.metainfo, such as dict(from_file='my.py')"
            )
    return [slots]


def find_groups(skeleton: Skeleton) -> list[list[int]]:
    """Group the keypoints of a skeleton by body part, or by the branches of its tree.

    Parts are the skeleton's groups ``head``, ``upper_body`` and ``lower_body``. If it
    has less than two of these, branches are the groups. Each remaining keypoint joins
    the group of the nearest keypoint above it in the tree, or else below it.

    Args:
        skeleton (Skeleton): Skeleton with K keypoints.

    Returns:
        list[list[int]]: Rising indices of the keypoints of each group.

    >>> from mmhot.skeletons.joints import get_skeleton
    >>> find_groups(get_skeleton('coco-17'))
    [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16]]
    """
    named = (skeleton.groups.get(name) for name in _BODY_PARTS)
    parts = [skeleton.indices(part) for part in named if part]
    group_of: dict[int, int] = {
        index: group
        for group, part in enumerate(parts if len(parts) > 1 else _branches(skeleton))
        for index in part
    }
    for index in range(skeleton.num_keypoints):
        above = index
        while above >= 0 and above not in group_of:
            above = skeleton.parents[above]
        near = above, *_branch(skeleton, index)
        group_of[index] = next((group_of[x] for x in near if x in group_of), 0)
    return [
        [index for index in sorted(group_of) if group_of[index] == group]
        for group in sorted(set(group_of.values()))
    ]


def _children(skeleton: Skeleton, joint: int) -> list[int]:
    return [child for parent, child in skeleton.bones if parent == joint]


def _branch(skeleton: Skeleton, top: int) -> list[int]:
    """Return the joints of a subtree, from the top down (breadth first)."""
    branch = [top]
    for joint in branch:
        branch += _children(skeleton, joint)
    return branch


def _branches(skeleton: Skeleton) -> list[list[int]]:
    """Return the subtrees below the first fork of a tree, the smallest ones joined."""
    tops = [index for index, parent in enumerate(skeleton.parents) if parent < 0]
    if len(tops) == skeleton.num_keypoints:
        return [tops]
    while len(tops) == 1:
        tops = _children(skeleton, tops[0])
    branches = [_branch(skeleton, top) for top in tops]
    while len(branches) > _MOST_BRANCHES:
        branches.sort(key=len, reverse=True)
        branches[-2] += branches.pop()
    return sorted(branches)
