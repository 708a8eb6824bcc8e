"""Hourglasses in MMPose's ``PoseLifter``, with MMPose's heads, codecs and weights."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from paths import CONFIGS, MMPOSE
from published import H36M, WithoutValues

HOT = CONFIGS / 'body_3d_keypoint/hot/h36m'
ORIGINAL = (
    MMPOSE
    / 'configs/body_3d_keypoint/motionbert/h36m'
    / 'motionbert_dstformer-243frm_8xb32-240e_h36m.py'
)
NAME = 'hot-motionbert_243frm-keep81_8xb32-240e_h36m-mmpose.py'
FRAMES = 12
TRI = dict(type='InterpolationRecoverer')


def build(config):
    with DefaultScope.overwrite_default_scope('mmpose'):
        return MODELS.build(config)


def hourglass(**backbone):
    """The model of our config, small."""
    model = Config.fromfile(HOT / NAME).model
    model.backbone.update(embed_dims=16, depth=2, num_heads=2, num_frames=FRAMES)
    model.backbone.pruner.num_keep = 4
    model.backbone.update(backbone)
    model.head.update(in_channels=16, embedding_size=24)
    return build(model).eval()


def windows(count=2, frames=FRAMES):
    return torch.randn(count, frames, 17, 3, generator=torch.manual_seed(1))


def labeled(count=2):
    samples = []
    for _ in range(count):
        meta = dict(
            flip_indices=H36M.flip_indices,
            factor=np.ones((FRAMES, 1), np.float32),
            camera_param=dict(w=1000, h=1000),
        )
        sample = PoseDataSample(metainfo=meta)
        sample.gt_instances = InstanceData(
            lifting_target=np.zeros((FRAMES, 17, 3), np.float32),
            lifting_target_visible=np.ones((FRAMES, 17, 1), np.float32),
        )
        sample.gt_instance_labels = InstanceData(
            lifting_target_label=torch.randn(FRAMES, 17, 3),
            lifting_target_weight=torch.ones(FRAMES, 17),
        )
        samples.append(sample)
    return samples


@torch.no_grad()
def test_weights_of_mmposes_config_load_strictly_and_give_its_numbers():
    config, published = (Config.fromfile(path) for path in (HOT / NAME, ORIGINAL))
    assert config.model.backbone.depth == published.model.backbone.depth
    # fewer layers, which are alike
    config.model.backbone.depth = published.model.backbone.depth = 2
    torch.manual_seed(0)
    original = build(published.model).eval()
    for value in original.parameters():  # the published keys and shapes
        value.add_(0.02 * torch.randn(value.shape))
    published = original.state_dict()
    with WithoutValues():
        hourglass = build(config.model)
        del config.model.backbone['pruner'], config.model.backbone['recoverer']
        plain = build(config.model).eval()
    plain.load_state_dict(published, strict=True)
    x = windows(1, 27).double()
    expected = original.double()(x, None)
    torch.testing.assert_close(plain.double()(x, None), expected, rtol=0, atol=1e-6)
    missing, unexpected = hourglass.load_state_dict(published, strict=False)
    assert not unexpected
    assert all(key.startswith('backbone.hourglass.') for key in missing)


def test_mmposes_lifter_trains_and_predicts_all_frames_of_an_hourglass():
    model = hourglass()
    model.loss(windows(), labeled())['loss_pose3d'].backward()
    assert all(value.grad is not None for value in model.parameters())
    assert model(windows(), None).shape == (2, FRAMES, 17, 3)
    with torch.no_grad():
        results = model.predict(windows(), labeled())
    for result in results:
        assert result.pred_instances.keypoints.shape == (1, FRAMES, 17, 3)


@pytest.mark.parametrize('recoverer', [None, TRI])
def test_features_with_missing_frames_are_not_for_mmposes_lifter(recoverer):
    model = hourglass(recoverer=recoverer)
    with pytest.raises(ValueError, match='prunes frames and does not recover'):
        model.loss(windows(), labeled())
