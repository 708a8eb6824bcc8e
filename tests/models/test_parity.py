"""Published lifters, converted, reproduce the published numbers."""

import official_weights
import pytest
import torch
from published import H36M, PARITY, build_published, load_fixture, samples

from mmhot.models.lifters.graph_conv import tree_adjacency

pytestmark = pytest.mark.parity


# Published modules whose outputs the fixtures hold, and ours.
_SPATIAL = {
    'lgc.gcn1': 'joint.conv1',
    'lgc.gcn2': 'joint.conv2',
    'lgc': 'joint',
    'ipc': 'part',
    'gbi': 'body',
}
_TEMPORAL = {'lgc.gcn1': 'local.conv1', 'lgc': 'local', 'gbi': 'whole'}


def _stack(published, ours, names, norm):
    """Modules of a stack: its first block, what is in that, its output."""
    first = {
        f'{published}.blocks.0.{key}': f'{ours}.0.{name}' for key, name in names.items()
    }
    return {**first, f'{published}.blocks.0': f'{ours}.0', published: norm}


NANOHTNET = {
    'patch_embed': 'spatial_embed',
    'tem_patch_embed': 'temporal_embed',
    **_stack('Transformer', 'spatial_blocks', _SPATIAL, 'spatial_norm'),
    **_stack('tem_Transformer', 'temporal_blocks', _TEMPORAL, 'temporal_norm'),
    'fcn_spa': 'spatial_proj',
    'fcn_tem': 'temporal_proj',
}
HTNET = {'patch_embed': 'embed', **_stack('Hiremixer', 'blocks', _SPATIAL, 'norm')}
MODULES = {
    'nanohtnet_243f_9k': NANOHTNET,
    'nanohtnet_81f_9k': NANOHTNET,
    'htnet': HTNET,
}
# Constants, which outputs depend on.
CONSTANTS = {'adj', 'adj_tem', 'dct'}


@pytest.fixture(scope='module', params=MODULES)
def published(request):
    """Name, metadata, arrays and our model of one fixture."""
    meta, arrays = load_fixture(request.param)
    return request.param, meta, arrays, build_published(meta)


@torch.no_grad()
@pytest.mark.parametrize('name', ['x', 'pose'])
def test_output_is_the_published_models(published, name):
    _, _, arrays, model = published
    output = model(arrays[f'input__{name}'], mode='tensor')
    torch.testing.assert_close(output, arrays[f'output__{name}'], **PARITY)


@torch.no_grad()
def test_every_inner_activation_is_the_published_models(published):
    fixture, meta, arrays, _ = published
    model, seen = build_published(meta), {}
    for name, module in model.backbone.named_modules():
        module.register_forward_hook(
            lambda _, args, output, name=name: seen.update({name: output})
        )
    model(arrays['input__pose'])
    inner = {key[7:]: value for key, value in arrays.items() if key[:5] == 'inner'}
    assert set(inner) - CONSTANTS == set(MODULES[fixture])
    torch.testing.assert_close(tree_adjacency(H36M.parents), inner['adj'])
    for name, ours in MODULES[fixture].items():
        # Frequencies are hundreds, and float32 has seven digits.
        size = max(1, inner[name].abs().max().item())
        torch.testing.assert_close(seen[ours] / size, inner[name] / size, **PARITY)


@torch.no_grad()
@pytest.mark.parametrize('target', ['center', 'all'])
def test_predictions_are_the_published_evaluation(published, target):
    _, meta, arrays, _ = published
    pose = arrays['input__pose']
    predicted = build_published(meta, target=target).predict(pose, samples(len(pose)))
    keypoints = [sample.pred_instances.keypoints for sample in predicted]
    keypoints = torch.stack([torch.as_tensor(points) for points in keypoints])
    expected = arrays['output__pose_eval']
    if target == 'all':
        expected = arrays['output__pose_tta'].clone()
        expected[:, :, 0] = 0
    torch.testing.assert_close(keypoints, expected, **PARITY)


def test_loss_is_the_published_models(published):
    _, meta, arrays, model = published
    pose = arrays['input__pose']
    shape = (*pose.shape[:3], 3)
    target = official_weights.fill('input__gt', shape, 'float32', meta['seed'])
    target = torch.from_numpy(30 * target)
    target[:, :, 0] = 0
    frames = meta['config']['frames']
    keep = meta['config'].get('keep_frames', 1)
    start = (frames - keep) // 2
    target = target[:, start : start + keep]
    weight = torch.ones(target.shape[:-1])
    batch = samples(
        len(pose), lifting_target_label=target, lifting_target_weight=weight
    )
    losses = model(pose, batch, mode='loss')
    torch.testing.assert_close(
        losses['loss_pose3d'].double(), arrays['output__loss'][0], **PARITY
    )
    torch.testing.assert_close(losses['mpjpe'] / 1000, losses['loss_pose3d'])
    assert not losses['mpjpe'].requires_grad
