"""MotionAGFormer, plain and as host of HoT: the published network's numbers."""

import official_weights
import pytest
import torch
from published import HALF, PARITY, build_published, load_fixture
from torch import nn

from mmhot.models.lifters import motionagformer
from mmhot.models.lifters.graph_conv import SimilarFrameGraphConv
from mmhot.models.lifters.motionagformer import MotionAGFormer
from tools.model_converters.conversion import convert_published

TINY = {'num_frames': 9, 'embed_dims': 16, 'depth': 3, 'num_heads': 2}
HOT = {
    'pruner': {'type': 'ClusterPruner', 'num_keep': 3, 'depth': 1},
    'recoverer': {'type': 'AttentionRecoverer'},
}


@torch.no_grad()
@pytest.mark.parity
@pytest.mark.parametrize('name', ['motionagformer', 'hot_motionagformer'])
def test_outputs_and_activations_are_the_published_models(name):
    meta, arrays = load_fixture(name)
    model, seen = build_published(meta), {}
    places = {
        'layer0': ('backbone.layers.0', 'output'),
        'pruned': ('backbone.layers.7', 'input'),
        'norm': ('backbone.norm', 'output'),
        'recovered': ('head.pre_logits', 'input'),
    }
    for key, (module, side) in places.items():
        model.get_submodule(module).register_forward_hook(
            lambda _, args, output, key=key, side=side: seen.update(
                {key: output if side == 'output' else args[0]}
            )
        )
    model.backbone.hourglass.register_forward_hook(
        lambda _, args, output: seen.update(kept=output[1][-1:])
    )
    torch.testing.assert_close(model(arrays['input__x']), arrays['output__y'], **PARITY)
    if 'output__index' in arrays:
        assert torch.equal(*seen['kept'], arrays['output__index'])
    for key in {key[7:] for key in arrays if key[:5] == 'inner'} & set(places):
        x = seen[key]
        x = x[:, [0, x.shape[1] // 2, -1]]
        torch.testing.assert_close(x, arrays[f'inner__{key}'].float(), **HALF)


def published_state(frames, dims, layers, pruning=None):
    """State dict of the published network at another size; ``pruning``: (r, l*)."""
    meta, _ = load_fixture('motionagformer')
    sizes = {27: frames, 64: dims, 128: 2 * dims, 192: 3 * dims, 256: 4 * dims, 512: 24}
    state = {}
    for key, (shape, dtype) in meta['state'].items():
        layer = int(key.split('.')[1]) if key.startswith('layers') else 0
        is_pruned = pruning and layer >= pruning[1] and 'graph_temporal' in key
        resize = sizes | ({27: pruning[0]} if is_pruned else {})
        if layer < layers:
            state[key] = [resize.get(size, size) for size in shape], dtype
    if pruning:
        state['pos_embed_token'] = [1, pruning[0], dims], 'float32'
        state['x_token'] = [1, frames, dims], 'float32'
        for name in ('linear_q', 'linear_k', 'linear_v', 'proj'):
            state[f'cross_attention.{name}.weight'] = [dims, dims], 'float32'
        state['cross_attention.proj.bias'] = [dims], 'float32'
    return official_weights.state_dict({'state': state, 'seed': 0})


@pytest.mark.parametrize('with_gradients', [False, True])
@pytest.mark.parametrize('still', [0, 5], ids=['moving', 'still'])
@pytest.mark.parametrize('neighbors', [1, 2, 4])
def test_equal_frames_are_all_neighbors(neighbors, still, with_gradients):
    mixer = SimilarFrameGraphConv(16, 9, neighbors).eval()
    # products of small whole numbers are exact, in whatever order
    x = torch.randint(-9, 9, (2, 9, 17, 16), generator=torch.manual_seed(0)).float()
    x[:, :still] = x[:, :1]
    with torch.set_grad_enabled(with_gradients):
        found = mixer(x)
    for sample in range(2):
        for joint in range(17):
            track = x[sample, :, joint]
            products = track @ track.T
            chosen = products >= products.topk(neighbors).values[:, -1:]
            degrees = chosen.sum(1)
            update = mixer.own(track)
            for frame, others in enumerate(chosen):
                for other in others.nonzero().flatten():
                    weight = (degrees[frame] * degrees[other]) ** -0.5
                    update[frame] += weight * mixer.neighbor(track[other])
            expected = (track + update / (1 + 1e-5) ** 0.5).relu()
            torch.testing.assert_close(
                found[sample, :, joint], expected, rtol=0, atol=1e-4
            )


@pytest.mark.parametrize('num_frames', [5, 7, 9, 27])
@pytest.mark.parametrize('neighbors', [1, 2, 4])
def test_still_windows_give_the_same_alone_and_in_a_batch(num_frames, neighbors):
    mixer = SimilarFrameGraphConv(64, num_frames, neighbors).eval()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, num_frames, 17, 64, generator=generator)
    x[:, 1:4] = x[:, :1]
    x[:3] = x[:3, :1]
    # what equal frames are after a layer that rounds
    x *= 1 + 1e-7 * torch.randn(x.shape, generator=generator)
    with torch.no_grad():
        together = mixer(x)
        alone = torch.cat([mixer(window[None]) for window in x])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-5)
    torch.testing.assert_close(together[:3, -1], together[:3, 0], rtol=0, atol=2e-5)
    with_gradients = mixer(x.requires_grad_()).detach()
    torch.testing.assert_close(with_gradients, together, rtol=0, atol=2e-5)


@pytest.mark.parametrize('before', [None, 5])
def test_weights_of_more_frames_start_an_hourglass(before, monkeypatch):
    logged = []
    monkeypatch.setattr(motionagformer, 'print_log', lambda *log: logged.append(log[0]))
    pruner = dict(HOT['pruner'], num_keep=before)
    settings = HOT if before is None else {**HOT, 'pruner': pruner}
    source = MotionAGFormer(**TINY, **({} if before is None else settings))
    norm = source.layers[1].graph[1].mixer.norm
    nn.init.normal_(norm.weight)
    started = MotionAGFormer(**TINY, **HOT)
    started.load_state_dict(source.state_dict(), strict=False)
    own = started.layers[1].graph[1].mixer.norm
    spread = [0, 2, 4] if before else [0, 4, 8]
    torch.testing.assert_close(own.weight, norm.weight[spread])
    frames = f'values of 3 of {before or 9} frames are kept, spread evenly'
    assert f'layers.1.graph.1.mixer.norm: {frames}' in logged


def test_defaults_are_those_of_the_published_code_of_either_source():
    config, _ = convert_published(published_state(9, 16, 3))
    backbone = config['backbone']
    assert (backbone['num_heads'], backbone['num_neighbors']) == (8, 2)
    assert 'pruner' not in backbone
    config, _ = convert_published(published_state(9, 16, 3, pruning=(4, 1)))
    backbone = config['backbone']
    assert (backbone['num_heads'], backbone['num_neighbors']) == (4, 4)
    pruner = {'type': 'ClusterPruner', 'num_keep': 4, 'depth': 1, 'num_neighbors': 2}
    assert backbone['pruner'] == pruner
    assert config['head']['decoder'] == {'type': 'ImageSpacePoseLifting'}
    assert config['test_cfg'] == {'flip_test': True, 'target': 'all'}
