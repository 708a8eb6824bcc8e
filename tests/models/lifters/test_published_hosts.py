"""Converted MixSTE and MotionBERT give the published numbers, plain and pruned."""

import ctypes
import gc
import sys

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from published import H36M, HALF, PARITY, build_published, load_fixture, samples

from mmhot.models.lifters.pose_head import mirror_poses
from tools.model_converters.conversion import convert_published


@pytest.fixture(autouse=True)
def release_memory():
    """Return freed memory to the system: the process would keep 9 GB."""
    yield
    gc.collect()
    if sys.platform == 'linux' and hasattr(ctypes.CDLL(None), 'malloc_trim'):
        ctypes.CDLL(None).malloc_trim(0)


# What the fixtures hold of the inside: a module, which of its calls,
# and whether its input or its output.
_MIXSTE = {
    'pair0': ('backbone.temporal_norm', 0, 'output'),
    'last': ('backbone.temporal_norm', 7, 'output'),
    'pruned': ('backbone.spatial_blocks.{layer_index}', 0, 'input'),
    'recovered': ('backbone.norm', 0, 'input'),
}
_MOTIONBERT = {
    'st0': ('backbone.blocks_st.0', 0, 'output'),
    'ts0': ('backbone.blocks_ts.0', 0, 'output'),
    'pruned': ('backbone.blocks_st.{layer_index}', 0, 'input'),
    'norm': ('backbone.norm', 0, 'output'),
    'recovered': ('head.pre_logits', 0, 'input'),
}
INNER = {
    'mixste': _MIXSTE,
    'hot_mixste': _MIXSTE,
    'tpc_mixste': _MIXSTE,
    'motionbert': _MOTIONBERT,
    'hot_motionbert': _MOTIONBERT,
}
# tpc_mixste runs nearly all of mixste, which is among the slow tests
SEQ2SEQ = ['hot_mixste', 'motionbert', 'hot_motionbert']


def _record(model, meta, arrays, name):
    """Calls of the modules in question: lists of inputs and outputs, by name."""
    calls = {}

    def note(name):
        return lambda _, args, output: calls.setdefault(name, []).append(
            {'input': args[0], 'output': output}
        )

    inner = (INNER[name][key][0] for key in INNER[name] if f'inner__{key}' in arrays)
    wanted = {
        'backbone.hourglass',
        'backbone.hourglass.pruners.0',
        'head.fc',
        *(module.format(**meta['config']) for module in inner),
    }
    for name, module in model.named_modules():
        if name in wanted:
            module.register_forward_hook(note(name))
    return calls


def _check_inner(name, meta, arrays, calls, count):
    wanted = {key[7:]: value for key, value in arrays.items() if key[:5] == 'inner'}
    if 'pooled' in wanted:
        pooled = calls['backbone.hourglass.pruners.0'][0]['input'].features
        torch.testing.assert_close(
            pooled[..., :128], wanted.pop('pooled')[:count].float(), **HALF
        )
    for key, value in wanted.items():
        module, call, side = INNER[name][key]
        x = calls[module.format(**meta['config'])][call][side]
        if x.ndim == 3:  # (B * T, K, C) or (B * K, T, C)
            x = x.unflatten(0, (count, -1))
            x = x.transpose(1, 2) if x.shape[1] == 17 else x
        x = x[:, [0, x.shape[1] // 2, -1]]  # what fixtures hold
        torch.testing.assert_close(
            x, value[:count].float(), **HALF, msg=lambda m, k=key: f'{k}: {m}'
        )


@torch.no_grad()
@pytest.mark.parity
@pytest.mark.parametrize('name', SEQ2SEQ)
def test_outputs_frames_and_activations_are_the_published_models(name):
    meta, arrays = load_fixture(name)
    model = build_published(meta)
    calls = _record(model, meta, arrays, name)
    poses = model(arrays['input__x'][:1])
    torch.testing.assert_close(poses, arrays['output__y'][:1], **PARITY)
    _check_inner(name, meta, arrays, calls, 1)
    if 'output__index' in arrays:
        _, kept = calls['backbone.hourglass'][0]['output']
        torch.testing.assert_close(kept[-1], arrays['output__index'][:1])


@torch.no_grad()
@pytest.mark.slow(reason='both samples of published sizes, 40 s')
@pytest.mark.parametrize('name', [*INNER, 'mhformer', 'tpc_mhformer'])
def test_a_batch_gives_the_published_numbers(name):
    meta, arrays = load_fixture(name)
    poses = build_published(meta)(arrays['input__x'])
    if name.startswith('tpc'):
        poses, kept = poses
        assert torch.equal(kept, arrays['output__index'])
    torch.testing.assert_close(poses, arrays['output__y'], **PARITY)


@torch.no_grad()
@pytest.mark.slow(reason='two passes of the published size, 16 s')
def test_flip_test_of_tpc_reuses_the_frames_of_the_plain_pass():
    meta, arrays = load_fixture('tpc_mixste')
    model = build_published(meta, target='all')
    calls, batch = _record(model, meta, arrays, 'tpc_mixste'), samples(1)
    (sample,) = model.predict(arrays['input__x'][:1], batch)
    plain, mirrored = (call['output'] for call in calls['head.fc'])
    torch.testing.assert_close(plain, arrays['output__y'][:1], **PARITY)
    torch.testing.assert_close(mirrored, arrays['output__y_flip'][:1], **PARITY)
    kept = arrays['output__index'][:1]
    torch.testing.assert_close(torch.from_numpy(sample.kept_frames), kept[0])
    for call in calls['backbone.hourglass']:
        torch.testing.assert_close(call['output'][1][-1], kept)
    _check_inner('tpc_mixste', meta, arrays, calls, 1)
    expected = (plain + mirror_poses(mirrored, H36M.flip_indices)) / 2
    expected[:, :, 0] = 0
    assert 121 in kept[0]
    torch.testing.assert_close(
        torch.from_numpy(sample.pred_instances.keypoints), expected[0]
    )


def _renamed(meta, **shapes):
    """A fixture's state dict as arrays of other sizes."""
    state = {key: torch.zeros(shape) for key, (shape, _) in meta['state'].items()}
    return state | {key: torch.zeros(shape) for key, shape in shapes.items()}


def test_settings_determine_what_shapes_do_not():
    meta, _ = load_fixture('mixste')
    config, _ = convert_published(_renamed(meta), token_num=61, layer_index=7)
    pruner = {'type': 'ClusterPruner', 'num_keep': 61, 'depth': 7, 'num_neighbors': 2}
    assert config['backbone']['pruner'] == pruner
    assert 'recoverer' not in config['backbone']
    assert config['test_cfg'] == {'flip_test': True, 'target': 'center'}
    config, _ = convert_published(_renamed(meta))
    assert 'pruner' not in config['backbone']
    assert config['test_cfg']['target'] == 'all'


def test_hidden_channels_of_pruned_mixste_ignore_the_published_option():
    meta, _ = load_fixture('hot_mixste')
    config, _ = convert_published(_renamed(meta), d_hid=7)
    assert config['backbone']['mlp_dims'] == 1024
    with pytest.raises(ValueError, match='d_hid=7 contradicts the tensors'):
        convert_published(_renamed(load_fixture('mixste')[0]), d_hid=7)


MOTIONBERT = (
    'configs/body_3d_keypoint/motionbert/h36m/motionbert_243frm_1xb32-120e_h36m-sh.py'
)


def test_motionbert_is_initialized_as_published():
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(MOTIONBERT).model)
    model.init_weights()
    for layer in (model.head.fc, model.head.pre_logits.fc):
        # a normal distribution cut off a hundred deviations away
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert not layer.bias.any()
