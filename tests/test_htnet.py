"""HTNet: the published network's numbers, and what it must keep to."""

import official_weights
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from published import build_published, load_fixture
from torch.testing import assert_close

import mmhot.plugin  # noqa: F401 (registers what configs name)
from mmhot.checkpoints import convert_published
from mmhot.models.backbones import HTNet
from mmhot.models.layers import tree_adjacency
from mmhot.skeletons import get_skeleton

H36M = get_skeleton('h36m-17')
PARITY = {'rtol': 0, 'atol': 1e-5}  # what the project promises
TINY = {'embed_dims': 24, 'mlp_dims': 16, 'graph_dims': 12, 'depth': 2}
# Published modules whose outputs the fixture holds, and ours.
INNER = {
    'patch_embed': 'embed',
    'Hiremixer.blocks.0.lgc.gcn1': 'blocks.0.joint.conv1',
    'Hiremixer.blocks.0.lgc.gcn2': 'blocks.0.joint.conv2',
    'Hiremixer.blocks.0.lgc': 'blocks.0.joint',
    'Hiremixer.blocks.0.ipc': 'blocks.0.part',
    'Hiremixer.blocks.0.gbi': 'blocks.0.body',
    'Hiremixer.blocks.0': 'blocks.0',
    'Hiremixer': 'norm',
}


@pytest.fixture(scope='module')
def published():
    """Meta data, arrays and our model of the fixture."""
    meta, arrays = load_fixture('htnet')
    return meta, arrays, build_published(meta)


def sample(**labels):
    """A sample as MMPose's pipelines pack it."""
    packed = PoseDataSample(metainfo={'flip_indices': H36M.flip_indices})
    packed.gt_instance_labels = InstanceData(**labels)
    return packed


@torch.no_grad()
@pytest.mark.parametrize('name', ['x', 'pose'])
def test_output_is_the_published_models(published, name):
    _, arrays, model = published
    output = model(arrays[f'input__{name}'], mode='tensor')
    assert_close(output, arrays[f'output__{name}'], **PARITY)


@torch.no_grad()
def test_every_inner_activation_is_the_published_models(published):
    meta, arrays, _ = published
    model, seen = build_published(meta), {}
    for name, module in model.backbone.named_modules():
        module.register_forward_hook(
            lambda _, args, output, name=name: seen.update({name: output})
        )
    model(arrays['input__pose'])
    inner = {key[7:]: value for key, value in arrays.items() if key[:5] == 'inner'}
    assert set(inner) == {'adj', *INNER}
    assert_close(tree_adjacency(H36M.parents), inner['adj'])
    for name, ours in INNER.items():
        size = max(1, inner[name].abs().max().item())
        assert_close(seen[ours] / size, inner[name] / size, **PARITY)


@torch.no_grad()
def test_flip_test_and_evaluation_are_the_published_models(published):
    _, arrays, model = published
    pose = arrays['input__pose']
    predicted = model.predict(pose, [sample() for _ in pose])
    keypoints = [each.pred_instances.keypoints for each in predicted]
    keypoints = torch.stack([torch.as_tensor(points) for points in keypoints])
    assert_close(keypoints, arrays['output__pose_eval'], **PARITY)
    expected = arrays['output__pose_tta'].clone()
    expected[:, :, 0] = 0
    assert_close(keypoints, expected, **PARITY)


def test_loss_is_the_published_models(published):
    meta, arrays, model = published
    pose = arrays['input__pose']
    shape = (*pose.shape[:3], 3)
    target = official_weights.fill('input__gt', shape, 'float32', meta['seed'])
    target = torch.from_numpy(30 * target)
    target[:, :, 0] = 0
    weight = torch.ones(target.shape[1:-1])
    batch = [
        sample(lifting_target_label=each, lifting_target_weight=weight)
        for each in target
    ]
    losses = model(pose, batch, mode='loss')
    assert_close(losses['loss_pose3d'].double(), arrays['output__loss'][0], **PARITY)


def test_it_has_the_published_number_of_parameters(published):
    _, _, model = published
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_048_489


@torch.no_grad()
def test_frames_are_independent_and_keep_their_axis():
    torch.manual_seed(0)
    model = HTNet(**TINY).eval()
    x = torch.randn(3, 5, 17, 2)
    alone = torch.stack([model(x[:, frame : frame + 1])[:, 0] for frame in range(5)], 1)
    assert_close(model(x), alone, rtol=1e-5, atol=1e-5)


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    model = HTNet(**TINY)
    model(torch.randn(64, 1, 17, 2)).square().mul(torch.randn(24)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'embed_dims': 36}, r'embed_dims \(36\) must be divisible by 24'),
        ({'depth': 0}, 'depth must be at least 1, got 0'),
        ({'skeleton': 'h36m-71'}, 'h36m-17'),
    ],
)
def test_wrong_sizes_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        HTNet(**{**TINY, **arguments})


def test_wrong_input_is_refused_with_the_shape_wanted():
    with pytest.raises(ValueError, match=r'\(B, T, 17, 2\) poses, got \(1, 17, 2\)'):
        HTNet(**TINY)(torch.zeros(1, 17, 2))


def test_missing_and_unknown_keys_are_named(published):
    state = official_weights.state_dict(published[0])
    state['fcn.wait'] = state.pop('fcn.weight')
    with pytest.raises(
        ValueError, match=r'not a complete HTNet.*fcn\.weight.*fcn\.wait'
    ):
        convert_published(state)
