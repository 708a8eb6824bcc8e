"""MHFormer, plain and pruned by TPC: the published network's numbers."""

import official_weights
import pytest
import torch
import torch.nn.functional as F
from published import H36M, HALF, PARITY, build_published, load_fixture, samples
from torch.testing import assert_close

import mmhot.plugin  # noqa: F401 (registers what configs name)
from mmhot.geometry.keypoint_arrays import mirror_poses
from tools.model_converters.conversion import convert_published

NUM_HEADS, GENERATION_HEADS = 8, 9  # the published code has no others


@torch.no_grad()
@pytest.mark.parity
@pytest.mark.parametrize('name', ['mhformer', 'tpc_mhformer'])
def test_outputs_and_activations_are_the_published_models(name):
    meta, arrays = load_fixture(name)
    model, seen = build_published(meta), {}
    parts = model.backbone.drop, model.backbone.norm
    for part in parts:
        part.register_forward_hook(lambda x, _, output: seen.update({x: output}))
    poses = model(arrays['input__x'][:1])
    embedded, fused = (seen[part] for part in parts)
    if name == 'tpc_mhformer':
        poses, kept = poses
        assert torch.equal(kept, arrays['output__index'][:1])
        mirrored = mirror_poses(arrays['input__x'][:1], H36M.flip_indices)
        again = model.head(model.extract_feat(mirrored, (kept,)))
        assert_close(again, arrays['output__y_flip'][:1], **PARITY)
    assert_close(poses, arrays['output__y'][:1], **PARITY)
    embedded = embedded - model.backbone.position.table
    embedded = embedded[:, [0, 175, 350]].unflatten(-1, (3, -1)).transpose(1, 2)
    assert_close(embedded, arrays['inner__hypotheses'][:1].float(), **HALF)
    fused = fused[:, [0, poses.shape[1] // 2, -1]]
    assert_close(fused, arrays['inner__fused'][:1].float(), **HALF)


def published_state(frames, channel, d_hid, seed=0):
    """State dict of the published network at another size."""
    meta, _ = load_fixture('mhformer')
    sizes = {351: frames, 1053: 3 * frames, 702: 2 * frames}
    sizes |= {512: channel, 1536: 3 * channel, 1024: d_hid}
    state = {}
    for key, (shape, dtype) in meta['state'].items():
        shape = [sizes.get(size, size) for size in shape]
        if frames <= 27 and key.startswith('embedding'):
            name, leaf = key.split('.')
            for statistic in ('weight', 'bias', 'running_mean', 'running_var'):
                state[f'{name}.1.{statistic}'] = [channel], dtype
            state[f'{name}.1.num_batches_tracked'] = [], 'int64'
            key = f'{name}.0.{leaf}'
        state[key] = shape, dtype
    return official_weights.state_dict({'state': state, 'seed': seed})


class PublishedMHFormer:
    """The published network after its specification, slow and in float64."""

    hidden = 'Transformer_hypothesis'

    def __init__(self, state):
        self.state = {key: torch.from_numpy(x) for key, x in state.items()}
        self.state = {key: x.double() for key, x in self.state.items()}

    def leaves(self, key):
        return self.state[f'{key}.weight'], self.state.get(f'{key}.bias')

    def linear(self, key, x):
        weight, bias = self.leaves(key)
        return F.linear(x, weight.flatten(1), bias)

    def norm(self, key, x, eps=1e-6):
        return F.layer_norm(x, x.shape[-1:], *self.leaves(key), eps=eps)

    def mlp(self, key, x):
        return self.linear(f'{key}.fc2', F.gelu(self.linear(f'{key}.fc1', x)))

    def attend(self, key, q, k, v, heads):
        merged = []
        size = q.shape[-1] // heads
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            logits = q[..., part] @ k[..., part].transpose(-2, -1) * size**-0.5
            merged.append(logits.softmax(-1) @ v[..., part])
        return self.linear(f'{key}.proj', torch.cat(merged, -1))

    def attention(self, key, x, heads):
        return self.attend(key, *self.linear(f'{key}.qkv', x).chunk(3, -1), heads)

    def batch_norm(self, key, x):
        mean, var = (self.state[f'{key}.running_{name}'] for name in ('mean', 'var'))
        weight, bias = self.leaves(key)
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def block(self, key, x):
        normed = self.norm(f'{key}.norm1', x)
        x = x + self.attention(f'{key}.attn', normed, GENERATION_HEADS)
        return x + self.mlp(f'{key}.mlp', self.norm(f'{key}.norm2', x))

    def embed(self, index, x):
        x, key = x.transpose(1, 2), f'embedding_{index}'
        if f'{key}.0.weight' not in self.state:
            return self.linear(key, x)
        return self.batch_norm(f'{key}.1', self.linear(f'{key}.0', x)).relu()

    def hypotheses(self, x):
        x, found = x.flatten(2).transpose(1, 2), []
        for index in (1, 2, 3):
            encoder = f'Transformer_encoder_{index}'
            y = self.norm(f'norm_{index}', x, eps=1e-5)
            y = y + self.state[f'{encoder}.pos_embed']
            for block in range(4):
                y = self.block(f'{encoder}.blocks.{block}', y)
            x = x + self.norm(f'{encoder}.norm', y)
            position = self.state[f'{self.hidden}.pos_embed_{index}']
            found.append(self.embed(index, x) + position)
        return found

    def mix(self, key, hypotheses):
        x = torch.cat(hypotheses, -1)
        x = x + self.mlp(f'{key}.mlp', self.norm(f'{key}.norm2', x))
        return list(x.chunk(3, -1))

    def refine(self, index, hypotheses):
        key = f'{self.hidden}.SHR_blocks.{index}'
        refined = []
        for which, x in enumerate(hypotheses, 1):
            normed = self.norm(f'{key}.norm1_{which}', x)
            refined.append(x + self.attention(f'{key}.attn_{which}', normed, NUM_HEADS))
        return self.mix(key, refined)

    def interact(self, hypotheses):
        key = f'{self.hidden}.CHI_blocks.0'
        h = dict(enumerate(hypotheses, 1))
        for own, *roles in ((1, 2, 3, 1), (2, 1, 3, 2), (3, 1, 2, 3)):
            attn = f'{key}.attn_{own}'
            q, k, v = (
                self.linear(
                    f'{attn}.linear_{name}',
                    self.norm(f'{key}.norm3_{own}{number}', h[role]),
                )
                for number, (name, role) in enumerate(zip('qkv', roles, strict=True), 1)
            )
            h[own] = h[own] + self.attend(attn, q, k, v, NUM_HEADS)
        return self.mix(key, list(h.values()))

    def run(self, x, kept=None):
        """Poses of ``(B, T, K, 2)``, and what TPC selects frames by."""
        hypotheses = self.refine(0, self.hypotheses(x.double()))
        features = torch.cat(hypotheses, -1)
        if kept is not None:
            rows = torch.arange(len(kept))[:, None]
            hypotheses = [x[rows, kept] for x in hypotheses]
        hypotheses = self.interact(self.refine(1, hypotheses))
        x = self.norm(f'{self.hidden}.norm', torch.cat(hypotheses, -1))
        x = self.linear('regression.1', self.batch_norm('regression.0', x))
        return x.unflatten(-1, (-1, 3)), features


@torch.no_grad()
@pytest.mark.parametrize(
    ('frames', 'channel', 'd_hid'), [(9, 16, 24), (27, 24, 40), (36, 8, 20)]
)
def test_other_sizes_equal_the_published_network(frames, channel, d_hid):
    state = published_state(frames, channel, d_hid)
    x = torch.randn(2, frames, 17, 2, generator=torch.manual_seed(0))
    reference = PublishedMHFormer(state)
    expected, _ = reference.run(x)
    config, ours = convert_published(state)
    model = build(config, ours)
    assert_close(model(x.double()), expected, rtol=0, atol=1e-9)
    assert_close(build(config, ours).float()(x), expected.float(), **PARITY)

    settings = {'token_num': frames // 3, 'layer_index': 1, 'frames': frames}
    config, ours = convert_published(state, **settings)
    poses, kept = build(config, ours)(x.double())
    assert kept.shape == (2, frames // 3)
    assert_close(poses, reference.run(x, kept)[0], rtol=0, atol=1e-9)


def build(config, state):
    from mmpose.registry import MODELS

    model = MODELS.build(config)
    model.load_state_dict(state, strict=True)
    return model.eval().double()


@torch.no_grad()
def test_flip_test_reuses_the_kept_frames_and_predicts_the_center():
    state = published_state(27, 16, 24)
    config, ours = convert_published(state, token_num=9)
    assert config['test_cfg'] == {'flip_test': True, 'target': 'center'}
    model = build(config, ours).float()
    x = torch.randn(2, 27, 17, 2, generator=torch.manual_seed(0))
    poses, kept = model(x)
    feats = model.extract_feat(mirror_poses(x, H36M.flip_indices), (kept,))
    mirrored = model.head(feats)
    assert torch.equal(kept, feats.kept)
    expected = (poses + mirror_poses(mirrored, H36M.flip_indices)) / 2
    expected = expected[kept == 13]
    expected[:, 0] = 0
    predicted = model.predict(x, samples(2))
    for sample, pose, frames in zip(predicted, expected, kept, strict=True):
        assert_close(torch.from_numpy(sample.pred_instances.keypoints[0]), pose)
        assert sample.kept_frames.tolist() == frames.tolist()
