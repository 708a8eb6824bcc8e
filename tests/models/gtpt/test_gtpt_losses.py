"""GTPT's losses: weights, and the formula of each term; parity has the numbers."""

import torch
from torch.nn.functional import log_softmax, softmax

from mmhot.models.gtpt.losses import GTPTLoss

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


def test_unlabeled_keypoints_count_in_no_term():
    weights = torch.ones(3, 5)
    weights[:, 2] = 0
    assert all(loss == 0 for loss in terms(torch.zeros(3, 5)).values())
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


def test_pass_that_does_not_count_is_not_needed():
    loss = GTPTLoss(entire_weight=0, distill_weight=0)
    assert not loss.needs_entire
    targets = random_simcc(2, normalize=True)
    losses = loss(random_simcc(0), None, targets, torch.ones(3, 5))
    assert list(losses) == ['loss_pruned']
    assert losses['loss_pruned'] == terms()['loss_pruned']
