"""Kept frames of hourglass lifters: traced and drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lifters import lifter_config, random_state

from mmhot import Lifter
from mmhot.structures.clips import Clip2D, Track2D
from tools.analysis.draw_kept_frames import draw_kept_frames, trace_frames


@pytest.fixture(scope='module')
def lifter(tmp_path_factory):
    config = lifter_config(codec='CameraPoseLifting')
    config.model.backbone = dict(
        type='MixSTE',
        num_frames=27,
        embed_dims=16,
        depth=2,
        num_heads=2,
        mlp_dims=32,
        pruner=dict(type='ClusterPruner', num_keep=9, depth=1),
        recoverer=dict(type='AttentionRecoverer'),
    )
    path = tmp_path_factory.mktemp('hot') / 'a.pth'
    meta = dict(cfg=config.pretty_text)
    torch.save(dict(meta=meta, state_dict=random_state(config)), path)
    return Lifter(checkpoint=path)


def clip_of(num_frames):
    rng = np.random.default_rng(1)
    keypoints = rng.uniform(100, 900, (num_frames, 17, 2)).astype(np.float32)
    scores = np.ones((num_frames, 17), np.float32)
    track = Track2D(0, np.arange(num_frames), keypoints, scores)
    return Clip2D('walk', 'h36m-17', [track], 1000, 1000, 50.0, Path('walk.npz'))


def test_traced_frames_are_those_of_the_window(lifter):
    clip = clip_of(40)
    window, kept = trace_frames(lifter, clip, start=5)
    np.testing.assert_array_equal(window, clip.tracks[0].keypoints[5:32])
    assert {name: len(frames) for name, frames in kept.items()} == {
        'clusters': 9,
        'uniform': 9,
        'motion': 9,
    }
    np.testing.assert_array_equal(kept['uniform'], [0, 3, 7, 10, 13, 16, 20, 23, 26])
    # the codec preserves ratios of motion
    steps = np.abs(np.diff(window, axis=0)).sum((1, 2))
    assert set(kept['motion']) == set(np.argsort(-steps)[:9] + 1)


def test_every_kept_frame_is_marked_once():
    keypoints = clip_of(50).tracks[0].keypoints
    figure = draw_kept_frames(keypoints, {'model': np.array([3, 20, 47])}, fps=50.0)
    (marks,) = figure.axes[1].collections
    np.testing.assert_allclose(marks.get_positions(), [0.06, 0.4, 0.94])
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ['model']
    assert len(figure.axes[0].lines) == 9 * 16
