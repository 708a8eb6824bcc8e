"""MHFormer, plain and pruned by TPC: the published network's numbers."""

import official_weights
import pytest
import torch
import torch.nn.functional as F
from published import H36M, HALF, PARITY, build_published, load_fixture, samples

from mmhot.geometry.keypoint_arrays import mirror_poses
from mmhot.models.lifters.mhformer import FewFramesEmbed
from tools.model_converters.conversion import convert_published


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
        torch.testing.assert_close(again, arrays['output__y_flip'][:1], **PARITY)
    torch.testing.assert_close(poses, arrays['output__y'][:1], **PARITY)
    embedded = embedded - model.backbone.position.table
    embedded = embedded[:, [0, 175, 350]].unflatten(-1, (3, -1)).transpose(1, 2)
    torch.testing.assert_close(
        embedded, arrays['inner__hypotheses'][:1].float(), **HALF
    )
    fused = fused[:, [0, poses.shape[1] // 2, -1]]
    torch.testing.assert_close(fused, arrays['inner__fused'][:1].float(), **HALF)


def published_state(frames, channel, d_hid, seed=0):
    """State dict of the published network at another size."""
    meta, _ = load_fixture('mhformer')
    sizes = {
        351: frames,
        1053: 3 * frames,
        702: 2 * frames,
        512: channel,
        1536: 3 * channel,
        1024: d_hid,
    }
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


@torch.no_grad()
@pytest.mark.parametrize(
    ('frames', 'channel', 'd_hid'), [(9, 16, 24), (27, 24, 40), (36, 8, 20)]
)
def test_other_sizes_are_converted_and_few_frames_are_normalized(
    frames, channel, d_hid
):
    state = published_state(frames, channel, d_hid)
    model = build(*convert_published(state))
    x = torch.randn(2, frames, 34, generator=torch.manual_seed(0)).double()
    assert model(x.unflatten(-1, (17, 2))).shape == (2, frames, 17, 3)
    embed = model.backbone.embeds[1]
    assert isinstance(embed, FewFramesEmbed) == (frames <= 27)
    if frames <= 27:
        own = {
            key.removeprefix('embedding_2.'): torch.from_numpy(value).double()
            for key, value in state.items()
            if key.startswith('embedding_2')
        }
        y = F.linear(x.flatten(0, 1), own['0.weight'].flatten(1), own['0.bias'])
        statistics = own['1.running_mean'], own['1.running_var']
        y = F.batch_norm(y, *statistics, own['1.weight'], own['1.bias']).relu()
        torch.testing.assert_close(embed(x), y.unflatten(0, (2, -1)), rtol=0, atol=1e-9)


def build(config, state):
    from mmpose.registry import MODELS

    model = MODELS.build(config)
    model.load_state_dict(state, strict=True)
    return model.eval().double()


@torch.no_grad()
def test_flip_test_reuses_the_kept_frames_and_predicts_the_center():
    config, ours = convert_published(published_state(27, 16, 24), token_num=9)
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
        torch.testing.assert_close(
            torch.from_numpy(sample.pred_instances.keypoints[0]), pose
        )
        assert sample.kept_frames.tolist() == frames.tolist()
