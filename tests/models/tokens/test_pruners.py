"""Pruners, and the selection of tokens that they use."""

import math

import pytest
import torch

from mmhot.models.tokens.pruners import (
    ClusterPruner,
    Frames,
    MotionPruner,
    UniformPruner,
)
from mmhot.models.tokens.selection import (
    gather_tokens,
    keep_highest,
    pairwise_distances,
    spread_frames,
)

EXACT = {'rtol': 0, 'atol': 0}


def test_highest_scores_are_kept_in_ascending_order():
    scores = torch.tensor([[0.1, 0.9, 0.3, 0.8], [4.0, 3.0, 2.0, 1.0]])
    torch.testing.assert_close(keep_highest(scores, 2), torch.tensor([[1, 3], [0, 1]]))
    # Of equal scores the first ones are kept.
    torch.testing.assert_close(
        keep_highest(torch.zeros(2, 300), 3), torch.arange(3).expand(2, 3)
    )


@pytest.mark.parametrize('rest', [(), (3,), (3, 2)])
def test_gathered_tokens_are_those_of_torch_gather(rest):
    x = torch.rand(2, 4, 9, *rest)
    index = torch.rand(2, 4, 9).argsort()[..., :5]
    wanted = index.reshape(2, 4, 5, *[1] * len(rest)).expand(2, 4, 5, *rest)
    torch.testing.assert_close(
        gather_tokens(x, index), x.gather(2, wanted), rtol=0, atol=0
    )


def frames_of(features, poses=None):
    batch, num_frames = features.shape[:2]
    poses = torch.zeros(batch, num_frames, 1, 2) if poses is None else poses
    center = torch.full((batch,), (num_frames - 1) // 2)
    return Frames(features, poses, features[..., 0], center)


def slow_cluster_choice(features, num_keep, neighbors, center=None):
    """TPC, frame by frame, as the papers describe it."""
    features = features.double()
    count = len(features)
    root = math.sqrt(features.shape[1])
    distance = [
        [float(((a - b).square().sum().sqrt() / root).float()) for b in features]
        for a in features
    ]
    squares = torch.tensor(distance).square().sort(dim=1).values
    density = torch.exp(-squares[:, :neighbors].mean(1)).tolist()
    farthest = max(map(max, distance))
    scores = []
    for own in range(count):
        denser = [
            distance[own][other]
            for other in range(count)
            if (density[other], -other) > (density[own], -own)
        ]
        scores.append(density[own] * min(denser, default=farthest))
    if center is not None:
        scores[center] = math.inf
    ranking = sorted(range(count), key=lambda frame: (-scores[frame], frame))
    return sorted(ranking[:num_keep])


@pytest.mark.parametrize(
    ('num_frames', 'num_keep', 'neighbors'), [(27, 9, 2), (16, 5, 3)]
)
def test_cluster_pruner_follows_the_papers_rule(num_frames, num_keep, neighbors):
    features = torch.randn(3, num_frames, 7).cumsum(1)
    for keep_center in (False, True):
        pruner = ClusterPruner(num_keep, 1, keep_center, neighbors)
        chosen = pruner(frames_of(features))[0].tolist()
        center = (num_frames - 1) // 2 if keep_center else None
        assert chosen == [
            slow_cluster_choice(sample, num_keep, neighbors, center)
            for sample in features
        ]


def test_distances_are_symmetric_and_accurate():
    features = torch.randn(2, 60, 64) + 1000
    distance = pairwise_distances(features)
    torch.testing.assert_close(distance, distance.transpose(1, 2), **EXACT)
    torch.testing.assert_close(
        distance.diagonal(dim1=1, dim2=2), torch.zeros(2, 60), **EXACT
    )
    pairs = features.double()[:, :, None] - features.double()[:, None]
    torch.testing.assert_close(distance, (pairs.norm(dim=-1) / 8).float())


def test_earlier_of_equally_dense_frames_counts_as_denser():
    # two pairs of mutual nearest neighbors: four equal densities
    features = torch.tensor([[[0.0], [1.0], [10.0], [11.0]]])
    torch.testing.assert_close(
        ClusterPruner(2, 1)(frames_of(features))[0], torch.tensor([[0, 2]])
    )


def test_noise_is_drawn_from_torchs_generator_and_only_in_training():
    # pairs of equally dense frames: noise decides which of a pair is a center
    places = torch.arange(18) // 2 * 10 + torch.arange(18) % 2
    frames = frames_of(places[None, :, None].float())
    pruner = ClusterPruner(9, 1, noise=1e-6).eval()
    torch.testing.assert_close(pruner(frames)[0], torch.arange(0, 18, 2)[None])
    pruner.train()
    torch.manual_seed(3)
    first = pruner(frames)[0]
    assert (first // 2).tolist() == [[*range(9)]]
    assert (first % 2).any()
    assert not torch.equal(pruner(frames)[0], first)
    torch.manual_seed(3)
    torch.testing.assert_close(pruner(frames)[0], first)


def test_uniform_pruner_keeps_both_ends_and_the_center():
    kept = UniformPruner(5, 1)(frames_of(torch.zeros(2, 27, 1)))[0]
    torch.testing.assert_close(kept, torch.tensor([0, 7, 13, 20, 26]).expand(2, 5))
    assert spread_frames(8, 1).tolist() == [3]
    assert spread_frames(6, 6).tolist() == list(range(6))
    # The nearest frame moves to the center.
    kept = UniformPruner(4, 1, keep_center=True)(frames_of(torch.zeros(1, 27, 1)))[0]
    assert kept.tolist() == [[0, 13, 17, 26]]  # instead of 9


def test_motion_pruner_keeps_the_largest_steps_of_the_input():
    poses = torch.zeros(1, 6, 1, 3)
    poses[0, 2:, 0, 0] += 5
    poses[0, 4:, 0, 1] -= 3
    poses[..., 2] = torch.randn(6, 1)  # confidence is no motion
    kept = MotionPruner(2, 0)(frames_of(torch.zeros(1, 6, 1), poses))[0]
    assert kept.tolist() == [[2, 4]]


@pytest.mark.parametrize('num_frames', [27, 81, 243])
@pytest.mark.parametrize('first', [0, 5])
def test_equal_frames_have_zero_distance(first, num_frames):
    features = torch.randn(3, num_frames, 64, generator=torch.manual_seed(first))
    features[:, first:] = features[:, first : first + 1]
    distance = pairwise_distances(features)
    assert not distance[:, first:, first:].any()
    assert not first or distance[:, 0, 1:].min() > 1
    kept = ClusterPruner(9, 1)(frames_of(features))[0]
    # the few windows of 27 frames suffice for the rule in Python
    assert num_frames > 27 or kept.tolist() == [
        slow_cluster_choice(sample, 9, 2) for sample in features
    ]
