"""A GTPT initialized with the weights of another one."""

import torch
from gtpt_models import WHOLEBODY
from mmpose.registry import MODELS
from torch.nn.functional import interpolate

from mmhot.skeletons.joints import get_skeleton


def head(size, **others):
    torch.manual_seed(size[0])
    sizes = dict(
        type='GTPTHead',
        in_channels=8,
        out_channels=17,
        input_size=size,
        in_featuremap_size=(size[0] // 4, size[1] // 4),
        patch_size=(1, 1),
        embed_dims=16,
        num_heads=2,
    )
    return MODELS.build({**sizes, **others}).eval()


def test_bins_are_interpolated_for_larger_images():
    small, large = head((32, 48)), head((64, 96))
    large.load_state_dict(small.state_dict())
    tokens = torch.randn(2, 17, 16)
    for ours, theirs in zip(
        large.classify(tokens), small.classify(tokens), strict=True
    ):
        wanted = interpolate(theirs, ours.shape[-1], mode='linear')
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-6)


def test_new_keypoints_keep_their_initial_values():
    body, whole = head((32, 48)), head((64, 96), out_channels=133, **WHOLEBODY)
    parts = whole.coarse_encoder.query_tokens[:5].clone()
    dense = whole.coarse_to_fine.dense_tokens.clone()
    left = whole.load_state_dict(body.state_dict(), strict=False)
    assert left.missing_keys == ['coarse_to_fine.dense_tokens']
    assert left.unexpected_keys == []
    tokens = whole.coarse_encoder.query_tokens
    assert torch.equal(tokens[:5], parts)
    assert torch.equal(tokens[5:], body.coarse_encoder.query_tokens)
    assert torch.equal(whole.coarse_to_fine.dense_tokens, dense)


def test_body_takes_the_whole_bodys_tokens():
    body, whole = head((32, 48)), head((64, 96), out_channels=133, **WHOLEBODY)
    left = body.load_state_dict(whole.state_dict(), strict=False)
    assert (left.missing_keys, left.unexpected_keys) == ([], [])
    tokens = whole.coarse_encoder.query_tokens
    assert torch.equal(body.coarse_encoder.query_tokens, tokens[5:])


def test_other_keypoints_start_as_the_saved_ones_in_turn():
    body = head((32, 48))
    joints = get_skeleton('coco-17').joints
    info = {n: dict(name=f'new_{name}', type='') for n, name in enumerate(joints[:9])}
    metainfo = dict(
        dataset_name='own',
        keypoint_info=info,
        skeleton_info={},
        joint_weights=[1.0] * 9,
        sigmas=[0.05] * 9,
    )
    own = head((32, 48), out_channels=9, metainfo=metainfo, groups=[list(range(9))])
    own.load_state_dict(body.state_dict())
    tokens = body.coarse_encoder.query_tokens
    assert torch.equal(own.coarse_encoder.query_tokens, tokens[:9])
    gate = body.coarse_to_fine.gate[2].weight
    assert torch.equal(own.coarse_to_fine.gate[2].weight, gate[:16])
