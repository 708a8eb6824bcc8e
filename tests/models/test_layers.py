"""Shared layers, each compared with its formula."""

import pytest
import torch
from torch import nn

from mmhot.models.layers.attention import Attention
from mmhot.models.lifters.graph_conv import ModulatedGraphConv
from mmhot.models.lifters.pose_head import mirror_poses
from mmhot.skeletons.joints import get_skeleton

# Float32 sums of some hundred terms of size 1, in another order.
CLOSE = {'rtol': 1e-5, 'atol': 1e-5}


def plain_attention(attn, x, scale):
    """Attention of one sequence (N, C), head by head."""
    q, k, v = attn.qkv(x).chunk(3, dim=-1)
    heads = []
    for head in range(attn.num_heads):
        q_h, k_h, v_h = (t.chunk(attn.num_heads, -1)[head] for t in (q, k, v))
        heads.append((scale * q_h @ k_h.T).softmax(-1) @ v_h)
    return attn.proj(torch.cat(heads, dim=-1))


@pytest.mark.parametrize('num_tokens', [1, 17, 80])
@pytest.mark.parametrize('grad', [True, False])
def test_attention_is_softmax_of_scaled_products(num_tokens, grad):
    torch.manual_seed(0)
    attn = Attention(24, num_heads=4)
    x = torch.randn(num_tokens, 24)
    expected = plain_attention(attn, x, 6**-0.5)
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(attn(x), expected, **CLOSE)


@pytest.mark.parametrize('lead', [(), (2,), (2, 3), (2, 1, 3)])
def test_attention_lets_any_axes_lead(lead):
    torch.manual_seed(0)
    attn = Attention(16, num_heads=2).eval()
    x = torch.randn(*lead, 5, 16)
    expected = torch.stack([attn(seq) for seq in x.reshape(-1, 5, 16)])
    torch.testing.assert_close(attn(x), expected.reshape(x.shape), **CLOSE)


def test_graph_conv_is_the_sum_over_nodes():
    torch.manual_seed(0)
    conv = ModulatedGraphConv(4, 6, torch.rand(5, 5))
    for parameter in conv.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 5, 4)
    offset = conv.adjacency_offset
    graph = conv.adjacency + (offset + offset.T) / 2
    expected = conv.bias.repeat(2, 5, 1)
    for i in range(5):
        for j in range(5):
            kernel = conv.weight[0 if i == j else 1]
            expected[:, i] += graph[i, j] * conv.modulation[j] * (x[:, j] @ kernel)
    torch.testing.assert_close(conv(x), expected, **CLOSE)


@pytest.mark.parametrize('channels', [2, 3, 5])
def test_mirror_swaps_sides_negates_x_and_keeps_its_argument(channels):
    skeleton = get_skeleton('h36m-17')
    poses = torch.randn(2, 3, 17, channels)
    before = poses.clone()
    mirrored = mirror_poses(poses, skeleton.flip_indices)
    assert torch.equal(poses, before)
    left, right = skeleton.index('left_foot'), skeleton.index('right_foot')
    assert torch.equal(mirrored[..., left, 0], -poses[..., right, 0])
    assert torch.equal(mirrored[..., left, 1:], poses[..., right, 1:])
    assert torch.equal(mirror_poses(mirrored, skeleton.flip_indices), poses)
