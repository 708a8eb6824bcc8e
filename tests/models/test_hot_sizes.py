"""MixSTE and MotionBERT, plain and pruned, at sizes that nobody has published."""

import pytest
import torch
from mmpose.registry import MODELS
from published_networks import PublishedMixSTE, PublishedMotionBERT, resized_state
from torch.testing import assert_close

import mmhot.plugin  # noqa: F401 (registers what configs name)
from mmhot.weights.checkpoints import convert_published

NUM_LAYERS = 4
NETWORKS = {
    'mixste': (
        PublishedMixSTE,
        lambda frames, keep, dims, hidden: {
            **{243: frames, 81: keep, 512: dims, 1536: 3 * dims, 1024: hidden},
        },
    ),
    'motionbert': (
        PublishedMotionBERT,
        lambda frames, keep, dims, hidden: {
            **{243: frames, 81: keep, 256: dims, 768: 3 * dims, 1024: hidden},
            **{512: 2 * dims},  # of both streams together, and representations
        },
    ),
}


def make(name, frames, keep, dims, hidden, **settings):
    """The published network, ours in float64, and windows for both."""
    network, sizes = NETWORKS[name.removeprefix('hot_')]
    is_kept = [f'.{layer}.' for layer in range(NUM_LAYERS)]
    state = resized_state(
        name,
        sizes(frames, keep, dims, hidden),
        lambda key: (
            'block' not in key
            and 'ts_attn' not in key
            or any(layer in key for layer in is_kept)
        ),
    )
    config, ours = convert_published(state, **settings)
    model = MODELS.build(config)
    model.load_state_dict(ours, strict=True)
    channels = 2 if 'mixste' in name else 3
    x = torch.randn(2, frames, 17, channels, generator=torch.manual_seed(0))
    return network(state, settings.get('num_heads', 8)), model.eval().double(), x


SIZES = pytest.mark.parametrize(
    ('frames', 'keep', 'dims', 'hidden', 'heads'),
    [(9, 4, 16, 24, 8), (27, 27, 24, 72, 4), (31, 1, 12, 16, 2)],
)


@torch.no_grad()
@pytest.mark.parametrize('name', NETWORKS)
@SIZES
def test_plain_hosts_are_the_published_networks(
    name, frames, keep, dims, hidden, heads
):
    published, ours, x = make(name, frames, keep, dims, hidden, num_heads=heads)
    expected, _ = published.run(x, NUM_LAYERS)
    assert_close(ours(x.double()), expected, rtol=0, atol=1e-9)
    assert_close(ours.float()(x), expected.float(), rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('name', NETWORKS)
@pytest.mark.parametrize('layer', [1, 3])
@SIZES
def test_hourglasses_are_the_published_networks(
    name, layer, frames, keep, dims, hidden, heads
):
    settings = {'layer_index': layer, 'num_heads': heads}
    args = (f'hot_{name}', frames, keep, dims, hidden)
    published, ours, x = make(*args, **settings)
    expected, kept = published.run(x, NUM_LAYERS, (keep, layer, False))
    assert torch.equal(ours.extract_feat(x.double()).kept, kept)
    assert_close(ours(x.double()), expected, rtol=0, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize('name', NETWORKS)
@SIZES
def test_hosts_without_recovery_are_the_published_networks(
    name, frames, keep, dims, hidden, heads
):
    keep = min(keep, frames - 1)
    settings = {'layer_index': 2, 'num_heads': heads, 'token_num': keep}
    published, ours, x = make(name, frames, keep, dims, hidden, **settings)
    expected, frames_kept = published.run(x, NUM_LAYERS, (keep, 2, True))
    poses, kept = ours(x.double())
    assert torch.equal(kept, frames_kept)
    assert_close(poses, expected, rtol=0, atol=1e-9)
