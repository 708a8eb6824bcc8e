"""``.bvh``, ``.trc`` and ``.csv`` files contain the lifted poses."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from glb_files import Glb
from mocap import H36M, KICK, joints_of
from rendered_clips import rendered

from mmhot.chain.calls import SAVE
from mmhot.chain.lifting.world import place_people, to_world
from mmhot.chain.write import export
from mmhot.io.writers import bvh, trc
from mmhot.io.writers.bvh import write_bvh
from mmhot.io.writers.csv import write_csv
from mmhot.io.writers.rigid_skeleton import fit_rig
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.options import Values
from tools.dataset_converters.motion_files import read_bvh


def test_bvh_contains_the_motion_that_was_written(tmp_path):
    motion = fit_rig(joints_of(KICK), HUMAN_IK)
    write_bvh(motion, 50.0, tmp_path / 'a.bvh', HUMAN_IK)
    result = read_bvh(tmp_path / 'a.bvh')
    assert result.fps == pytest.approx(50)
    rows = {HUMAN_IK.joints.index(x): name for x, name in HUMAN_IK.names.items()}
    positions = result.positions[:, [result.names.index(x) for x in rows.values()]]
    np.testing.assert_allclose(positions, motion.positions()[:, [*rows]], atol=5e-4)
    lines = (tmp_path / 'a.bvh').read_text().splitlines()[-len(positions) :]
    angles = np.loadtxt(lines)[:, 3:]
    assert np.abs(np.diff(angles, axis=0)).max() < 180


def read_trc(path):
    """Read header, names, frames, times, positions (T, K, 3)."""
    lines = path.read_text().splitlines()
    header = dict(zip(*(line.split('\t') for line in lines[1:3]), strict=True))
    names = [name for name in lines[3].split('\t')[2:] if name]
    rows = [
        [float(value) if value else np.nan for value in line.split('\t')]
        for line in lines[6:]
    ]
    rows = np.array(rows)
    return header, names, rows[:, 0], rows[:, 1], rows[:, 2:].reshape(len(rows), -1, 3)


def test_trc_holds_the_markers(tmp_path):
    clip = to_world(place_people(rendered('walk')))
    clip = clip.take((clip.frame >= 4) & (clip.frame < 14))
    trc.write_person(clip, tmp_path / 'a.trc')
    header, names, frames, times, markers = read_trc(tmp_path / 'a.trc')
    assert (header['NumFrames'], header['NumMarkers']) == ('10', '17')
    assert (header['Units'], header['OrigDataStartFrame']) == ('m', '5')
    assert names == [x.replace('foot', 'ankle') for x in H36M.joints]
    np.testing.assert_allclose(frames, np.arange(5, 15))
    np.testing.assert_allclose(times, np.arange(4, 14) / 25)
    np.testing.assert_allclose(
        markers, clip.places()[..., [0, 2, 1]] * (1, 1, -1), atol=1e-6
    )


def test_csv_holds_every_joint(tmp_path):
    clip = place_people(rendered('walk'))
    clip.keypoints_2d[0, 3] = np.nan
    clip.expected_error = np.full(clip.scores.shape, 0.05, np.float32)
    clip.expected_error[0, 3] = np.nan
    write_csv(clip, tmp_path / 'a.csv')
    with (tmp_path / 'a.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    names = (
        'frame time track joint x y z score_3d root_x root_y root_z u v score error_3d'
    )
    assert list(rows[0]) == names.split()
    assert len(rows) == 17 * len(clip)
    assert rows[3]['joint'] == 'right_ankle'
    assert (rows[3]['u'], rows[3]['v'], rows[3]['error_3d']) == ('', '', '')
    assert rows[4]['error_3d'] == '0.05'
    table = np.array([[float(row[axis]) for axis in 'xyz'] for row in rows])
    np.testing.assert_allclose(table.reshape(-1, 17, 3), clip.keypoints_3d, rtol=1e-5)
    assert float(rows[17]['time']) == pytest.approx(1 / 25)
    assert float(rows[17]['root_z']) == pytest.approx(clip.root_3d[1, 2], rel=1e-5)


def positions_of(path):
    return read_bvh(path).positions if path.suffix == '.bvh' else read_trc(path)[4]


@pytest.mark.parametrize('suffix', ['bvh', 'trc'])
def test_each_person_gets_a_file(tmp_path, suffix):
    clip = to_world(place_people(rendered('dance')))
    clip.track = np.where(np.arange(len(clip)) < 100, 4, 7)
    clip = clip.take(np.r_[0:50, 60 : len(clip)])  # frames 50 to 59 are not seen
    values = Values({'formats': suffix, 'axes': 'world'}, SAVE.kinds)
    written = [*export(clip, values, tmp_path / 'a')]
    assert [x.name for x, _ in written] == [f'a_person{t}.{suffix}' for t in (4, 7)]
    if suffix == 'bvh':
        errors = [int(re.search(r'(\d+) mm off', note)[1]) for _, note in written]
        assert max(errors) < 12
    first, later = (positions_of(tmp_path / f'a_person{t}.{suffix}') for t in (4, 7))
    assert len(first) == 100
    near = 1e-2 if suffix == 'bvh' else 1e-6  # feet turn slowly
    np.testing.assert_allclose(first[50:55], first[49:50].repeat(5, 0), atol=near)
    np.testing.assert_allclose(first[55:60], first[60:61].repeat(5, 0), atol=near)
    if suffix == 'trc':
        assert len(later) == clip.frame[-1] + 1 - 100
    else:  # which begins with the video
        assert len(later) == clip.frame[-1] + 1
        np.testing.assert_allclose(
            later[:100], later[100:101].repeat(100, 0), atol=near
        )


@pytest.fixture
def uneven():
    """A clip whose later half was recorded at half the rate."""
    clip = to_world(place_people(rendered('walk')))
    late = np.maximum(np.arange(len(clip)) - 68, 0)
    return replace(clip, variable_time=(clip.frame + late) / clip.fps)


def test_bvh_of_a_varying_rate_is_resampled(uneven, tmp_path):
    """It begins with the video, also of people who enter where the rate was lower."""
    late = uneven.take(uneven.frame >= 100)
    clips = {
        'even': replace(uneven, variable_time=None),
        'uneven': uneven,
        'late': late,
    }
    for name, clip in clips.items():
        bvh.write_person(clip, tmp_path / f'{name}.bvh')
    expected, result, later = (read_bvh(tmp_path / f'{name}.bvh') for name in clips)
    assert result.fps == pytest.approx(uneven.fps)
    places = result.positions
    assert len(places) == round(uneven.time[-1] * uneven.fps) + 1 == 136 + 67
    np.testing.assert_allclose(places[:68], expected.positions[:68], atol=3e-3)
    np.testing.assert_allclose(places[68::2], expected.positions[68:], atol=3e-3)
    places = later.positions
    assert len(places) == 136 + 67
    begin = round(late.time[0] * late.fps)
    np.testing.assert_allclose(
        places[:begin], places[begin : begin + 1].repeat(begin, 0), atol=0.01
    )


@pytest.mark.parametrize('suffix', ['bvh', 'trc', 'mot', 'glb'])
@pytest.mark.parametrize('rate', [24, 60])
def test_files_have_another_rate(uneven, tmp_path, suffix, rate):
    """Poses are at the same times, whatever rate the recording had."""
    path = tmp_path / f'a.{suffix}'
    uneven.save(path, out_fps=rate)
    duration = uneven.time[-1]
    if suffix == 'bvh':
        motion = read_bvh(path)
        times = np.arange(len(motion.positions)) / motion.fps
        assert motion.fps == pytest.approx(rate, abs=1e-4)
    elif suffix == 'trc':
        header, _, _, times, markers = read_trc(path)
        assert header['DataRate'] == f'{rate}'
        root, expected = markers[:, 0, 0], uneven.places()[:, 0, 0]
        np.testing.assert_allclose(
            root, np.interp(times, uneven.time, expected), atol=1e-5
        )
    elif suffix == 'mot':
        rows = path.read_text().split('endheader\n')[1].splitlines()[1:]
        times = np.array([float(row.split('\t')[0]) for row in rows])
    else:
        times = max((x for x, _ in Glb(path).channels().values()), key=len)
    np.testing.assert_allclose(times, np.arange(len(times)) / rate, atol=1e-5)
    assert duration - 1 / rate < times[-1] <= duration + 1e-6


def test_gaps_stay_gaps_at_another_rate(tmp_path):
    clip = to_world(place_people(rendered('walk')))
    clip = clip.take((clip.frame < 50) | (clip.frame >= 75))
    clip.save(tmp_path / 'a.glb', out_fps=50)
    found = Glb(tmp_path / 'a.glb')
    (shown,) = [x for (_, path), x in found.channels().items() if path == 'scale']
    np.testing.assert_allclose(shown[0], [0, 99 / 50, 150 / 50], atol=1e-6)
    np.testing.assert_allclose(shown[1][:, 0], [1, 0, 1])
