"""Keypoint groups of GTPT as index tables, and the tokens that each layer keeps."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from mmhot.errors import hint_at_names
from mmhot.skeletons.joints import Skeleton, configured_skeleton

_BODY_PARTS = ('head', 'upper_body', 'lower_body')
# More groups cost more than they gain: each has its own patches.
_MOST_BRANCHES = 5


class KeypointGroups(nn.Module):
    """Index tables of grouped keypoints: a module without parameters.

    The keypoints of a group are its *slots*, which all groups attend to. If a group is
    made of named groups of the skeleton, only those of the first name are. Those of
    further names are *dense* keypoints, introduced later from one *part* token for each
    name, and attended to by their own group alone. A group with fewer slots than others
    repeats its first one as *padding*, which is masked.

    The 17 keypoints of COCO in their three groups have 6 slots each (S = 6): the head's
    5 keypoints, the first of them repeated; 6 of the arms; 6 of the legs. So

    * ``sparse`` is 0, 1, ..., 16: the keypoint of each of the J = 17 query tokens,
    * ``slots`` is 0 0 1 2 3 4, 5 ... 10, 11 ... 16: the query token in each slot,
    * ``slot_mask`` is false in the first slot alone; ``real_slots`` are the other 17,
    * ``scorers`` are the query tokens whose attention chooses a group's patches,
    * keypoint 7, the left elbow, has ``group_of_keypoint`` 1 and ``place_in_group`` 2.

    Args:
        skeleton (str | Mapping): Name of the skeleton, or its metainfo.
        groups (str | Sequence[Sequence]): For each of our groups names of keypoints,
            their indices, or names of keypoint groups of the skeleton; together every
            keypoint once. 'auto' for :func:`find_groups`.
    """

    def __init__(
        self,
        skeleton: str | Mapping[str, Any],
        groups: str | Sequence[Sequence[str | int]],
    ) -> None:
        super().__init__()
        skeleton = configured_skeleton(skeleton)
        self.skeleton, self.joints = skeleton.name, skeleton.joints
        if isinstance(groups, str) and groups == 'auto':
            groups = find_groups(skeleton)
        self.groups, indices = _check_groups(skeleton, groups)
        slots, parts = zip(*((first, rest) for first, *rest in indices), strict=True)
        self.num_keypoints = skeleton.num_keypoints
        self.num_groups = len(slots)
        self.num_slots = max(map(len, slots))
        self.num_sparse = sum(map(len, slots))
        self.num_parts = sum(map(len, parts))
        self.dense_counts = tuple(sum(map(len, group)) for group in parts)
        self.num_dense = sum(self.dense_counts)
        self._register_slots(slots)
        self._register_scorers(slots, parts)
        self._register_dense(parts)
        self._register_places(slots, parts)

    def _register_slots(self, slots: list[list[int]]) -> None:
        """Register the keypoint of each slot, and the mask without padding."""
        starts = accumulate(map(len, slots[:-1]), initial=0)
        index, is_real = [], []
        for start, group in zip(starts, slots, strict=True):
            padding = self.num_slots - len(group)
            index += [start] * padding + list(range(start, start + len(group)))
            is_real += [False] * padding + [True] * len(group)
        is_real = torch.tensor(is_real)
        sparse = [joint for group in slots for joint in group]
        self._register('sparse', torch.tensor(sparse))  # (J, ), in the skeleton
        self._register('slots', torch.tensor(index))  # (G * S, )
        self._register('real_slots', is_real.nonzero().squeeze(1))  # (M, )
        self._register('slot_mask', is_real.view(self.num_groups, -1))  # (G, S)

    def _register_scorers(self, slots: list, parts: list) -> None:
        """Register the query tokens, parts then keypoints, that score for a group."""
        part, sparse, rows = 0, self.num_parts, []
        for group, names in zip(slots, parts, strict=True):
            rows.append(
                [
                    *range(part, part + len(names)),
                    *range(sparse, sparse + len(group)),
                ]
            )
            part, sparse = part + len(names), sparse + len(group)
        most = max(map(len, rows))
        index = [row + row[:1] * (most - len(row)) for row in rows]
        valid = [[place < len(row) for place in range(most)] for row in rows]
        self._register('scorers', torch.tensor(index))  # (G, R)
        self._register('scorers_valid', torch.tensor(valid))  # (G, R)

    def _register_dense(self, parts: list) -> None:
        """Register the part of each dense token, and the tokens that score with slots.

        Scores of dense tokens are such that a group keeps all of its own and none of
        another's.
        """
        sizes = torch.tensor([len(part) for group in parts for part in group] or [0])
        of_part = torch.arange(len(sizes)).repeat_interleave(sizes)
        counts = torch.tensor(self.dense_counts)
        of_group = torch.arange(self.num_groups).repeat_interleave(counts)
        in_group = of_group == torch.arange(self.num_groups)[:, None]
        is_dense = torch.arange(max(self.dense_counts)) < counts[:, None]
        valid = torch.cat([self.slot_mask, is_dense], dim=1)
        self._register('part_of_dense', of_part)  # (num_dense, )
        self._register('dense_scores', torch.where(in_group, torch.inf, -torch.inf))
        self._register('fine_scorers_valid', valid)  # (G, S + most dense)

    def _register_places(self, slots: list, parts: list) -> None:
        """Register each keypoint's group and place in it, in the skeleton's order."""
        places = {}
        for group, (sparse, dense) in enumerate(zip(slots, parts, strict=True)):
            padding = self.num_slots - len(sparse)
            joints = sparse + [joint for part in dense for joint in part]
            places |= {joint: (group, padding + i) for i, joint in enumerate(joints)}
        table = torch.tensor([places[joint] for joint in range(self.num_keypoints)])
        self._register('group_of_keypoint', table[:, 0].clone())  # (K, )
        self._register('place_in_group', table[:, 1].clone())  # (K, )

    def _register(self, name: str, table: Tensor) -> None:
        self.register_buffer(name, table, persistent=False)

    def take_keypoints(self, x: Tensor) -> Tensor:
        """Take the keypoints ``(B, K, C)`` out of all groups' tokens (B, G, N, C)."""
        index = self.group_of_keypoint * x.shape[2] + self.place_in_group
        return x.flatten(1, 2).index_select(1, index)

    def check_count(self, num_keypoints: int) -> None:
        """Raise a ValueError if a model has another number of keypoints."""
        if num_keypoints != self.num_keypoints:
            raise ValueError(
                f'out_channels must be the {self.num_keypoints} keypoints of '
                f'{self.skeleton}, got {num_keypoints}'
            )


def _check_groups(
    skeleton: Skeleton, groups: object
) -> tuple[tuple[tuple[str, ...], ...], list[list[list[int]]]]:
    """Return groups as tuples of names, and the indices of their slots and parts."""
    try:
        groups = tuple(
            (names,) if isinstance(names, str) else tuple(names) for names in groups
        )
    except TypeError:
        groups = ()
    if not groups or not all(groups):
        raise ValueError(
            f"groups must be 'auto', or lists of keypoints or group names of "
            f'{skeleton.name}, got {groups!r}'
        )
    indices = [_find_parts(skeleton, names) for names in groups]
    grouped = [index for parts in indices for part in parts for index in part]
    counts = {name: grouped.count(i) for i, name in enumerate(skeleton.joints)}
    missing = [name for name, count in counts.items() if count == 0]
    twice = [name for name, count in counts.items() if count > 1]
    if missing or twice:
        some = ', '.join([*missing[:5], *(['...'] if missing[5:] else [])])
        problem = f'miss {some}' if missing else ''
        problem += ' and ' if missing and twice else ''
        problem += f'repeat {", ".join(twice)}' if twice else ''
        raise ValueError(
            f'groups must name each keypoint of {skeleton.name} once; {problem}; '
            "'auto' finds groups"
        )
    names = tuple(
        tuple(x if isinstance(x, str) else skeleton.joints[x] for x in group)
        for group in groups
    )
    return names, indices


def _find_parts(skeleton: Skeleton, names: Sequence[str | int]) -> list[list[int]]:
    """Return the indices of a group's slots, then those of each of its dense parts."""
    if all(name in skeleton.groups for name in names):
        return [skeleton.indices(name) for name in names]
    slots = []
    for name in names:
        if name in skeleton.joints:
            slots.append(skeleton.index(name))
        elif isinstance(name, Integral) and 0 <= name < skeleton.num_keypoints:
            slots.append(int(name))
        else:
            hint = hint_at_names(str(name), skeleton.joints)
            raise ValueError(
                f'groups: {name!r} is no keypoint of {skeleton.name}; {hint}; a list '
                'has names of groups, or of keypoints; keypoints of your own need '
                "model.head.metainfo, the dataset's, such as dict(from_file='kite.py')"
            )
    return [slots]


def find_groups(skeleton: Skeleton) -> list[list[int]]:
    """Group the keypoints of a skeleton by body part, or by the branches of its tree.

    Parts are the skeleton's ``head``, ``upper_body`` and ``lower_body``, if it has two
    of them. Each other keypoint joins the group of the nearest one above it in the
    tree, or below it. Indices of a group rise.
    """
    parts = [skeleton.groups.get(name) for name in _BODY_PARTS]
    parts = [skeleton.indices(part) for part in parts if part]
    group_of = {
        index: group
        for group, part in enumerate(parts if len(parts) > 1 else _branches(skeleton))
        for index in part
    }
    for index in range(skeleton.num_keypoints):
        above, below = index, [index]
        while above >= 0 and above not in group_of:
            above = skeleton.parents[above]
        for joint in below:
            below += [child for parent, child in skeleton.bones if parent == joint]
        near = [above, *below] if above >= 0 else below
        group_of[index] = next((group_of[x] for x in near if x in group_of), 0)
    groups = [
        [index for index in sorted(group_of) if group_of[index] == group]
        for group in sorted(set(group_of.values()))
    ]
    return groups


def _branches(skeleton: Skeleton) -> list[list[int]]:
    """Return the subtrees below the first fork of a tree, the smallest ones joined."""
    children = {
        index: [child for parent, child in skeleton.bones if parent == index]
        for index in range(skeleton.num_keypoints)
    }
    tops = [index for index, parent in enumerate(skeleton.parents) if parent < 0]
    if len(tops) == skeleton.num_keypoints:
        return [tops]
    while len(tops) == 1:
        tops = children[tops[0]]
    branches = []
    for top in tops:
        branch = [top]
        for joint in branch:
            branch += children[joint]
        branches.append(branch)
    while len(branches) > _MOST_BRANCHES:
        branches.sort(key=len, reverse=True)
        branches[-2] += branches.pop()
    return sorted(branches)


KeepRates = Sequence[float] | None


def count_tokens(
    keep_rates: KeepRates,
    num_patches: int,
    depth: int,
    first_grouped: int,
    num_dense: int = 0,
) -> tuple[int, ...]:
    """Return the number of private tokens of each layer, a share of all patches.

    Each rate is the share that is kept for an equal number of layers; None keeps all.
    Dense keypoints, of which a group has at most ``num_dense``, count as private tokens
    from the layer ``first_grouped`` on.

    Raises:
        ValueError: If rates are out of range, grow, do not divide the layers or leave
            a group without a patch.
    """
    rates = _check_rates((1.0,) if keep_rates is None else keep_rates)
    if depth % len(rates):
        fitting = [n for n in range(1, depth + 1) if depth % n == 0]
        raise ValueError(
            f'keep_rates: the {depth} layers are split evenly by '
            f'{", ".join(map(str, fitting))} rates, got {len(rates)}'
        )
    rates = [rate for rate in rates for _ in range(depth // len(rates))]
    counts = tuple(int(num_patches * rate) for rate in rates)
    for layer, count in enumerate(counts):
        dense = num_dense if layer >= first_grouped else 0
        if count <= dense:
            reason = f' beside {dense} dense keypoints' if dense else ''
            least = (dense + 1) / num_patches
            raise ValueError(
                f'keep_rates: {rates[layer]:g} of {num_patches} patches leaves none'
                f'{reason} in layer {layer}; at least {least:.4g} must be kept'
            )
    return counts


def _check_rates(keep_rates: Sequence[float]) -> tuple[float, ...]:
    """Return keep rates as a tuple of numbers in (0, 1] that do not grow."""
    is_list = isinstance(keep_rates, Sequence) and not isinstance(keep_rates, str)
    rates = tuple(keep_rates) if is_list else ()
    if not rates or not all(_is_share(rate) for rate in rates):
        text = 'keep_rates must be a list of numbers above 0 and at most 1, got'
        raise ValueError(f'{text} {keep_rates!r}')
    if any(later > earlier for earlier, later in zip(rates, rates[1:], strict=False)):
        text = 'keep_rates must not grow, as pruned patches do not come back, got'
        raise ValueError(f'{text} {keep_rates}')
    return tuple(map(float, rates))


def _is_share(rate: object) -> bool:
    return isinstance(rate, Real) and not isinstance(rate, bool) and 0 < rate <= 1
