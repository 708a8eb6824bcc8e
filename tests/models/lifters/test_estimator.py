"""SequencePoseLifter: flip test, kept frames, center frame, loss."""

import pytest
import torch
from hosts import NUM_FRAMES, TRA, TRI, build_lifter, windows
from published import H36M, samples

from mmhot.models.lifters.pose_head import mirror_poses


def test_loss_is_of_the_kept_frames():
    model = build_lifter('MixSTE', 'ClusterPruner')
    poses, kept = model(windows())
    target = torch.randn(2, NUM_FRAMES, 17, 3)
    weight = torch.ones(2, NUM_FRAMES, 17)
    batch = samples(2, lifting_target_label=target, lifting_target_weight=weight)
    losses = model(windows(), batch, mode='loss')
    wanted = torch.stack([x[index] for x, index in zip(target, kept, strict=True)])
    torch.testing.assert_close(
        losses['loss_pose3d'], (poses - wanted).norm(dim=-1).mean()
    )


def predict(model, inputs):
    batch = model.predict(inputs, samples(len(inputs)))
    keypoints = [torch.from_numpy(each.pred_instances.keypoints) for each in batch]
    return torch.stack(keypoints), batch


@torch.no_grad()
@pytest.mark.parametrize('recoverer', [TRA, TRI], ids=['TRA', 'TRI'])
def test_flip_test_prunes_each_image_separately_with_a_recoverer(recoverer):
    test_cfg = dict(flip_test=True, target='all')
    model = build_lifter('MixSTE', 'ClusterPruner', recoverer, test_cfg)
    predicted, batch = predict(model, windows())
    mirrored = model(mirror_poses(windows(), H36M.flip_indices))
    expected = (model(windows()) + mirror_poses(mirrored, H36M.flip_indices)) / 2
    expected[:, :, 0] = 0
    torch.testing.assert_close(predicted, expected)
    assert batch[0].kept_frames.shape == (4,)


@torch.no_grad()
def test_keep_of_test_cfg_applies_in_evaluation_only():
    model = build_lifter('MixSTE', 'ClusterPruner', test_cfg=dict(keep=3))
    assert model(windows())[1].shape == (2, 3)
    assert model.train()(windows())[1].shape == (2, 4)


@pytest.mark.parametrize(
    ('host', 'pruner', 'setting', 'message'),
    [
        ('MixSTE', None, dict(keep=3), 'keep=3 needs a pruner, and this model has'),
        ('MixSTE', None, dict(target='middle'), "one of center, all, got 'middle'"),
        (
            'MixSTE',
            'ClusterPruner',
            dict(keep=1000),
            f'from 1 to {NUM_FRAMES}, got 1000',
        ),
        (
            'MotionBERT',
            'ClusterPruner',
            dict(keep=[3, 2]),
            r'one number for each pruner \(1\), got',
        ),
        ('MotionAGFormer', 'ClusterPruner', dict(keep=3), 'keep=3 is not possible'),
        (
            'MotionAGFormer',
            dict(type='ClusterPruner', num_keep=1, depth=2),
            None,
            r'num_neighbors must be from 1 to .* num_keep: 1\), got 2',
        ),
    ],
)
def test_invalid_settings_are_refused_when_the_model_is_built(
    host, pruner, setting, message
):
    with pytest.raises(ValueError, match=message):
        build_lifter(host, pruner, test_cfg=setting)
