"""Group attention and plain attention, token by token."""

import torch

from mmhot.models.gtpt.attention import GroupAttention
from mmhot.models.gtpt.grouping import NamedGroups

# slots of 2, 1 and 1 keypoints: the shorter groups repeat theirs
METAINFO = dict(
    dataset_name='kite',
    keypoint_info={
        index: dict(name=name, type='', swap='')
        for index, name in enumerate(('top', 'middle', 'bottom', 'tail'))
    },
    skeleton_info={},
)

GROUPS = NamedGroups(METAINFO, [['top', 'middle'], ['bottom'], ['tail']])
# the second and third group start with padding
VALID = torch.tensor([7 * [True], *2 * [[False, *6 * [True]]]])


def loop_over_groups_and_heads(attention, x, groups):
    """Attend one token and head at a time, to all slots and the group's own tokens."""
    size, slots = x.shape[-1] // attention.num_heads, groups.num_slots
    q, k, v = attention.qkv(x).chunk(3, -1)
    out = torch.zeros_like(x)
    for group in range(groups.num_groups):
        shared = [
            (other, slot)
            for other in range(groups.num_groups)
            for slot in range(slots)
            if groups.slot_mask[other, slot]
        ]
        own = [(group, place) for place in range(slots, x.shape[1])]
        for head in range(attention.num_heads):
            of_head = slice(head * size, (head + 1) * size)
            keys = torch.stack([k[place][of_head] for place in shared + own])
            values = torch.stack([v[place][of_head] for place in shared + own])
            for token in range(x.shape[1]):
                logits = keys @ q[group, token, of_head] * size**-0.5
                out[group, token, of_head] = logits.softmax(0) @ values
    return attention.proj(out)


def test_group_attention_is_a_loop_over_groups_and_heads():
    torch.manual_seed(0)
    attention = GroupAttention(embed_dims=8, num_heads=2)
    x = torch.randn(2 * GROUPS.num_groups, GROUPS.num_slots + 5, 8)
    wanted = [
        loop_over_groups_and_heads(attention, part, GROUPS) for part in x.chunk(2)
    ]
    torch.testing.assert_close(attention(x, GROUPS)[0], torch.cat(wanted))


def test_plain_attention_is_within_each_group():
    torch.manual_seed(0)
    attention = GroupAttention(embed_dims=8, num_heads=2, share_slots=False)
    x = torch.randn(GROUPS.num_groups, GROUPS.num_slots + 5, 8)
    found = attention(x, GROUPS)[0]
    wanted = [
        attention(group[None, mask])[0] for group, mask in zip(x, VALID, strict=True)
    ]
    for group, mask, alone in zip(found, VALID, wanted, strict=True):
        torch.testing.assert_close(group[mask], alone[0])
