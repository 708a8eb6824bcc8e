"""NanoHTNet: the published network's numbers, and what a lifter must keep to."""

import official_weights
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.models.pose_estimators import PoseLifter
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from published import build_published, load_fixture
from torch import nn
from torch.testing import assert_close

import mmhot.plugin  # noqa: F401 (registers what configs name)
from mmhot.models.backbones.nanohtnet import NanoHTNet
from mmhot.models.layers import chain_adjacency, tree_adjacency
from mmhot.models.layers.human_topology import LIMBS, IntraPartConstraint
from mmhot.skeletons import get_skeleton

FIXTURES = ('nanohtnet_243f_9k', 'nanohtnet_81f_9k')
H36M = get_skeleton('h36m-17')
PARITY = {'rtol': 0, 'atol': 1e-5}  # what the project promises
TINY = {
    'num_frames': 9,
    'num_keep_frames': 3,
    'embed_dims': 48,
    'mlp_dims': 16,
    'graph_dims': 12,
    'branch_dims': 2,
    'depth': 2,
}

# Published modules whose outputs the fixtures hold, and ours.
INNER = {
    'patch_embed': 'spatial_embed',
    'tem_patch_embed': 'temporal_embed',
    'Transformer.blocks.0.lgc.gcn1': 'spatial_blocks.0.joint.conv1',
    'Transformer.blocks.0.lgc.gcn2': 'spatial_blocks.0.joint.conv2',
    'Transformer.blocks.0.lgc': 'spatial_blocks.0.joint',
    'Transformer.blocks.0.ipc': 'spatial_blocks.0.part',
    'Transformer.blocks.0.gbi': 'spatial_blocks.0.body',
    'Transformer.blocks.0': 'spatial_blocks.0',
    'Transformer': 'spatial_norm',
    'fcn_spa': 'spatial_proj',
    'tem_Transformer.blocks.0.lgc.gcn1': 'temporal_blocks.0.local.conv1',
    'tem_Transformer.blocks.0.lgc': 'temporal_blocks.0.local',
    'tem_Transformer.blocks.0.gbi': 'temporal_blocks.0.whole',
    'tem_Transformer.blocks.0': 'temporal_blocks.0',
    'tem_Transformer': 'temporal_norm',
    'fcn_tem': 'temporal_proj',
}


@pytest.fixture(scope='module', params=FIXTURES)
def published(request):
    """Meta data, arrays and our model of one fixture."""
    meta, arrays = load_fixture(request.param)
    return meta, arrays, build_published(meta)


def samples(count, **labels):
    """Samples as MMPose's pipelines pack them, with one tensor a label each."""
    batch = []
    for index in range(count):
        sample = PoseDataSample(metainfo={'flip_indices': H36M.flip_indices})
        sample.gt_instance_labels = InstanceData()
        for name, values in labels.items():
            sample.gt_instance_labels.set_field(values[index], name)
        batch.append(sample)
    return batch


def tiny_model(flip_test=False, target='all', **backbone):
    """Build an untrained lifter of a few thousand parameters."""
    torch.manual_seed(0)
    config = {
        'type': 'SequencePoseLifter',
        'backbone': {'type': 'NanoHTNet', **TINY, **backbone},
        'head': {
            'type': 'PoseLiftingHead',
            'in_channels': 4,
            'decoder': {'type': 'CameraPoseLifting'},
        },
        'test_cfg': {'flip_test': flip_test, 'target': target},
    }
    return MODELS.build(config).eval()


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
    assert set(inner) == {'adj', 'adj_tem', 'dct', *INNER}
    for name, ours in INNER.items():
        # Frequencies are hundreds, and float32 has seven digits.
        size = max(1, inner[name].abs().max().item())
        assert_close(seen[ours] / size, inner[name] / size, **PARITY)


def test_graphs_and_frequencies_are_the_published_models(published):
    _, arrays, model = published
    assert_close(tree_adjacency(H36M.parents), arrays['inner__adj'])
    assert_close(chain_adjacency(9), arrays['inner__adj_tem'])
    frequencies = model.backbone.dct @ arrays['input__pose'].flatten(2)
    expected = arrays['inner__dct'].flatten(1, 2).transpose(1, 2)
    # Sums of hundreds: float32 rounds at about 1e-4.
    assert_close(frequencies, expected, rtol=1e-5, atol=1e-3)


@torch.no_grad()
def test_flip_test_averages_as_published(published):
    _, arrays, model = published
    pose = arrays['input__pose']
    batch = samples(len(pose))
    feats = model.extract_feat(pose)
    mirrored = pose[:, :, H36M.flip_indices] * torch.tensor([-1, 1])
    feats = [feats, model.extract_feat(mirrored)]
    coords = model.head.regress(feats, batch, model.test_cfg)
    assert_close(coords, arrays['output__pose_tta'], **PARITY)


@torch.no_grad()
@pytest.mark.parametrize('target', ['centre', 'all'])
def test_predictions_are_the_published_evaluation(published, target):
    meta, arrays, _ = published
    pose = arrays['input__pose']
    predicted = build_published(meta, target=target).predict(pose, samples(len(pose)))
    keypoints = [sample.pred_instances.keypoints for sample in predicted]
    keypoints = torch.stack([torch.as_tensor(points) for points in keypoints])
    expected = arrays['output__pose_eval']
    if target == 'all':
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
    frames, keep = meta['config']['frames'], meta['config']['keep_frames']
    start = (frames - keep) // 2
    target = target[:, start : start + keep]
    weight = torch.ones(target.shape[:-1])
    batch = samples(
        len(pose), lifting_target_label=target, lifting_target_weight=weight
    )
    losses = model(pose, batch, mode='loss')
    assert_close(losses['loss_pose3d'].double(), arrays['output__loss'][0], **PARITY)
    assert_close(losses['mpjpe'] / 1000, losses['loss_pose3d'])
    assert not losses['mpjpe'].requires_grad


def test_limbs_are_pooled_and_written_back_row_by_row():
    torch.manual_seed(0)
    part = IntraPartConstraint(6, 8, H36M, drop_rate=0.1, drop_path=0.1).eval()
    for parameter in part.parameters():
        nn.init.normal_(parameter)
    z = torch.randn(3, 17, 6)
    a, b = part.norm3(z), part.norm2(z)
    pooled = []
    for pool, source, first in ((part.pool3, a, 0), (part.pool2, b, 1)):
        copy = source.clone()
        for limb in LIMBS:
            joints = H36M.indices(limb)
            p = nn.functional.gelu(pool.proj(source[:, joints[first:]].flatten(1)))
            p = p + pool.mlp(pool.norm(p))
            for joint in joints[first + 1 :]:
                copy[:, joint] = p
        pooled.append(copy)
    assert_close(part(z), sum(pooled) + z, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('skeleton', ['h36m-17', 'coco-17'])
@pytest.mark.parametrize('sizes', [{}, {'num_frames': 1, 'num_keep_frames': 1}])
@pytest.mark.parametrize('depth', [1, 3])
def test_gradients_reach_every_parameter(skeleton, sizes, depth):
    model = tiny_model(skeleton=skeleton, depth=depth, **sizes).train()
    frames = model.backbone.num_frames
    torch.manual_seed(0)
    model(torch.randn(64, frames, 17, 2)).square().sum().backward()
    for name, parameter in model.named_parameters():
        # One frequency has no neighbours.
        if frames == 1 and name.startswith('backbone.temporal') and 'offset' in name:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@torch.no_grad()
def test_a_window_alone_gives_what_it_gives_in_a_batch():
    model = tiny_model()
    x = torch.randn(5, 9, 17, 2)
    alone = torch.cat([model(window[None]) for window in x])
    assert_close(model(x), alone, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_evaluation_is_deterministic_and_training_is_not():
    model = tiny_model()
    x = torch.randn(2, 9, 17, 2)
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


@torch.no_grad()
def test_flip_test_of_a_mirror_image_is_the_mirror_image():
    model = tiny_model(flip_test=True)
    x = torch.randn(2, 9, 17, 2)
    mirror = torch.tensor([-1.0, 1.0])
    mirrored = x[:, :, H36M.flip_indices] * mirror
    one, other = (model.predict(poses, samples(2)) for poses in (x, mirrored))
    for plain, flipped in zip(one, other, strict=True):
        keypoints = flipped.pred_instances.keypoints[:, H36M.flip_indices]
        keypoints[..., 0] *= -1
        assert_close(plain.pred_instances.keypoints, keypoints, rtol=0, atol=1e-6)


@torch.no_grad()
def test_flip_test_is_mmposes_but_leaves_its_input():
    model = tiny_model(flip_test=True)
    x = torch.randn(2, 9, 17, 2)
    before = x.clone()
    ours = model.predict(x, samples(2))
    assert torch.equal(x, before)
    theirs = PoseLifter.predict(model, x, samples(2))
    for one, other in zip(ours, theirs, strict=True):
        assert_close(
            one.pred_instances.keypoints,
            other.pred_instances.keypoints,
            rtol=0,
            atol=1e-5,
        )


@torch.no_grad()
def test_no_flip_test_predicts_the_plain_output():
    model = tiny_model(flip_test=False)
    x = torch.randn(2, 9, 17, 2)
    output = model(x)
    for sample, coords in zip(model.predict(x, samples(2)), output, strict=True):
        keypoints = torch.as_tensor(sample.pred_instances.keypoints)
        assert_close(keypoints[:, 1:], coords[:, 1:])
        assert sample.pred_instances.keypoint_scores.shape == (3, 17)


def test_target_root_is_added_where_a_sample_has_one():
    model = tiny_model(target='centre')
    x = torch.randn(1, 9, 17, 2)
    batch = samples(1)
    batch[0].set_metainfo({'target_root': torch.tensor([[1.0, 2.0, 3.0]]).numpy()})
    keypoints = model.predict(x, batch)[0].pred_instances.keypoints
    assert keypoints.shape == (1, 17, 3)
    assert keypoints[0, 0].tolist() == [1, 2, 3]


def test_loss_ignores_keypoints_of_weight_zero_when_asked_to():
    model = tiny_model()
    model.head.loss_module = MODELS.build(
        {'type': 'MPJPELoss', 'use_target_weight': True}
    )
    target = torch.randn(2, 3, 17, 3)
    weight = torch.ones(2, 3, 17)
    weight[:, :, 5] = 0
    results = []
    for value in (0.0, 9.0):
        target[:, :, 5] = value
        batch = samples(2, lifting_target_label=target, lifting_target_weight=weight)
        losses = model(torch.zeros(2, 9, 17, 2), batch, mode='loss')
        results.append(torch.stack(list(losses.values())))
    assert_close(*results)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'num_frames': 80}, 'num_frames must be odd.*80'),
        ({'num_frames': 0}, 'num_frames must be odd.*0'),
        ({'num_keep_frames': 4}, 'num_keep_frames must be odd.*4'),
        ({'num_keep_frames': 11}, r'num_keep_frames \(11\) must not exceed'),
        ({'embed_dims': 72}, r'embed_dims \(72\) must be divisible by 48'),
        ({'embed_dims': 36, 'num_heads': 4}, 'must be divisible by 24'),
        ({'skeleton': 'h36m-71'}, 'h36m-17'),
        ({'depth': 0}, 'depth.*0'),
        ({'drop_path_rates': (0.1, 1.0)}, 'drop_prob'),
    ],
)
def test_wrong_sizes_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        NanoHTNet(**{**TINY, **arguments})


def test_wrong_input_is_refused_with_the_shape_wanted():
    with pytest.raises(ValueError, match=r'\(B, 9, 17, 2\) poses, got \(1, 8, 17, 2\)'):
        tiny_model()(torch.zeros(1, 8, 17, 2))


def test_head_refuses_an_unknown_target_and_a_missing_decoder():
    model = tiny_model(target='center')
    with pytest.raises(ValueError, match="'centre' or 'all', got 'center'"):
        model.predict(torch.zeros(1, 9, 17, 2), samples(1))
    model = tiny_model()
    model.head.decoder = None
    with pytest.raises(RuntimeError, match='needs a decoder'):
        model.predict(torch.zeros(1, 9, 17, 2), samples(1))
