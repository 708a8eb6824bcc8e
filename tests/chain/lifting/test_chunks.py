"""Lifting of clips in overlapping chunks, by models that return all frames."""

import numpy as np
import pytest
from lifters import save_lifter
from mmengine.config import Config
from tracks import H36M, clip_of, track, wiggling

from mmhot import Lifter
from mmhot.geometry.windows import chunk_starts, lift_windows, plan_windows
from mmhot.weights.index import LIVE_LIFTER

SEQ_LEN = 81
OVERLAP = 27  # a third


@pytest.mark.parametrize('num_frames', [81, 82, 149, 150, 500, 1237])
@pytest.mark.parametrize('stride', [20, 54, 81])
def test_chunks_cover_a_clip_and_stay_inside(num_frames, stride):
    starts = chunk_starts(num_frames, SEQ_LEN, stride)
    assert starts[0] == 0
    assert starts[-1] + SEQ_LEN == num_frames
    steps = np.diff(starts)
    assert (steps <= stride).all()
    # spread evenly
    assert len(steps) == 0 or np.ptp(steps) <= 1
    # no more chunks than that takes
    assert len(starts) == -(-(num_frames - SEQ_LEN) // stride) + 1


@pytest.mark.parametrize('num_frames', [80, 81, 82, 149, 1237])
def test_shifted_chunks_are_between_the_others(num_frames):
    starts = chunk_starts(num_frames, SEQ_LEN, 54)
    shifted = chunk_starts(num_frames, SEQ_LEN, 54, shifted=True)
    assert shifted[[0, -1]].tolist() == starts[[0, -1]].tolist()
    middles = (starts[1:] + starts[:-1]) / 2
    assert np.abs(shifted[1:-1] - middles).max(initial=0) <= 1


def test_a_short_clip_is_in_the_middle_of_one_chunk():
    assert chunk_starts(20, 81, 68).tolist() == [-31]
    assert chunk_starts(21, 81, 68).tolist() == [-30]


def smooth(windows):
    """Mean of neighbors, of which a chunk has half at its ends: errors are there."""
    padded = np.pad(windows, ((0, 0), (15, 15), (0, 0)), 'edge')
    frames = np.lib.stride_tricks.sliding_window_view(padded, 31, axis=1)
    return frames.mean(-1).astype(np.float32)


def lift(predict, clip, stride, **options):
    windows = plan_windows([len(clip)], SEQ_LEN, SEQ_LEN, stride, **options)
    return lift_windows(predict, [clip], windows, SEQ_LEN, SEQ_LEN)


def random_walk(num_frames=1000):
    steps = np.random.default_rng(0).normal(size=(num_frames, 3))
    return steps.cumsum(0).astype(np.float32)


def test_seams_jump_no_more_than_other_frames():
    clip, stride = random_walk(), SEQ_LEN - OVERLAP
    (lifted,) = lift(smooth, clip, stride)
    jumps = np.linalg.norm(np.diff(lifted, axis=0), axis=1)
    starts = chunk_starts(len(clip), SEQ_LEN, stride, beyond=SEQ_LEN // 2)[1:]
    is_seam = np.zeros(len(jumps), bool)
    for start in starts:
        is_seam[start - 1 : start + OVERLAP] = True
    assert jumps[is_seam].mean() < 1.5 * jumps[~is_seam].mean()
    assert jumps[is_seam].max() <= 1.5 * jumps[~is_seam].max()
    # hard seams jump much more
    hard = smooth(clip[:972].reshape(-1, SEQ_LEN, 3)).reshape(-1, 3)
    jumps = np.linalg.norm(np.diff(hard, axis=0), axis=1)
    assert jumps[80::81].mean() > 3 * jumps.mean()


@pytest.mark.parametrize('num_frames', [1, 2, 3, 20, 200])
@pytest.mark.parametrize('ends', ['edge', 'reflect'])
def test_chunks_reach_beyond_the_ends(num_frames, ends):
    seen = []

    def record(windows):
        seen.extend(windows)
        return windows

    clip = random_walk(num_frames)
    (lifted,) = lift(record, clip, 16, ends=[ends])
    np.testing.assert_allclose(lifted, clip, rtol=1e-5, atol=1e-5)
    half = SEQ_LEN // 2
    padded = np.pad(clip, ((half, half), (0, 0)), ends)
    starts = chunk_starts(num_frames, SEQ_LEN, 16, beyond=half) + half
    assert starts[[0, -1]].tolist() == [0, num_frames - 1]
    windows = [padded[start : start + SEQ_LEN] for start in starts]
    np.testing.assert_array_equal(seen, windows)


def wiggling_clip(num_frames):
    return clip_of(track(range(num_frames), wiggling(num_frames)))


def checkpoint_of(path, recoverer, **test_cfg):
    backbone = dict(
        type='MixSTE',
        num_frames=27,
        embed_dims=16,
        depth=2,
        num_heads=2,
        mlp_dims=32,
        pruner=dict(type='ClusterPruner', num_keep=9, depth=1),
        recoverer=recoverer,
    )
    return save(path, backbone, 'PoseLiftingHead', 'CameraPoseLifting', **test_cfg)


def save(path, backbone, head, codec, **test_cfg):
    model = dict(
        type='SequencePoseLifter',
        backbone=backbone,
        head=dict(type=head, in_channels=16, decoder=dict(type=codec)),
        test_cfg=dict(flip_test=True, **test_cfg),
    )
    return save_lifter(path, Config(dict(model=model)))


@pytest.mark.parametrize('num_frames', [1, 2, 12, 26])
def test_mirrored_clips_have_mirrored_poses(tmp_path, num_frames):
    recoverer = dict(type='AttentionRecoverer')
    lifter = Lifter(checkpoint=checkpoint_of(tmp_path / 'a.pth', recoverer))
    clip = wiggling_clip(num_frames)
    flip = H36M.flip_indices
    mirrored = clip.tracks[0].keypoints[:, flip] * [-1, 1] + [clip.width, 0]
    poses = lifter(clip).keypoints_3d
    other = lifter(clip_of(track(range(num_frames), mirrored))).keypoints_3d
    # single precision, in two orders of additions
    np.testing.assert_allclose(other[:, flip] * [-1, 1, 1], poses, atol=1e-5)


def test_batch_size_is_what_caches_hold(tmp_path):
    checkpoint = checkpoint_of(tmp_path / 'a.pth', None)
    a_window = 27 * 17 * 16
    assert Lifter(checkpoint=checkpoint).batch_size == 10**6 // a_window
    # the shipped one, 81 frames and 64 channels
    assert Lifter(backend='torch').batch_size == 11
    assert Lifter(backend='onnx').batch_size == 1
    assert Lifter(LIVE_LIFTER).batch_size == 64


def test_keep_counts_can_change_after_training_and_are_in_the_name(tmp_path, caplog):
    recoverer = dict(type='AttentionRecoverer')
    checkpoint = checkpoint_of(tmp_path / 'a.pth', recoverer)
    nine = Lifter(checkpoint=checkpoint)(wiggling_clip(30))
    assert nine.model == 'a (9 of 27 frames)'
    assert not caplog.records
    five = Lifter(checkpoint=checkpoint, keep=5)(wiggling_clip(30))
    assert 'a was trained to keep [9] frames, not [5]' in caplog.text
    assert five.model == 'a (5 of 27 frames)'
    assert np.abs(five.keypoints_3d - nine.keypoints_3d).max() > 1e-5
    with pytest.raises(ValueError, match='keep must be from 1 to 27, got 28'):
        Lifter(checkpoint=checkpoint, keep=28)
    with pytest.raises(ValueError, match='keep=5 needs a model with a pruner'):
        Lifter(LIVE_LIFTER, keep=5)
    # a config may state the number
    checkpoint = checkpoint_of(tmp_path / 'a.pth', recoverer, keep=5)
    assert Lifter(checkpoint=checkpoint).name == 'a (5 of 27 frames)'
    assert Lifter(checkpoint=checkpoint, keep=7).name == 'a (7 of 27 frames)'
    with pytest.raises(ValueError, match='keep must be from 1 to 27, got 100'):
        checkpoint_of(tmp_path / 'b.pth', recoverer, keep=100)


def test_motionbert_gets_the_scores(tmp_path):
    sizes = dict(num_frames=27, embed_dims=16, depth=1, num_heads=2)
    backbone = dict(type='MotionBERT', **sizes)
    path = tmp_path / 'a.pth'
    save(path, backbone, 'RepresentationHead', 'ImageSpacePoseLifting')
    lifter, clip = Lifter(checkpoint=path), wiggling_clip(30)
    confident = lifter(clip).keypoints_3d
    clip.tracks[0].scores[:, 5] = 0.3
    assert np.abs(lifter(clip).keypoints_3d - confident).max() > 1e-4
