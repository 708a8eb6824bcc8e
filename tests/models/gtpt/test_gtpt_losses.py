"""GTPT's losses: the published numbers, and the formula of each term."""

from pathlib import Path

import official_weights
import pytest
import torch
from torch.nn.functional import log_softmax, softmax

from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.models.gtpt.losses import GTPTLoss

FIXTURE = Path(__file__).parents[2] / 'data' / 'fixtures' / 'gtpt_t_coco_train.npz'
BINS = (12, 16)


def random_simcc(seed, normalize=False):
    generator = torch.Generator().manual_seed(seed)
    both = (torch.randn(3, 5, bins, generator=generator) for bins in BINS)
    return tuple(softmax(x, -1) if normalize else x for x in both)


def terms(weights=None, **settings):
    return GTPTLoss(**settings)(
        pruned=random_simcc(0),
        entire=random_simcc(1),
        targets=random_simcc(2, normalize=True),
        weights=torch.ones(3, 5) if weights is None else weights,
    )


def test_loss_is_the_published_one():
    _, arrays = official_weights.load(FIXTURE)
    arrays = {key: torch.from_numpy(array) for key, array in arrays.items()}
    joints, visible = (arrays[f'input__{key}'].numpy() for key in ('joints', 'visible'))
    labels = GTPTLabel(input_size=(192, 256)).encode(joints, visible)
    labels = {key: torch.from_numpy(label) for key, label in labels.items()}
    losses = GTPTLoss()(
        pruned=(arrays['output__pred_x'], arrays['output__pred_y']),
        entire=(arrays['output__entire_x'], arrays['output__entire_y']),
        targets=(labels['keypoint_x_labels'], labels['keypoint_y_labels']),
        weights=labels['keypoint_weights'],
    )
    total = sum(losses.values())
    # sums of thousands of float32 numbers
    for ours, theirs in (
        (losses['loss_pruned'], arrays['output__loss_pruned']),
        (losses['loss_entire'], arrays['output__loss_entire']),
        (total, arrays['output__loss']),
    ):
        torch.testing.assert_close(
            ours, theirs.float().reshape(()), rtol=1e-5, atol=1e-8
        )


def test_unlabeled_keypoints_count_in_no_term():
    weights = torch.ones(3, 5)
    weights[:, 2] = 0
    zero = terms(torch.zeros(3, 5))
    assert all(loss == 0 for loss in zero.values())
    for name, loss in terms(weights).items():
        assert 0 < loss < terms()[name]


def test_terms_have_weights_and_a_temperature():
    plain = terms()
    changed = terms(pruned_weight=2.0, entire_weight=0.5, distill_weight=0.0)
    torch.testing.assert_close(changed['loss_pruned'], 2 * plain['loss_pruned'])
    torch.testing.assert_close(changed['loss_entire'], plain['loss_entire'] / 2)
    assert changed['loss_distill'] == 0
    expected = 0
    for student, teacher in zip(random_simcc(0), random_simcc(1), strict=True):
        label = softmax(teacher / 2, -1)
        divergence = label * (label.log() - log_softmax(student / 2, -1))
        expected = expected + 4 * divergence.mean()
    torch.testing.assert_close(terms(temperature=2.0)['loss_distill'], expected)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match='temperature must be positive'):
        GTPTLoss(temperature=0)


def test_pass_that_does_not_count_is_not_needed():
    loss = GTPTLoss(entire_weight=0, distill_weight=0)
    assert not loss.needs_entire
    targets = random_simcc(2, normalize=True)
    losses = loss(random_simcc(0), None, targets, torch.ones(3, 5))
    assert list(losses) == ['loss_pruned']
    assert losses['loss_pruned'] == terms()['loss_pruned']
