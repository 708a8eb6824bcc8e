"""Keypoint groups of GTPT as index tables, and the tokens that each layer keeps."""

from collections.abc import Sequence
from itertools import accumulate
from numbers import Real

import torch
from torch import Tensor, nn

from mmhot.skeletons.joints import Skeleton, get_skeleton


class KeypointGroups(nn.Module):
    """Index tables of grouped keypoints: a module without parameters.

    The keypoints of a group's first name are its *slots*, which all groups attend to.
    Those of further names are *dense* keypoints, introduced later from one *part*
    token for each name, and attended to by their own group alone. A group with fewer
    slots than others repeats its first one; the repetition is masked.

    Args:
        skeleton (str): Name of the skeleton.
        groups (Sequence[Sequence[str]]): Names of keypoint groups of the skeleton, for
            each of our groups. Together they must name every keypoint once.
    """

    def __init__(self, skeleton: str, groups: Sequence[Sequence[str]]) -> None:
        super().__init__()
        skeleton = get_skeleton(skeleton)
        self.skeleton = skeleton.name
        self.groups = _check_groups(skeleton, groups)
        slots = [skeleton.indices(names[0]) for names in self.groups]
        parts = [
            [skeleton.indices(name) for name in names[1:]] for names in self.groups
        ]
        self.num_keypoints = skeleton.num_keypoints
        self.num_groups = len(slots)
        self.num_slots = max(map(len, slots))
        self.num_sparse = sum(map(len, slots))
        self.num_parts = sum(map(len, parts))
        self.dense_counts = tuple(sum(map(len, group)) for group in parts)
        self.num_dense = sum(self.dense_counts)
        self._register_slots(slots)
        self._register_judges(slots, parts)
        self._register_dense(parts)
        self._register_places(slots, parts)

    def _register_slots(self, slots: list[list[int]]) -> None:
        """Register the keypoint of each slot, and the mask of unrepeated slots."""
        starts = accumulate(map(len, slots[:-1]), initial=0)
        index, filled = [], []
        for start, group in zip(starts, slots, strict=True):
            empty = self.num_slots - len(group)
            index += [start] * empty + list(range(start, start + len(group)))
            filled += [False] * empty + [True] * len(group)
        filled = torch.tensor(filled)
        sparse = [joint for group in slots for joint in group]
        self._register('sparse', torch.tensor(sparse))  # (J, ), in the skeleton
        self._register('slots', torch.tensor(index))  # (G * S, )
        self._register('shared', filled.nonzero().squeeze(1))  # (M, )
        self._register('filled', filled.view(self.num_groups, -1))  # (G, S)

    def _register_judges(self, slots: list, parts: list) -> None:
        """Register the query tokens, parts then keypoints, that score for a group."""
        part, sparse, rows = 0, self.num_parts, []
        for group, names in zip(slots, parts, strict=True):
            own = list(range(part, part + len(names)))
            rows.append(own + list(range(sparse, sparse + len(group))))
            part, sparse = part + len(names), sparse + len(group)
        most = max(map(len, rows))
        index = [row + row[:1] * (most - len(row)) for row in rows]
        valid = [[place < len(row) for place in range(most)] for row in rows]
        self._register('judges', torch.tensor(index))  # (G, R)
        self._register('judges_valid', torch.tensor(valid))  # (G, R)

    def _register_dense(self, parts: list) -> None:
        """Register the part of each dense token, and the tokens that score with slots.

        Scores of dense tokens are such that a group keeps all of its own and none of
        another's.
        """
        sizes = torch.tensor([len(part) for group in parts for part in group] or [0])
        of_part = torch.arange(len(sizes)).repeat_interleave(sizes)
        counts = torch.tensor(self.dense_counts)
        of_group = torch.arange(self.num_groups).repeat_interleave(counts)
        own = of_group == torch.arange(self.num_groups)[:, None]
        is_dense = torch.arange(max(self.dense_counts)) < counts[:, None]
        valid = torch.cat([self.filled, is_dense], dim=1)
        self._register('part_of_dense', of_part)  # (num_dense, )
        self._register('dense_scores', torch.where(own, torch.inf, -torch.inf))
        self._register('fine_judges_valid', valid)  # (G, S + most dense)

    def _register_places(self, slots: list, parts: list) -> None:
        """Register each keypoint's group and place in it, in the skeleton's order."""
        places = {}
        for group, (sparse, dense) in enumerate(zip(slots, parts, strict=True)):
            empty = self.num_slots - len(sparse)
            joints = sparse + [joint for part in dense for joint in part]
            places |= {joint: (group, empty + i) for i, joint in enumerate(joints)}
        table = torch.tensor([places[joint] for joint in range(self.num_keypoints)])
        self._register('home_group', table[:, 0].clone())  # (K, )
        self._register('home_place', table[:, 1].clone())  # (K, )

    def _register(self, name: str, table: Tensor) -> None:
        self.register_buffer(name, table, persistent=False)

    def take_keypoints(self, x: Tensor) -> Tensor:
        """Take the keypoints ``(B, K, C)`` out of all groups' tokens (B, G, N, C)."""
        index = self.home_group * x.shape[2] + self.home_place
        return x.flatten(1, 2).index_select(1, index)

    def check_count(self, num_keypoints: int) -> None:
        """Raise a ValueError if a model has another number of keypoints."""
        if num_keypoints != self.num_keypoints:
            raise ValueError(
                f'out_channels must be the {self.num_keypoints} keypoints of '
                f'{self.skeleton}, got {num_keypoints}'
            )

    def extra_repr(self) -> str:
        """Show the groups."""
        return f'skeleton={self.skeleton!r}, groups={self.groups}'


def _check_groups(skeleton: Skeleton, groups: object) -> tuple[tuple[str, ...], ...]:
    """Return groups as tuples of names that together name each keypoint once."""
    try:
        groups = tuple(
            (names,) if isinstance(names, str) else tuple(names) for names in groups
        )
    except TypeError:
        groups = ()
    if not groups or not all(groups):
        raise ValueError(
            f'groups must be lists of group names of {skeleton.name}, got {groups!r}'
        )
    joints = [
        skeleton.joints[index]
        for names in groups
        for name in names
        for index in skeleton.indices(name)
    ]
    missing = [joint for joint in skeleton.joints if joint not in joints]
    twice = [joint for joint in skeleton.joints if joints.count(joint) > 1]
    if missing or twice:
        problem = f'miss {", ".join(missing)}' if missing else ''
        problem += ' and ' if missing and twice else ''
        problem += f'repeat {", ".join(twice)}' if twice else ''
        raise ValueError(
            f'groups must name each keypoint of {skeleton.name} once; {problem}'
        )
    return groups


KeepRates = Sequence[float] | None


def count_tokens(
    keep_rates: KeepRates,
    num_patches: int,
    depth: int,
    first_grouped: int,
    num_dense: int = 0,
) -> tuple[int, ...]:
    """Return the number of private tokens of each layer, a share of all patches.

    Dense keypoints count as private tokens in the layers that they take part in.

    Args:
        keep_rates (Sequence[float], optional): Shares of the patches that are kept,
            each for an equal number of layers. None keeps all.
        num_patches (int): Patches of the image.
        depth (int): Layers of the whole model.
        first_grouped (int): First layer in which keypoints are grouped.
        num_dense (int): Most dense keypoints of a group. Defaults to 0.

    Returns:
        tuple[int]: Tokens of each layer, none growing.

    Raises:
        ValueError: If rates are out of range, grow, do not divide the layers or leave
            a group without a patch.
    """
    rates = _check_rates((1.0,) if keep_rates is None else keep_rates)
    if depth % len(rates):
        raise ValueError(
            f'keep_rates must divide the {depth} layers evenly, got {len(rates)} rates'
        )
    rates = [rate for rate in rates for _ in range(depth // len(rates))]
    counts = tuple(int(num_patches * rate) for rate in rates)
    for layer, count in enumerate(counts):
        dense = num_dense if layer >= first_grouped else 0
        if count <= dense:
            reason = f' beside {dense} dense keypoints' if dense else ''
            raise ValueError(
                f'keep_rates: {rates[layer]:g} of {num_patches} patches leaves none'
                f'{reason} in layer {layer}; at least {(dense + 1) / num_patches:.4g} '
                'must be kept'
            )
    return counts


def _check_rates(keep_rates: Sequence[float]) -> tuple[float, ...]:
    """Return keep rates as a tuple of numbers in (0, 1] that do not grow."""
    is_list = isinstance(keep_rates, Sequence) and not isinstance(keep_rates, str)
    rates = tuple(keep_rates) if is_list else ()
    if not rates or not all(_is_share(rate) for rate in rates):
        raise ValueError(
            'keep_rates must be a list of numbers above 0 and at most 1, '
            f'got {keep_rates!r}'
        )
    if any(later > earlier for earlier, later in zip(rates, rates[1:], strict=False)):
        raise ValueError(
            f'keep_rates must not grow, as pruned patches do not come back, got '
            f'{keep_rates!r}'
        )
    return tuple(map(float, rates))


def _is_share(rate: object) -> bool:
    return isinstance(rate, Real) and not isinstance(rate, bool) and 0 < rate <= 1
