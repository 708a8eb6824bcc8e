"""Loss that guides the attention of keypoint tokens."""

import torch
from torch.nn.functional import log_softmax

from projects.rendered_people.training.guidance import PatchGuidanceLoss


def guidance(logits, kept=None, weights=None):
    """Compute the loss of an image of 2 x 2 patches with two keypoints in the last."""
    x, y = torch.zeros(1, 2, 12), torch.zeros(1, 2, 16)
    x[..., 8], y[..., 10] = 0.7, 0.7  # labels need not sum to 1
    return PatchGuidanceLoss(weight=0.5)(
        logits,
        torch.arange(4)[None] if kept is None else kept,
        (x, y),
        torch.ones(1, 2) if weights is None else weights,
        grid=(2, 2),
    )


def test_guidance_is_cross_entropy_of_all_heads_with_the_keypoints_patch():
    logits = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    wanted = -log_softmax(logits.sum(2), -1)[0, :, 3]
    torch.testing.assert_close(guidance(logits), 0.5 * wanted.mean())
    weights = torch.tensor([[1.0, 0.0]])
    torch.testing.assert_close(guidance(logits, weights=weights), 0.5 * wanted[0])


def test_guidance_of_absent_keypoints_is_towards_all_patches_equally():
    flat = torch.full((1, 1, 12), 1 / 12), torch.full((1, 1, 16), 1 / 16)
    logits = torch.zeros(1, 1, 3, 4, requires_grad=True)
    kept, weights = torch.arange(4)[None], torch.full((1, 1), 0.3)
    loss = PatchGuidanceLoss()(logits, kept, flat, weights, grid=(2, 2))
    loss.backward()
    torch.testing.assert_close(loss, 0.3 * torch.tensor(4.0).log())
    assert logits.grad.abs().max() < 1e-7


def test_guidance_ignores_keypoints_whose_patch_was_pruned():
    logits = torch.randn(1, 2, 3, 2, requires_grad=True)
    torch.testing.assert_close(
        guidance(logits, kept=torch.tensor([[0, 3]])),
        -0.5 * log_softmax(logits.sum(2), -1)[0, :, 1].mean(),
    )
    lost = guidance(logits, kept=torch.tensor([[0, 1]]))
    lost.backward()
    assert lost == 0
    assert not logits.grad.any()
