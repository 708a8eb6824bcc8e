"""Keypoint groups of GTPT as index tables."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

Group = Sequence[int] | Sequence[Sequence[int]]
"""Keypoints of a group by index: its slots, or its slots and dense parts."""


class KeypointGroups(nn.Module):
    """Index tables of grouped keypoints: a module without parameters.

    The keypoints of a group are its *slots*, which all groups attend to. If a group is
    a sequence of parts, only the keypoints of the first one are slots. The keypoints of
    further parts are *dense*: they are introduced later from one token for each part,
    and only their own group attends to them. A group with fewer slots than others
    repeats its first one as *padding*, which is masked.

    The 17 keypoints of COCO in their three groups have 6 slots each (S = 6): the head's
    5 keypoints, the first of them repeated; 6 of the arms; 6 of the legs. So

    * ``sparse`` is 0, 1, ..., 16: the keypoint of each of the J = 17 query tokens,
    * ``slots`` is 0 0 1 2 3 4, 5 ... 10, 11 ... 16: the query token in each slot,
    * ``slot_mask`` is false in the first slot alone; ``real_slots`` are the other 17,
    * ``scorers`` are the query tokens whose attention chooses a group's patches,
    * keypoint 7, the left elbow, has ``group_of_keypoint`` 1 and ``place_in_group`` 2.

    The 133 of COCO-WholeBody, in groups of head and face, upper body and hands, lower
    body and feet, have the same slots and 116 dense keypoints of 5 parts;
    ``dense_counts`` is 68, 42, 6. So

    * query tokens are the 5 parts, then the 17 sparse keypoints,
    * ``part_of_dense`` is 0 for the face, 1 and 2 for the hands, 3 and 4 for the feet,
    * ``scorers`` of the second group are parts 1 and 2, and query tokens 10 ... 15,
    * keypoint 91, the root of the left hand, has ``place_in_group`` 6, after the slots.

    Args:
        groups (Sequence): For each group, the indices of its keypoints, or a sequence
            of parts, which are sequences of indices. Each keypoint is in one group.

    Raises:
        ValueError: If a keypoint is missing, or in several groups.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        super().__init__()
        parted: Any = [x if isinstance(x[0], Sequence) else [x] for x in groups]
        indices = [[[*part] for part in group] for group in parted]
        every = sorted(index for group in indices for part in group for index in part)
        if every != [*range(len(every))]:
            raise ValueError(
                f'groups must have each keypoint from 0 to {len(every) - 1} once, got '
                f'{groups}'
            )
        slots = [first for first, *_ in indices]
        parts = [rest for _, *rest in indices]
        self.num_keypoints = len(every)
        self.num_groups = len(slots)
        self.num_slots = max(map(len, slots))
        self.num_sparse = sum(map(len, slots))
        self.num_parts = sum(map(len, parts))
        self.num_queries = self.num_parts + self.num_sparse
        self.dense_counts = tuple(sum(map(len, group)) for group in parts)
        self.num_dense = sum(self.dense_counts)
        self._register_slots(slots)
        self._register_scorers(slots, parts)
        self._register_dense(parts)
        self._register_places(slots, parts)

    def _register_slots(self, slots: list[list[int]]) -> None:
        """Register the keypoint of each slot, and the mask without padding."""
        counts = torch.tensor([*map(len, slots)])[:, None]  # (G, 1)
        place = torch.arange(self.num_slots) - self.num_slots + counts  # (G, S)
        is_real = place >= 0
        index = counts.cumsum(0) - counts + place.clamp(min=0)
        sparse = [joint for group in slots for joint in group]
        self._set_tables(
            sparse=torch.tensor(sparse),  # (J, ), in the skeleton
            slots=index.flatten(),  # (G * S, )
            real_slots=is_real.flatten().nonzero().squeeze(1),  # (M, )
            slot_mask=is_real,  # (G, S)
        )

    def _register_scorers(self, slots: list, parts: list) -> None:
        """Register the query tokens, parts then keypoints, that score for a group."""
        tokens = torch.arange(self.num_queries)
        of_parts, of_slots = tokens.tensor_split([self.num_parts])
        own = zip(
            of_parts.split([*map(len, parts)]),
            of_slots.split([*map(len, slots)]),
            strict=True,
        )
        rows = [torch.cat(group) for group in own]
        table = pad_sequence(rows, batch_first=True, padding_value=-1)
        valid = table >= 0
        self._set_tables(
            scorers=table.where(valid, table[:, :1]),  # (G, R)
            scorers_valid=valid,  # (G, R)
        )

    def _register_dense(self, parts: list) -> None:
        """Register the part of each dense token, and the tokens that score with slots.

        Dense tokens score infinity in their own group, which keeps all of them, and
        minus infinity in other groups.
        """
        sizes = torch.tensor([len(part) for group in parts for part in group] or [0])
        part_of_dense = torch.arange(len(sizes)).repeat_interleave(sizes)
        counts = torch.tensor(self.dense_counts)
        of_group = torch.arange(self.num_groups).repeat_interleave(counts)
        in_group = of_group == torch.arange(self.num_groups)[:, None]
        is_dense = torch.arange(max(self.dense_counts)) < counts[:, None]
        valid = torch.cat([self.slot_mask, is_dense], dim=1)
        self._set_tables(
            part_of_dense=part_of_dense,  # (num_dense, )
            dense_scores=torch.where(in_group, torch.inf, -torch.inf),  # (G, num_dense)
            fine_scorers_valid=valid,  # (G, S + most dense)
        )

    def _register_places(self, slots: list, parts: list) -> None:
        """Register each keypoint's group and place in it, in the skeleton's order."""
        places: dict[int, tuple[int, int]] = {}
        for group, (sparse, dense) in enumerate(zip(slots, parts, strict=True)):
            padding = self.num_slots - len(sparse)
            joints = sparse + [joint for part in dense for joint in part]
            places |= {joint: (group, padding + i) for i, joint in enumerate(joints)}
        table = torch.tensor([places[joint] for joint in range(self.num_keypoints)])
        self._set_tables(
            group_of_keypoint=table[:, 0].clone(),  # (K, )
            place_in_group=table[:, 1].clone(),  # (K, )
        )

    def _set_tables(self, **tables: Tensor) -> None:
        """Register tables (...) that are not saved."""
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def take_keypoints(self, x: Tensor) -> Tensor:
        """Take the keypoints ``(B, K, C)`` out of all groups' tokens (B, G, N, C)."""
        index = self.group_of_keypoint * x.shape[2] + self.place_in_group
        return x.flatten(1, 2).index_select(1, index)
