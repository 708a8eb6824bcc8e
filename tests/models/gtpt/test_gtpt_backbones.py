"""GTPT's head on feature maps of other backbones and sizes."""

import pytest
import torch
from gtpt_models import labeled_samples, random_people
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from paths import CONFIGS

FOLDER = CONFIGS / 'body_2d_keypoint/gtpt/coco'
# Width and height of the image, times the map is smaller, and of a patch.
CASES = [
    ('hrnet-w32', (256, 256), 4, (4, 4)),
    ('hrnet-w32', (288, 384), 4, (3, 4)),
    ('cspnext-m', (256, 256), 16, (1, 1)),
    ('cspnext-m', (288, 384), 16, (2, 1)),
    ('mobilenetv2', (256, 256), 16, (1, 2)),
    ('mobilenetv2', (288, 384), 16, (1, 1)),
    ('swin-t', (256, 256), 16, (1, 1)),
    pytest.param(
        *('swin-t', (288, 384), 16, (1, 1)),
        marks=pytest.mark.slow(reason='a large network of others, 2 s'),
    ),
]


def build(name, **head):
    """Build the model of a config, with other settings of its head."""
    config = Config.fromfile(FOLDER / f'gtpt_{name}_4xb64-300e_coco-256x192.py')
    config.model.head.update(head)
    for stage in config.model.backbone.get('extra', {}).values():
        stage.update(num_modules=1, num_blocks=[1] * stage.num_branches)
    with DefaultScope.overwrite_default_scope('mmpose'):
        return MODELS.build(config.model).eval()


@pytest.mark.parametrize(('name', 'size', 'stride', 'patch_size'), CASES)
def test_head_takes_any_backbones_map(name, size, stride, patch_size):
    model = build(
        name,
        embed_dims=32,
        coarse_depth=3,
        fine_depth=3,
        keypoint_layer=1,
        keep_rates=(0.7, 0.3),
        input_size=size,
        in_featuremap_size=tuple(length // stride for length in size),
        patch_size=patch_size,
        decoder=dict(type='GTPTLabel', input_size=size),
    )
    joints, visible = random_people(1, size)
    samples = labeled_samples(joints, visible, input_size=size)
    with torch.no_grad():
        feats = model.extract_feat(torch.randn(1, 3, *size[::-1]))
    losses = model.head.train().loss(feats, samples)
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    assert all(value.grad.abs().sum() > 0 for value in model.head.parameters())
    with torch.no_grad():
        feats, head = [feats, feats], model.head.eval()
        (predicted,) = head.predict(feats, samples, dict(flip_test=True))
    assert predicted.keypoints.shape == (1, 17, 2)
    assert (predicted.keypoints < size).all()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (
            dict(patch_size=(5, 4)),
            r'patch_size must divide .* \(12, 16\), got',
        ),
        (
            dict(keypoint_layer=5),
            'coarse layer before the last one, from 0 to 4, got 5',
        ),
        (dict(patch_size=(12, 16)), '0.7 of 1 patches leaves 0 .* layer 3, .* keep at'),
    ],
)
def test_patches_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        build('mobilenetv2', **settings)
    assert '\n' not in str(error.value)


def test_map_of_another_size_is_refused():
    model = build('mobilenetv2')
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match=r'are \(16, 16, 96\), .* \(12, 16, 96\)'),
    ):
        model(torch.randn(1, 3, 256, 256), None)
