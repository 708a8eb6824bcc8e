"""The six published GTPTs, converted, reproduce the published numbers."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from gtpt_models import fixture_images, labeled_samples
from mmpose.evaluation.functional import simcc_pck_accuracy
from published import build_published, load_fixture

from mmhot.models.gtpt.head import _accuracy
from tools.model_converters.gtpt import _RULES
from tools.model_converters.published_model import rename_keys

pytestmark = pytest.mark.parity

# Logits of about 1: processors sum in other orders, 1.005e-5 apart at most so far.
PARITY = {'rtol': 0, 'atol': 1.2e-5}
HALF = {'rtol': 0, 'atol': 2e-2}  # stored as float16, at values of up to 16


SIZES = [f'{size}_{data}' for data in ('coco', 'wholebody') for size in 'tsb']


@pytest.fixture(scope='module', params=SIZES)
def published(request):
    """Name, meta data, arrays and our model of one fixture."""
    meta, arrays = load_fixture(f'gtpt_{request.param}')
    return request.param, meta, arrays, build_published(meta)


@torch.no_grad()
def test_outputs_and_activations_are_the_published_models(published):
    _, meta, arrays, model = published
    (stem_map,) = model.extract_feat(fixture_images(meta))
    torch.testing.assert_close(
        stem_map.mean((2, 3)), arrays['inner__stem_mean'], **PARITY
    )
    torch.testing.assert_close(
        stem_map.abs().mean((2, 3)), arrays['inner__stem_abs'], **PARITY
    )

    head = model.head
    table = head.coarse_encoder.positions[1:].view(16, 16, 2, -1)
    torch.testing.assert_close(table[:, 3, 0], arrays['inner__pos_1d'], **PARITY)
    torch.testing.assert_close(table[3, :, 1], arrays['inner__pos_1d'], **PARITY)
    patches = head.embed(stem_map)
    torch.testing.assert_close(
        patches.abs().mean(-1), arrays['inner__patch_abs'], **PARITY
    )

    seen = []
    hook = head.coarse_encoder.register_forward_hook(
        lambda _, args, output: seen.append(output)
    )
    tokens, kept = head.network.encode(patches, head.counts)
    hook.remove()
    torch.testing.assert_close(seen[0].queries, arrays['inner__coarse_query'], **PARITY)
    torch.testing.assert_close(
        seen[0].patches, arrays['inner__coarse_visual'].float(), **HALF
    )
    torch.testing.assert_close(tokens, arrays['inner__keypoint_tokens'].float(), **HALF)
    assert torch.equal(kept[3], arrays['inner__kept_coarse3'].long())
    assert_same_patches(kept[6], arrays['inner__kept_expand'])
    assert_same_patches(kept[9], arrays['inner__kept_fine9'])

    logits = tuple(arrays[f'output__pred_{axis}'] for axis in 'xy')
    torch.testing.assert_close(head.classify(tokens), logits, **PARITY)


def assert_same_patches(kept, expected):
    """Compare (B, G, N), where -1 is no patch: a dense keypoint in ours, else none."""
    for ours, theirs in zip(kept.flatten(0, 1), expected.flatten(0, 1), strict=True):
        assert torch.equal(ours[ours >= 0], theirs[theirs >= 0].long())


@pytest.fixture(scope='module')
def trained():
    """Metadata, arrays, and our model after one training step, with its losses."""
    meta, arrays = load_fixture('gtpt_t_coco_train')
    model = build_published(meta, weights='model').train()
    batch = labeled_samples(arrays['input__joints'], arrays['input__visible'])
    losses = model(fixture_images(meta), batch, mode='loss')
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    return meta, arrays, model, losses


def test_losses_are_the_published_ones(trained):
    _, arrays, _, losses = trained
    expected = {name: arrays[f'output__loss_{name}'] for name in ('pruned', 'entire')}
    expected['distill'] = arrays['output__loss'] - sum(expected.values())
    for name, value in expected.items():
        ours = losses[f'loss_{name}'].item()
        assert ours == pytest.approx(value.item(), rel=1e-5, abs=1e-8)
    assert 0 <= losses['acc_pose'] <= 1


def test_accuracy_is_that_of_mmpose():
    torch.manual_seed(0)
    targets = torch.rand(8, 17, 384), torch.rand(8, 17, 512)
    offsets = torch.randint(-30, 30, (2, 8, 17, 1))
    logits = tuple(
        torch.zeros_like(target).scatter(
            -1, (target.argmax(-1, True) + offset).clamp(0, target.shape[-1] - 1), 1
        )
        for target, offset in zip(targets, offsets, strict=True)
    )
    valid = torch.rand(8, 17) > 0.4
    valid[:, 3] = False
    arrays = (tuple(each.numpy() for each in pair) for pair in (logits, targets))
    _, expected, _ = simcc_pck_accuracy(*arrays, 2.0, valid.numpy())
    assert 0.1 < expected < 0.9
    assert _accuracy(logits, targets, valid).item() == pytest.approx(expected)


@torch.no_grad()
def test_accuracy_counts_keypoints_inside_the_image(trained):
    meta, arrays, model, _ = trained
    visible = np.array(arrays['input__visible'])
    visible[:, ::2] = 0
    unknown = labeled_samples(arrays['input__joints'], visible)
    absent = labeled_samples(
        arrays['input__joints'], np.where(visible > 0, visible, -1), absent_weight=0.5
    )
    model = deepcopy(model)  # its statistics are another test's
    one, other = (
        model(fixture_images(meta), each, mode='loss') for each in (unknown, absent)
    )
    assert other['loss_pruned'] > one['loss_pruned']
    assert other['acc_pose'] == one['acc_pose']


def test_gradients_are_the_published_ones(trained):
    meta, arrays, model, _ = trained
    names = {
        key: ours
        for key in meta['grad_keys']
        for ours in rename_keys({key: key}, _RULES)
    }
    parameters = dict(model.named_parameters())
    assert {names[key] for key in meta['grad_keys']} == set(parameters)
    norms = [parameters[names[key]].grad.norm().double() for key in meta['grad_keys']]
    expected = arrays['output__grad_norm']
    # a bias before a batch normalization has none but by rounding
    torch.testing.assert_close(torch.stack(norms), expected, rtol=2e-3, atol=1e-7)


def test_batch_statistics_are_updated_once(trained):
    _, arrays, model, _ = trained
    norm = model.head.patch_embed.norm
    torch.testing.assert_close(norm.running_mean, arrays['output__bn_mean'], **PARITY)
    torch.testing.assert_close(norm.running_var, arrays['output__bn_var'], **PARITY)
