"""Kept frames of hourglass lifters: traced and drawn."""

from pathlib import Path

import numpy as np
import pytest
from lifters import lifter_config, save_lifter
from paths import ROOT

from mmhot import Lifter
from mmhot.frames.inputs import open_clip
from mmhot.structures.clips_2d import Clip2D, Track2D
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
        pruner=dict(type='MotionPruner', num_keep=9, depth=1),
        recoverer=dict(type='AttentionRecoverer'),
    )
    path = save_lifter(tmp_path_factory.mktemp('hot') / 'a.pth', config)
    return Lifter(checkpoint=path)


def clip_of(num_frames):
    rng = np.random.default_rng(1)
    keypoints = rng.uniform(100, 900, (num_frames, 17, 2)).astype(np.float32)
    scores = np.ones((num_frames, 17), np.float32)
    track = Track2D(0, np.arange(num_frames), keypoints, scores)
    return Clip2D('walk', 'h36m-17', [track], 1000, 1000, 50.0, Path('walk.npz'))


def test_traced_frames_are_those_of_the_window(lifter):
    clip = clip_of(40)
    kept = trace_frames(lifter, clip, start=5)
    assert len(kept) == 9
    # codecs preserve ratios of motion: the frames of the largest steps
    steps = np.abs(np.diff(clip.tracks[0].keypoints[5:32], axis=0)).sum((1, 2))
    assert set(kept) == set(np.argsort(-steps)[:9] + 1)


def test_kept_frames_are_bright_and_marked():
    image = np.full((90, 160, 3), 200, np.uint8)
    kept = np.array([1, 3])
    bright, dark = (draw_kept_frames(image, kept, place, 4) for place in (3, 2))
    assert (bright[:270] == 200).all()
    assert (dark[:270] == 50).all()
    marks = dark[296, 60::120].tolist()
    assert marks[1] == marks[3]
    assert len({*map(tuple, marks)}) == 3  # kept, dropped, and the frame itself


@pytest.mark.slow(reason='estimates, lifts and draws 136 frames')
def test_tool_draws_each_frame_of_a_video(run_tool, tmp_path):
    video, target = ROOT / 'demo/walk.mp4', tmp_path / 'kept.mp4'
    run_tool('draw_kept_frames', video, target)
    frames = [frame.image for frame in open_clip(str(target))]
    assert len(frames) == 136
    assert frames[0].shape == (878, 1278, 3)
