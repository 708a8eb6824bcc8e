"""Which keypoint token is where when keypoints are grouped."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from mmhot.skeletons.joints import Skeleton, get_skeleton


class KeypointGroups(nn.Module):
    """Index tables of grouped keypoints: a module without parameters.

    The keypoints of a group's first name are its *slots*, which all groups see. Those
    of further names are *dense* keypoints, which come later, of one *part* token each
    name, and which only their own group sees. A group with fewer slots than others
    repeats its first one; what stands there is never seen.

    Args:
        skeleton (str): Name of the skeleton.
        groups (Sequence[Sequence[str]]): Names of keypoint groups of the skeleton, for
            each of our groups. Together they must name every keypoint once.
    """

    def __init__(self, skeleton: str, groups: Sequence[Sequence[str]]) -> None:
        super().__init__()
        found = get_skeleton(skeleton)
        self.skeleton = found.name
        self.groups = _check_groups(found, groups)
        slots = [found.indices(names[0]) for names in self.groups]
        parts = [[found.indices(name) for name in names[1:]] for names in self.groups]
        self.num_keypoints = found.num_keypoints
        self.num_groups = len(slots)
        self.num_slots = max(map(len, slots))
        self.num_sparse = sum(map(len, slots))
        self.num_parts = sum(map(len, parts))
        self.dense_counts = tuple(sum(map(len, group)) for group in parts)
        self.num_dense = sum(self.dense_counts)
        self._register_slots(slots)
        self._register_judges(slots, parts)
        self._register_dense(parts)
        self._register_homes(slots, parts)

    def _register_slots(self, slots: list[list[int]]) -> None:
        """Which keypoint token is in each slot, and which slots are not repeated."""
        starts = accumulate(map(len, slots[:-1]), initial=0)
        index, filled = [], []
        for start, group in zip(starts, slots, strict=True):
            empty = self.num_slots - len(group)
            index += [start] * empty + list(range(start, start + len(group)))
            filled += [False] * empty + [True] * len(group)
        filled = torch.tensor(filled)
        sparse = [joint for group in slots for joint in group]
        self._keep('sparse', torch.tensor(sparse))  # (J, ), in the skeleton
        self._keep('slots', torch.tensor(index))  # (G * S, )
        self._keep('shared', filled.nonzero().squeeze(1))  # (M, )
        self._keep('filled', filled.view(self.num_groups, -1))  # (G, S)

    def _register_judges(self, slots: list, parts: list) -> None:
        """Which query tokens, parts and then keypoints, judge for each group."""
        part, sparse, rows = 0, self.num_parts, []
        for group, names in zip(slots, parts, strict=True):
            own = list(range(part, part + len(names)))
            rows.append(own + list(range(sparse, sparse + len(group))))
            part, sparse = part + len(names), sparse + len(group)
        most = max(map(len, rows))
        index = [row + row[:1] * (most - len(row)) for row in rows]
        valid = [[place < len(row) for place in range(most)] for row in rows]
        self._keep('judges', torch.tensor(index))  # (G, R)
        self._keep('judges_valid', torch.tensor(valid))  # (G, R)

    def _register_dense(self, parts: list) -> None:
        """Of which part each dense token is, and which tokens judge beside slots.

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
        self._keep('part_of_dense', of_part)  # (num_dense, )
        self._keep('dense_scores', torch.where(own, torch.inf, -torch.inf))
        self._keep('fine_judges_valid', valid)  # (G, S + most dense)

    def _register_homes(self, slots: list, parts: list) -> None:
        """Group, and place in it, of each keypoint in the skeleton's order."""
        homes = {}
        for group, (sparse, dense) in enumerate(zip(slots, parts, strict=True)):
            empty = self.num_slots - len(sparse)
            joints = sparse + [joint for part in dense for joint in part]
            homes |= {joint: (group, empty + i) for i, joint in enumerate(joints)}
        table = torch.tensor([homes[joint] for joint in range(self.num_keypoints)])
        self._keep('home_group', table[:, 0].clone())  # (K, )
        self._keep('home_place', table[:, 1].clone())  # (K, )

    def _keep(self, name: str, table: Tensor) -> None:
        self.register_buffer(name, table, persistent=False)

    def take_keypoints(self, x: Tensor) -> Tensor:
        """Take the keypoints ``(B, K, C)`` out of all groups' tokens (B, G, N, C)."""
        index = self.home_group * x.shape[2] + self.home_place
        return x.flatten(1, 2).index_select(1, index)

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
        problems = [
            f'{what} {", ".join(found)}'
            for what, found in (('miss', missing), ('repeat', twice))
            if found
        ]
        raise ValueError(
            f'groups must name each keypoint of {skeleton.name} once; '
            f'{" and ".join(problems)}'
        )
    return groups
