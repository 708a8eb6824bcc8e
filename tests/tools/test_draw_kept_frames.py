"""Kept frames of hourglass lifters: traced and drawn."""

import numpy as np
import pytest
from lifters import lifter_config, save_lifter
from paths import ROOT
from tracks import clip_of, track

from mmhot import Lifter
from mmhot.chain.frames.inputs import open_clip
from tools.analysis.draw_kept_frames import draw_kept_frames, trace_frames


def test_traced_frames_are_those_of_the_window(tmp_path):
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
    lifter = Lifter(checkpoint=save_lifter(tmp_path / 'a.pth', config))
    keypoints = np.random.default_rng(1).uniform(100, 900, (40, 17, 2)).astype('f4')
    clip = clip_of(track(range(40), keypoints))
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
