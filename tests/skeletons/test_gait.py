"""Foot contacts and steps of people who walk."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import scipy
from rendered_clips import DATA, H36M, rendered

from mmhot.chain.calls import LIFT_COMMAND
from mmhot.chain.lifting.world import turn
from mmhot.chain.outcome import Outcome
from mmhot.chain.poses.foot_lock import LockFeet
from mmhot.io.writers.gait import clip_strides, write_csv, write_cycles
from mmhot.options import Values
from mmhot.progress import Report
from mmhot.skeletons.gait import (
    _LIMITS,
    _peaks,
    find_strides,
    is_on_treadmill,
    mean_cycle,
    walking_direction,
)
from tools.analysis.motions import GroundTruth

NAMES = H36M.joints
STEP, WIDTH, TIME, STANCE = 0.7, 0.16, 0.55, 0.62  # m, m, s, share of a stride


def read_gait(path):
    """Read the rows of a table."""
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def swinging(share):
    """Angles (..., 2) of a periodic walk at a share of its cycle; one winds around."""
    turn = 2 * np.pi * np.asarray(share)
    bent = 30 + 25 * np.sin(turn) + 12 * np.cos(2 * turn + 1) + 5 * np.sin(3 * turn)
    return np.stack([bent, 170 + 40 * np.sin(turn)], axis=-1)


def walker(heading=0.4, fps=25, seconds=7.0, treadmill=False):
    """Root-relative joints (T, 17, 3), root (T, 3) and times of a drawn walk."""
    times = np.arange(0, seconds, 1 / fps)
    ahead = np.array([np.cos(heading), np.sin(heading), 0])
    left = np.array([-np.sin(heading), np.cos(heading), 0])
    root = np.array([0, 0, 0.9]) + STEP / TIME * times[:, None] * ahead
    poses = np.zeros((len(times), 17, 3))
    for side, sign, late in (('left', 1, 0), ('right', -1, 1)):
        strides, phase = np.divmod(times / (2 * TIME) - late / 2, 1)
        swing = np.clip((phase - STANCE) / (1 - STANCE), 0, 1)
        swung = (1 - np.cos(np.pi * swing)) / 2
        way = 2 * STEP * (strides + swung) + STEP * (late + STANCE / 1.1)
        foot = way[:, None] * ahead + sign * WIDTH / 2 * left
        poses[:, NAMES.index(f'{side}_foot')] = foot + [0, 0, 0.08] - root
        poses[:, NAMES.index(f'{side}_hip')] = sign * 0.1 * left
    return poses, np.full_like(root, 0.9) if treadmill else root, times


@pytest.mark.parametrize('heading', [0, 2.0, -1.2])
@pytest.mark.parametrize('fps', [25, 60])
def test_steps_of_a_drawn_walk(heading, fps):
    strides = find_strides(*walker(heading, fps), NAMES)
    assert len(strides) >= 8
    for one, other in zip(strides, strides[1:], strict=False):
        assert {one.foot, other.foot} == {'left', 'right'}
    measures = [
        (x.step_time, x.step_length, x.step_width, x.stride_length, x.cadence, x.speed)
        for x in strides
    ]
    expected = TIME, STEP, WIDTH, 2 * STEP, 60 / TIME, STEP / TIME
    assert np.median(measures, axis=0) == pytest.approx(expected, rel=0.03)
    for x in strides:
        late = 0 if x.foot == 'left' else TIME
        missed = (x.contact - late + TIME) % (2 * TIME) - TIME
        assert abs(missed) < 2 / 25
        assert x.stance == pytest.approx(STANCE, abs=2 / 25 / (2 * TIME))


def test_treadmills_have_steps_and_who_stands_has_none():
    poses, root, times = walker(treadmill=True)
    strides = find_strides(poses, root, times, NAMES)
    lengths = [x.step_length for x in strides]
    assert is_on_treadmill(strides, times)
    assert not is_on_treadmill(find_strides(*walker(), NAMES), times)
    # who takes a few steps in place, in a longer motion
    assert not is_on_treadmill(strides, 2 * times)
    assert np.median(lengths) == pytest.approx(STEP, rel=0.15)
    unknown = np.full_like(root, np.nan)
    assert len(find_strides(poses, unknown, times, NAMES)) == len(lengths)
    assert find_strides(poses[[0] * len(poses)], root, times, NAMES) == []
    assert find_strides(poses[:2], root[:2], times[:2], NAMES) == []


@pytest.mark.parametrize('heading', [0, 2.0, -1.2])
def test_pelves_face_the_way(heading):
    poses, root, _ = walker(heading)
    way = (root[-1] - root[0])[:2]
    way /= np.linalg.norm(way)
    np.testing.assert_allclose(walking_direction(poses, NAMES), way, atol=1e-6)


def test_treadmills_have_lengths_from_the_side_or_with_their_speed(tmp_path, caplog):
    truth = GroundTruth.read(DATA.parents[1] / 'demo' / 'walk.npz')
    clip = rendered('walk')
    way, seconds = truth.root[-1] - truth.root[0], clip.frame / clip.fps
    gone = np.outer(seconds / seconds[-1], way)
    front = replace(
        clip,
        keypoints_3d=truth.poses.astype(np.float32),
        root_3d=(truth.root - gone).astype(np.float32),
        model='a lifter',
    )
    # a quarter of a turn about the vertical
    quarter = np.float32([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    side = replace(front, keypoints_3d=front.keypoints_3d @ quarter)
    for belt, view in ((front, 'front'), (side, 'side')):
        locked = LockFeet().lock(belt)
        assert np.array_equal(locked.keypoints_3d, belt.keypoints_3d)
        assert 'feet of person 0 glide in place and are not held' in caplog.text
        path = tmp_path / f'{view}.gait.csv'
        note = write_csv(turn(locked, 'world', True), path)
        assert ('no lengths' in (note or '')) == (view == 'front')
        rows = read_gait(path)
        assert len(rows) >= 4
        for row in rows:
            assert (row['speed'] == row['step_length'] == '') == (view == 'front')
            assert 80 < float(row['cadence']) < 140
    speed = np.linalg.norm(way) / seconds[-1]
    locked = turn(LockFeet(treadmill=speed).lock(front), 'world', True)
    speeds = [stride.speed for _, stride in clip_strides(locked)]
    assert speeds == pytest.approx([speed] * len(speeds), rel=0.1)


def test_table_and_events_of_a_clip(tmp_path):
    clip = turn(rendered('walk'), 'world', True)
    clip.save(tmp_path / 'walk.gait.csv')
    rows = read_gait(tmp_path / 'walk.gait.csv')
    assert len(rows) >= 2
    for row in rows:
        assert 80 < float(row['cadence']) < 140
        assert 0.5 < float(row['stance']) < 0.72
        assert float(row['contact']) < float(row['lift_off'])
    ezc3d = pytest.importorskip('ezc3d')
    clip.save(tmp_path / 'walk.c3d')
    events = ezc3d.c3d(str(tmp_path / 'walk.c3d'))['parameters']['EVENT']
    (minutes, seconds), count = events['TIMES']['value'], events['USED']['value'][0]
    assert not minutes.any()
    assert count == len(seconds) == len(events['LABELS']['value'])
    for row in rows:
        assert np.abs(seconds - float(row['contact'])).min() < 1e-3


@pytest.mark.parametrize('missing', [False, True])
@pytest.mark.parametrize('fps', [25, 50, 120])
def test_mean_cycles_are_those_of_the_motion_at_any_frame_rate(fps, missing):
    poses, root, times = walker(fps=fps)
    if missing:  # one contact of the left foot
        high = (times > 2.9) & (times < 3.7)
        poses[high, NAMES.index('left_foot'), 2] += 0.5
    strides = find_strides(poses, root, times, NAMES)
    for foot, late in (('left', 0), ('right', 0.5)):
        bent, winding = swinging(times / (2 * TIME) - late).T
        angles = np.stack([bent, (winding + 180) % 360 - 180], axis=1)
        own = [x for x in strides if x.foot == foot]
        assert len(own) in ((2, 3, 4) if missing else (5, 6))
        mean, deviation = mean_cycle(own, times, angles)
        # The rule finds contacts early, by the same part of a cycle at all rates.
        shares = [x.contact / (2 * TIME) - late for x in own]
        early = np.mean((np.array(shares) + 0.5) % 1 - 0.5)
        assert early == pytest.approx(-0.0215, abs=0.0015)
        expected = swinging(np.linspace(0, 1, 101) + early)
        expected += 360 * np.round((mean - expected).mean(0) / 360)
        np.testing.assert_allclose(mean, expected, atol=0.1)
        assert deviation.max() < 0.5


def test_mean_cycles_of_the_table_are_of_their_sides(tmp_path):
    clip = turn(rendered('walk'), 'world', True)
    flip = np.float32([-1, 1, 1])
    poses = clip.keypoints_3d[:, H36M.flip_indices] * flip
    mirrored = replace(clip, keypoints_3d=poses, root_3d=clip.root_3d * flip)
    means = {}
    for each, sides in ((clip, ('left', 'right')), (mirrored, ('right', 'left'))):
        assert write_csv(each, tmp_path / 'a.csv') is None
        assert write_cycles(each, tmp_path / 'b.csv') is None
        strides, cycles = read_gait(tmp_path / 'a.csv'), read_gait(tmp_path / 'b.csv')
        assert len(strides[0]) == 13
        assert all('' not in row.values() for row in strides + cycles)
        for foot, side in zip(('left', 'right'), sides, strict=True):
            rows = [x for x in cycles if x['foot'] == foot]
            contacts = [float(x['contact']) for x in strides if x['foot'] == foot]
            assert [int(x['percent']) for x in rows] == list(range(101))
            assert {int(x['cycles']) for x in rows} == {len(contacts)}
            knee = [float(x['knee_angle_mean']) for x in rows]
            np.testing.assert_allclose(knee, means.setdefault(side, knee), atol=0.02)
            angles = each.angles()[f'knee_angle_{foot[0]}']
            seen = np.interp(contacts, each.frame / each.fps, angles)
            assert knee[0] == pytest.approx(seen.mean(), abs=1)
    assert np.abs(np.subtract(means['left'], means['right'])).max() > 2
    short = clip.take(clip.frame < 105)
    assert 'no mean cycle: person 0' in write_cycles(short, tmp_path / 'a.csv')
    with pytest.raises(ValueError, match=r'^no \.cycles\.csv: no foot has two strides'):
        write_cycles(clip.take(clip.frame < 75), tmp_path / 'a.csv')


@pytest.mark.parametrize('confused', [(2.5, 3.2), (1.0, 1.4)])
def test_sides_follow_the_order_of_contacts(confused):
    poses, root, times = walker()
    straight = find_strides(poses, root, times, NAMES)
    rows = (times > confused[0]) & (times < confused[1])
    for joint in ('foot', 'hip'):
        pair = [NAMES.index(f'{side}_{joint}') for side in ('left', 'right')]
        poses[np.ix_(rows, pair)] = poses[np.ix_(rows, pair[::-1])]
    strides = find_strides(poses, root, times, NAMES)
    assert len(strides) >= len(straight) - 2
    shared = {x.contact: x.foot for x in straight}
    for x in strides:
        nearest = min(shared, key=lambda contact: abs(contact - x.contact))
        if abs(nearest - x.contact) < 0.1:
            assert shared[nearest] == x.foot


def test_runs_and_hops_are_not_walking():
    poses, root, times = walker()
    # both feet are in the air between steps
    for side, late in (('left', 0), ('right', 1)):
        phase = (times / (2 * TIME) - late / 2) % 1
        way = STEP * np.cos(2 * np.pi * phase)[:, None] * (root[-1] - root[0])
        foot = poses[:, NAMES.index(f'{side}_foot')]
        foot[:, :2] = (way / np.linalg.norm(root[-1] - root[0]))[:, :2] / 2
    assert not find_strides(poses, root, times, NAMES)
    poses, root, times = walker()
    poses[:, NAMES.index('left_foot'), 2] += 0.5
    assert not find_strides(poses, root, times, NAMES)
    # a foot that stands is at rest
    poses, root, times = walker()
    ahead = (root[-1] - root[0]) / np.linalg.norm(root[-1] - root[0])
    assert not find_strides(poses, root + times[:, None] * ahead, times, NAMES)
    # hips rise over a leg that stands, and fall onto one that lands
    poses, root, times = walker()
    wave = [[0, 0, 0.015]] * (1 - np.cos(2 * np.pi * times / TIME))[:, None]
    assert len(find_strides(poses, root + wave, times, NAMES)) > 4
    assert not find_strides(poses, root - wave, times, NAMES)


def test_who_does_not_walk_is_one_line_and_other_files_are_written(tmp_path):
    clip = rendered('walk')
    still = clip.take(np.zeros(len(clip), int))
    still = replace(still, name='still', frame=clip.frame, variable_time=None)
    still.save(tmp_path / 'still.npz')
    stated, said = dict(out_dir=tmp_path, formats='gait.csv,npz'), []
    values = Values(stated, LIFT_COMMAND.kinds)
    Outcome('still').write(still, values, Report(said.append))
    assert said[0].startswith('still: no .gait.csv: no person walks')
    with pytest.raises(ValueError, match='no person walks'):
        still.save(tmp_path / 'still.gait.csv')
    assert [x.name for x in tmp_path.iterdir()] == ['still.npz']


def test_peaks_are_those_of_scipy():
    values = np.random.default_rng(0).normal(size=500).cumsum() / 20
    expected, _ = scipy.signal.find_peaks(values, prominence=_LIMITS.min_swing)
    assert len(expected) > 5
    np.testing.assert_array_equal(np.round(_peaks(values)), expected)
