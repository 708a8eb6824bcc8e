"""Group attention by its name in a config, and in a head of MMPose."""

import pytest
import torch
from mmpose.registry import MODELS
from topdown_configs import small_training

from mmhot.engine.hooks import _compare_keypoints
from mmhot.models.gtpt.grouping import NamedGroups

RTMPOSE = 'body_2d_keypoint/gtpt/coco/rtmpose-m_group-attention_*'
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
    attention = MODELS.build(dict(type='GroupAttention', embed_dims=8, num_heads=2))
    x = torch.randn(2 * GROUPS.num_groups, GROUPS.num_slots + 5, 8)
    wanted = [
        loop_over_groups_and_heads(attention, part, GROUPS) for part in x.chunk(2)
    ]
    torch.testing.assert_close(attention(x, GROUPS)[0], torch.cat(wanted))


def test_plain_attention_is_within_each_group():
    torch.manual_seed(0)
    settings = dict(embed_dims=8, num_heads=2, share_slots=False)
    attention = MODELS.build(dict(type='GroupAttention', **settings))
    x = torch.randn(GROUPS.num_groups, GROUPS.num_slots + 5, 8)
    found = attention(x, GROUPS)[0]
    wanted = [
        attention(group[None, mask])[0] for group, mask in zip(x, VALID, strict=True)
    ]
    for group, mask, alone in zip(found, VALID, wanted, strict=True):
        torch.testing.assert_close(group[mask], alone[0])


def test_rtmpose_trains_with_group_attention(tmp_path, run_tool):
    model = dict(backbone=dict(deepen_factor=0.17, widen_factor=0.25))
    model['head'] = dict(in_channels=256, in_featuremap_size=(3, 4))
    config = small_training(RTMPOSE, model)
    config.train_cfg.max_epochs = config.train_cfg.val_interval = 1
    config.dump(tmp_path / 'config.py')
    run_tool('train', tmp_path / 'config.py', '--work-dir', tmp_path)
    head = MODELS.build(config.model.head)
    feats = (torch.randn(2, 256, 4, 3),)
    sum(axis.square().mean() for axis in head(feats)).backward()
    assert all(x.grad.abs().sum() > 0 for x in head.parameters())


def test_dense_keypoints_and_another_order_are_refused():
    names = [point['name'] for point in METAINFO['keypoint_info'].values()]
    settings = dict(
        in_channels=8,
        out_channels=4,
        input_size=(12, 16),
        in_featuremap_size=(3, 4),
        metainfo=METAINFO,
    )
    attention = dict(type='GroupAttention', num_heads=8)
    head = MODELS.build(dict(type='GroupRTMCCHead', **settings, attention=attention))
    known = dict(dataset_name='kite', num_keypoints=4)
    known['keypoint_id2name'] = dict(enumerate(names))
    _compare_keypoints(head, known)
    known['keypoint_id2name'] = dict(enumerate(names[::-1]))
    with pytest.raises(
        ValueError, match='keypoint 0 is top in model.head .*, but tail in'
    ):
        _compare_keypoints(head, known)
    settings |= dict(
        out_channels=133,
        metainfo=None,
        skeleton='coco-wholebody-133',
        groups=[
            ('head', 'face'),
            ('upper_body', 'left_hand', 'right_hand'),
            ('lower_body', 'left_foot', 'right_foot'),
        ],
    )
    with pytest.raises(ValueError, match='must not have dense keypoints'):
        MODELS.build(dict(type='GroupRTMCCHead', **settings, attention=attention))
