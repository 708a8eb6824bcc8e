"""Hosts of HoT: pruned anywhere, by anything, and their lifters."""

import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from published import H36M, load_fixture, samples
from torch import nn
from torch.testing import assert_close

import mmhot.plugin  # noqa: F401 (registers what configs name)
from mmhot.evaluation.cost import count_cost
from mmhot.models.layers.mirror import mirror_poses
from mmhot.weights.checkpoints import convert_published

NUM_FRAMES = 9
HOSTS = {
    'MixSTE': dict(
        num_frames=NUM_FRAMES, embed_dims=16, depth=3, num_heads=2, mlp_dims=32
    ),
    'MotionBERT': dict(
        num_frames=NUM_FRAMES, in_channels=2, embed_dims=16, depth=3, num_heads=2
    ),
    'MHFormer': dict(
        num_frames=NUM_FRAMES, embed_dims=16, mlp_dims=32, num_heads=2, drop_rate=0.0
    ),
    'MotionAGFormer': dict(
        num_frames=NUM_FRAMES, in_channels=2, embed_dims=16, depth=3, num_heads=2
    ),
}
HEADS = {
    'MixSTE': dict(type='PoseLiftingHead', in_channels=16),
    'MotionBERT': dict(type='RepresentationHead', in_channels=16, rep_dims=24),
    'MHFormer': dict(type='PoseLiftingHead', in_channels=48, num_keypoints=17),
    'MotionAGFormer': dict(type='RepresentationHead', in_channels=16, rep_dims=24),
}
PRUNER = dict(type='ClusterPruner', num_keep=4, depth=1)
PRUNERS = ['ClusterPruner', 'AttentionPruner', 'MotionPruner', 'UniformPruner']
TRA, TRI = dict(type='AttentionRecoverer'), dict(type='InterpolationRecoverer')


def build(host, pruner=None, recoverer=None, test_cfg=None, **options):
    torch.manual_seed(0)
    if isinstance(pruner, str):
        pruner = dict(type=pruner, num_keep=4, depth=2)
    config = dict(
        type='SequencePoseLifter',
        backbone=dict(
            type=host, **HOSTS[host], pruner=pruner, recoverer=recoverer, **options
        ),
        head=dict(**HEADS[host], decoder=dict(type='CameraPoseLifting')),
        test_cfg=test_cfg or {},
    )
    model = MODELS.build(config).eval()
    for parameter in model.parameters():
        if parameter.abs().max() == 0:  # positions and tokens
            nn.init.normal_(parameter, std=0.3)
    return model


def windows(batch=2):
    return torch.randn(batch, NUM_FRAMES, 17, 2, generator=torch.manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_hosts_say_how_large_a_frame_is(host):
    backbone = build(host).backbone
    seen = []
    backbone.hourglass.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    backbone(windows(batch=3))
    assert seen[0].numel() == 3 * NUM_FRAMES * backbone.values_per_frame


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_keeping_all_frames_is_the_plain_host(host):
    plain = build(host)
    everything = build(host, dict(type='ClusterPruner', num_keep=NUM_FRAMES, depth=1))
    everything.load_state_dict(plain.state_dict(), strict=True)
    poses, kept = everything(windows())  # also then
    assert_close(poses, plain(windows()))
    assert_close(kept, torch.arange(NUM_FRAMES).expand(2, -1))


@pytest.mark.parametrize('host', HOSTS)
def test_sines_outlive_the_initialization_of_a_host(host):
    recoverer = dict(**TRA, sine_start=True)
    model = MODELS.build(
        dict(type=host, **HOSTS[host], pruner=PRUNER, recoverer=recoverer)
    )
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.init_weights()
    attention = model.hourglass.recoverer.attention
    assert_close(attention.key.weight, attention.query.weight, rtol=0, atol=0)
    assert_close(attention.key.bias, attention.query.bias, rtol=0, atol=0)
    for key in ('recoverer.queries', 'slot_embeddings.0'):
        assert_close(model.state_dict()[f'hourglass.{key}'], before[f'hourglass.{key}'])
    # MMPose draws weights with a deviation of 0.02, by which all frames are alike
    bound = attention.query.in_features**-0.5
    assert 0.4 * bound < attention.query.weight.std() < 0.8 * bound


def test_motionbert_takes_a_list_of_initializations():
    config = dict(type='MotionBERT', **HOSTS['MotionBERT'])
    model = MODELS.build(dict(**config, init_cfg=[dict(type='Xavier', layer='Conv2d')]))
    model.init_weights()
    assert model.attn_regress[0].bias.tolist() == [0.5, 0.5]
    MODELS.build(dict(**config, attn_drop_rate=0.0))
    with pytest.raises(ValueError, match='attn_drop_rate must be 0, got 0.1'):
        MODELS.build(dict(**config, attn_drop_rate=0.1))


@torch.no_grad()
@pytest.mark.parametrize('recoverer', [None, TRA, TRI], ids=['none', 'TRA', 'TRI'])
@pytest.mark.parametrize('pruner', PRUNERS)
@pytest.mark.parametrize('host', HOSTS)
def test_samples_are_pruned_and_recovered_alone_as_in_a_batch(host, pruner, recoverer):
    model = build(host, pruner, recoverer)
    together = model(windows())
    alone = [model(window[None]) for window in windows()]
    if recoverer is None:
        poses, kept = together
        assert (kept == NUM_FRAMES // 2).any(1).all()
        assert_close(kept, torch.cat([each[1] for each in alone]))
        alone = [each[0] for each in alone]
    else:
        poses = together
        assert poses.shape == (2, NUM_FRAMES, 17, 3)
    assert_close(poses, torch.cat(alone))


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_attention_pruner_keeps_what_the_last_temporal_block_looks_at(host):
    model = build(host, 'AttentionPruner', TRA)
    seen = []
    model.backbone.hourglass.pruners[0].register_forward_hook(
        lambda _, args, kept: seen.append((args[0].received, kept))
    )
    model(windows())
    ((received, kept),) = seen
    assert_close(received.sum(1), torch.ones(2))
    assert_close(received.topk(4).indices.sort().values, kept)


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_given_frames_give_what_chosen_ones_did(host):
    model = build(host, 'ClusterPruner')
    poses, kept = model(windows())
    assert_close(model(windows(), kept=kept), (poses, kept))


@pytest.mark.parametrize('host', HOSTS)
def test_gradients_reach_every_parameter_through_pruning(host):
    model = build(host, 'ClusterPruner', TRA).train()
    target = torch.randn(2, NUM_FRAMES, 17, 3)
    batch = samples(
        *[2],
        lifting_target_label=target,
        lifting_target_weight=torch.ones(target.shape[:-1]),
    )
    model(windows(), batch, mode='loss')['loss_pose3d'].backward()
    without = [name for name, each in model.named_parameters() if each.grad is None]
    assert not without


@pytest.mark.parametrize('recoverer', [None, TRA, TRI], ids=['none', 'TRA', 'TRI'])
@pytest.mark.parametrize('host', HOSTS)
def test_mixed_precision_trains(host, recoverer):
    model = build(host, 'AttentionPruner', recoverer).train()
    batch = samples(
        2,
        lifting_target_label=torch.zeros(2, NUM_FRAMES, 17, 3),
        lifting_target_weight=torch.ones(2, NUM_FRAMES, 17),
    )
    with torch.autocast('cpu', torch.bfloat16):
        loss = model(windows(), batch, mode='loss')['loss_pose3d']
    loss.backward()
    assert all(each.grad.isfinite().all() for each in model.parameters())


def test_loss_is_of_the_kept_frames():
    model = build('MixSTE', 'ClusterPruner')
    poses, kept = model(windows())
    target = torch.randn(2, NUM_FRAMES, 17, 3)
    weight = torch.ones(2, NUM_FRAMES, 17)
    batch = samples(2, lifting_target_label=target, lifting_target_weight=weight)
    losses = model(windows(), batch, mode='loss')
    wanted = torch.stack(
        [each[index] for each, index in zip(target, kept, strict=True)]
    )
    assert_close(losses['loss_pose3d'], (poses - wanted).norm(dim=-1).mean())


def predict(model, inputs):
    batch = model.predict(inputs, samples(len(inputs)))
    keypoints = [torch.from_numpy(each.pred_instances.keypoints) for each in batch]
    return torch.stack(keypoints), batch


@torch.no_grad()
@pytest.mark.parametrize('recoverer', [TRA, TRI], ids=['TRA', 'TRI'])
def test_flip_test_lets_each_pass_choose_where_all_frames_come_back(recoverer):
    test_cfg = dict(flip_test=True, target='all')
    model = build('MixSTE', 'ClusterPruner', recoverer, test_cfg)
    predicted, batch = predict(model, windows())
    mirrored = model(mirror_poses(windows(), H36M.flip_indices))
    expected = (model(windows()) + mirror_poses(mirrored, H36M.flip_indices)) / 2
    expected[:, :, 0] = 0
    assert_close(predicted, expected)
    assert batch[0].kept_frames.shape == (4,)


@torch.no_grad()
def test_flip_test_may_choose_again_for_the_center_frame():
    test_cfg = dict(flip_test=True, flip_kept='own')
    model = build('MixSTE', 'ClusterPruner', test_cfg=test_cfg)
    predicted, _ = predict(model, windows())
    centers = []
    for inputs in (windows(), mirror_poses(windows(), H36M.flip_indices)):
        poses, kept = model(inputs)
        assert poses.shape == (2, 4, 17, 3)
        centers.append(poses[kept == NUM_FRAMES // 2])
    expected = (centers[0] + mirror_poses(centers[1], H36M.flip_indices)) / 2
    expected[:, 0] = 0
    assert_close(predicted[:, 0], expected)


@torch.no_grad()
def test_frames_of_different_passes_are_not_averaged():
    test_cfg = dict(flip_test=True, flip_kept='own', target='all')
    model = build('MixSTE', 'ClusterPruner', test_cfg=test_cfg)
    # of one window both passes may choose the same by chance
    with pytest.raises(ValueError, match="needs flip_kept='plain'"):
        predict(model, windows(30))


@torch.no_grad()
def test_keep_count_of_the_config_holds_in_evaluation_only():
    model = build('MixSTE', 'ClusterPruner', test_cfg=dict(keep=3))
    assert model(windows())[1].shape == (2, 3)
    assert model.train()(windows())[1].shape == (2, 4)


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        (dict(keep=3), 'keep needs a backbone with a pruner'),
        (dict(flip_kept='other'), "flip_kept must be 'plain' or 'own', got 'other'"),
        (dict(target='middle'), "target must be 'center' or 'all', got 'middle'"),
    ],
)
def test_odd_test_settings_are_refused(test_cfg, message):
    with pytest.raises(ValueError, match=message):
        build('MixSTE', test_cfg=test_cfg)


@pytest.mark.parametrize(
    ('host', 'keep', 'message'),
    [
        ('MixSTE', 1000, f'keep must be from 1 to {NUM_FRAMES}, got 1000'),
        ('MotionBERT', [3, 2], 'keep must be a number for each of 1 pruners'),
        ('MotionAGFormer', 3, 'keep=3 cannot be changed'),
    ],
)
def test_odd_keep_counts_are_refused_when_a_model_is_built(host, keep, message):
    with pytest.raises(ValueError, match=message):
        build(host, 'ClusterPruner', test_cfg=dict(keep=keep))


@pytest.mark.parametrize('host', ['MixSTE', 'MHFormer', 'MotionBERT', 'MotionAGFormer'])
def test_no_windows_are_refused(host):
    with pytest.raises(ValueError, match=r'poses, got \(0, '):
        build(host)(windows()[:0])


@pytest.mark.parametrize(
    ('pruner', 'recoverer'),
    [
        (None, None),
        ('ClusterPruner', 'InterpolationRecoverer'),
        ('ClusterPruner', None),
    ],
)
def test_labels_of_other_frames_are_refused(pruner, recoverer):
    recoverer = recoverer and dict(type=recoverer)
    model = build('MixSTE', pruner, recoverer)
    center = PoseDataSample()
    center.gt_instance_labels = InstanceData(
        lifting_target_label=torch.zeros(1, 17, 3),
        lifting_target_weight=torch.ones(1, 17),
    )
    message = f'{NUM_FRAMES} frames, and samples have those of 1: set num_targets'
    with pytest.raises(ValueError, match=message):
        model(windows(), [center, center], mode='loss')


@torch.no_grad()
@pytest.mark.parametrize('pruner', [None, 'ClusterPruner'])
@pytest.mark.parametrize('host', ['MixSTE', 'MHFormer', 'MotionBERT'])
def test_the_center_frame_alone_costs_less_and_is_the_same(host, pruner):
    model = build(host, pruner)
    feats = model.extract_feat(windows(), target='center')
    whole = model.extract_feat(windows())
    assert_close(model.head.select(feats, 'center'), model.head.select(whole, 'center'))
    if pruner:
        assert torch.equal(feats.kept, whole.kept)
        feats = feats.feats
    assert feats.shape[1] == 1
    alone, all_frames = (
        count_cost(model.extract_feat, windows(), target=target).macs
        for target in ('center', 'all')
    )
    assert alone < all_frames


@torch.no_grad()
def test_another_host_and_those_that_recover_give_all_frames():
    other = build('MotionAGFormer')
    assert other.extract_feat(windows(), target='center').shape[1] == NUM_FRAMES
    recovered = build('MixSTE', 'ClusterPruner', TRA)
    feats = recovered.extract_feat(windows(), target='center')
    assert feats.feats.shape[1] == NUM_FRAMES


def test_center_frame_must_have_been_kept():
    pruner = dict(type='MotionPruner', num_keep=1, depth=1, keep_center=False)
    with pytest.raises(ValueError, match="'center' .* needs .* keep_center=True"):
        build('MixSTE', pruner)
    model = build('MixSTE', pruner, test_cfg=dict(target='all'))
    with torch.no_grad(), pytest.raises(ValueError, match='has dropped the center'):
        model.lift(windows(8))


@torch.no_grad()
@pytest.mark.parametrize('host', ['MixSTE', 'MotionBERT', 'MHFormer'])
def test_given_frames_without_the_center_are_not_taken_for_it(host):
    backbone = build(host, 'ClusterPruner').backbone
    kept = torch.tensor([[0, 3, 5], [0, 4, 5]])
    feats = backbone(windows(), kept=kept, center=True)
    assert_close(feats.frames, kept)
    assert_close(feats.feats, backbone(windows(), kept=kept).feats)


@pytest.mark.parametrize('host', HOSTS)
def test_windows_of_other_sizes_are_refused(host):
    with pytest.raises(ValueError, match=f'{host} wants .B, .*9, 17, 2. poses, got'):
        build(host)(torch.zeros(1, 10, 17, 2))


@torch.no_grad()
@pytest.mark.parametrize('frames', [NUM_FRAMES, 5])
def test_mmposes_motionbert_loads_unchanged(frames):
    sizes = dict(feat_size=16, depth=2, num_heads=4, mlp_ratio=2, seq_len=NUM_FRAMES)
    theirs = MODELS.build(
        dict(
            type='PoseLifter',
            backbone=dict(type='DSTFormer', in_channels=3, **sizes),
            head=dict(type='MotionRegressionHead', in_channels=16, embedding_size=24),
        )
    ).eval()
    ours = MODELS.build(
        dict(
            type='SequencePoseLifter',
            backbone=dict(type='MotionBERT', in_channels=3, **sizes),
            head=dict(type='RepresentationHead', in_channels=16, rep_dims=24),
        )
    ).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, frames, 17, 3)
    assert_close(ours(x), theirs(x, None, mode='tensor'), rtol=0, atol=1e-5)


def test_motionbert_starts_with_an_even_mean_of_its_streams():
    backbone = build('MotionBERT').backbone
    backbone.init_weights()
    for fusion in backbone.attn_regress:
        assert fusion.weight.abs().max() == 0
        assert (fusion.bias == 0.5).all()


def _saved(embed_dims):
    """Billions of operations of recovery queries projected for each keypoint anew."""
    return 16 * 243 * embed_dims**2 / 1e9


def _distances(embed_dims):
    """Billions of operations of the distances between frames, each computed once."""
    rows = (64, 64, 64, 51)
    pairs = sum(count * sum(rows[place:]) for place, count in enumerate(rows))
    return pairs * embed_dims / 1e9


# Millions of parameters, billions of operations of linear layers and of products: the
# published networks' at batch 1.
COSTS = {
    'mixste': (33.784, 138.624, 8.799),
    'hot_mixste': (35.000, 83.756 - _saved(512), 4.333 + _distances(512)),
    'tpc_mixste': (33.784, 125.642, 7.782 + _distances(512)),
    'motionbert': (16.002, 65.547, 5.499),
    'hot_motionbert': (16.348, 31.604 - _saved(256), 1.824 + _distances(256)),
}


@pytest.mark.parametrize('name', COSTS)
def test_cost_is_that_of_the_published_network(name):
    meta, arrays = load_fixture(name)
    state = {key: torch.zeros(shape) for key, (shape, _) in meta['state'].items()}
    config, _ = convert_published(state, **meta['config'])
    x = torch.empty(1, *arrays['input__x'].shape[1:], device='meta')
    cost = count_cost(MODELS.build(config).to('meta'), x)
    found = (cost.parameters / 1e6, cost.weight_macs / 1e9, cost.product_macs / 1e9)
    assert_close(found, COSTS[name], rtol=0, atol=1.1e-3)


@torch.no_grad()
@pytest.mark.parametrize(
    ('host', 'recoverer'),
    [*((host, TRA) for host in HOSTS), ('MotionBERT', TRI), ('MotionBERT', None)],
    ids=lambda value: value if isinstance(value, str) else (value or {}).get('type'),
)
def test_exported_hourglass_gives_the_same(host, recoverer):
    model = build(host, 'ClusterPruner', recoverer)
    exported = torch.export.export(model, (torch.zeros_like(windows()),)).module()
    assert_close(exported(windows()), model(windows()))


class Given(nn.Module):
    """A lifter that is told which frames to keep."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, kept):
        return self.model(x, kept=kept)


@torch.no_grad()
@pytest.mark.parametrize('host', HOSTS)
def test_given_frames_are_exported_too(host):
    model = build(host, 'ClusterPruner')
    _, kept = model(windows())
    exported = torch.export.export(Given(model), (windows(), kept)).module()
    other = kept.roll(1, 0)
    assert_close(exported(windows(), other), model(windows(), kept=other))


@torch.no_grad()
@pytest.mark.parametrize('recoverer', [None, TRA, TRI], ids=['none', 'TRA', 'TRI'])
@pytest.mark.parametrize('host', HOSTS)
def test_exported_model_takes_any_batch(host, recoverer):
    model = build(host, 'ClusterPruner', recoverer)
    batch = {0: torch.export.Dim('batch', min=1, max=64)}
    exported = torch.export.export(
        model, (windows(),), dynamic_shapes=(batch,)
    ).module()
    for size in (1, 5):
        assert_close(exported(windows(size)), model(windows(size)))


@torch.no_grad()
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def test_recorded_graph_of_frames_knows_frames_that_are_equal():
    model = build('MotionAGFormer', 'ClusterPruner', TRA)
    for name, parameter in model.named_parameters():
        if 'scale' in name:
            nn.init.constant_(parameter, 0.5)
    recorded = torch.jit.trace(model, windows(), check_trace=False)
    frames = torch.arange(NUM_FRAMES).clamp(min=NUM_FRAMES // 2)  # as before a clip
    padded = windows()[:, frames].contiguous()
    assert_close(recorded(padded), model(padded))


def test_attention_that_no_layer_tells_is_asked_for_in_vain():
    pruner = dict(type='AttentionPruner', num_keep=4, depth=3)
    with pytest.raises(ValueError, match='of the layer before it, a CrossHypothesis'):
        build('MHFormer', pruner, TRA, interaction_depth=2)
