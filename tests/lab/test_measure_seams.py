"""Discontinuities at the seams between chunks."""

from dataclasses import replace
from types import SimpleNamespace

import mocap
import numpy as np
import pytest
from rendered_clips import make_clip, rendered

from mmhot.structures.clips import Clip2D, Track2D
from mmhot.structures.windows import chunk_starts
from tools.lab.measure_seams import (
    chunk_lifter,
    count_chunks,
    measure_phases,
    measure_seams,
    seam_steps,
    tabulate_phases,
)

SEQ_LEN = 27


@pytest.fixture(scope='module')
def clips():
    """Motion capture with cameras."""
    return mocap.dataset(camera_file='virtual_cameras.json', test_mode=True)


@pytest.mark.parametrize('stride', [13, 18, 27])
def test_seams_are_changes_of_the_chunks_of_a_frame(stride):
    starts = chunk_starts(100, SEQ_LEN, stride)
    frame = np.arange(100)
    contains = (starts[:, None] <= frame) & (frame < starts[:, None] + SEQ_LEN)
    assert (count_chunks(100, SEQ_LEN, stride) == contains.sum(0)).all()
    changes = (contains[:, 1:] != contains[:, :-1]).any(0)
    assert (seam_steps(100, SEQ_LEN, stride) == changes).all()


class _FakeLifter:
    """A lifter with a constant error that grows from window to window."""

    name, seq_len, num_targets, batch_size = 'fake', SEQ_LEN, SEQ_LEN, 64

    def predict(self, windows, camera):
        poses = np.zeros((*windows.shape[:-1], 3), np.float32)
        poses[:, :, 1:, 0] = 0.017 * np.arange(len(windows))[:, None, None]
        return poses


def test_jumps_between_chunks_are_found_at_their_seams(clips):
    # a person stands still for three chunks
    clip = clips.clips[0]
    joints = np.repeat(clip.arrays['joints_world'][:1], 3 * SEQ_LEN, axis=0)
    still = replace(clip, arrays=dict(joints_world=joints))
    dataset = SimpleNamespace(clips=[still])
    apart, faded = (
        measure_seams(chunk_lifter(_FakeLifter()), dataset, SEQ_LEN, stride)
        for stride in (SEQ_LEN, 18)
    )
    # 16 of 17 joints by 17 mm
    assert apart.at_seams == pytest.approx(16, rel=1e-3)
    assert apart.elsewhere == pytest.approx(0, abs=1e-2)
    assert (apart.seams, faded.seams, apart.frames) == (2, 6, 81)
    # the clip that starts later has two windows or more
    assert 0 < faded.moved < 34
    assert np.isnan(apart.in_fades)
    # the same distance in ten steps
    assert 0 < faded.at_seams < 3
    assert faded.in_fades == pytest.approx(1.6, abs=0.3)
    assert faded.elsewhere == pytest.approx(0, abs=1e-2)


def test_models_of_one_frame_have_no_seams():
    lifter = _FakeLifter()
    lifter.num_targets = 1
    with pytest.raises(ValueError, match='fake predicts 1 of its 27 frames'):
        chunk_lifter(lifter)


def test_short_clips_have_no_seams(clips):
    with pytest.raises(ValueError, match='no clip has 19999 frames'):
        measure_seams(chunk_lifter(_FakeLifter()), clips, 10000, 9999)


def _clip_of(num_frames):
    """Keypoints of a rendered clip."""
    clip = rendered('walk').take(np.arange(num_frames))
    track = Track2D(0, clip.frame, clip.keypoints_2d, clip.scores)
    return Clip2D('walk', 'h36m-17', [track], 1280, 720, 25.0)


class _Late:
    """A lifter whose joints move by 1 mm with each frame that a clip begins later."""

    seq_len, num_targets, fps = 20, 20, 25.0

    def __init__(self, *weights, **settings):
        pass

    def __call__(self, clip):
        (track,) = clip.tracks
        poses = np.zeros((len(track.frames), 17, 3))
        poses[..., 0] = 0.001 * track.frames[0]
        return make_clip(poses, track.keypoints, frame=track.frames)


def test_phases_of_clips_that_begin_later(monkeypatch):
    clip = _clip_of(60)
    moved = measure_phases(_Late(), clip)
    # nine starts 1 to 9 frames later, without the frames of the first window
    assert moved.shape == (sum(60 - first - 20 for first in range(1, 10)), 16)
    assert sorted(set(moved.ravel().round(6))) == pytest.approx(np.arange(1, 10) / 1000)
    with pytest.raises(ValueError, match='wanted more than 40 frames'):
        measure_phases(_Late(), _clip_of(25))
    monkeypatch.setattr('tools.lab.measure_seams.Lifter', _Late)
    head, *rows = tabulate_phases([clip])
    assert head == ['clip', 'accuracy', 'mean', '95 % within']
    names = 'windows side by side', 'fast', 'best'
    assert rows == [['walk', name, '4.8 mm', '9.0 mm'] for name in names]
