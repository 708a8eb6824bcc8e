"""``.c3d``, ``.mot`` and ``.angles.csv`` contain the lifted motion."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from rendered_clips import rendered

from mmhot.chain.lifting.world import place_people, to_world
from mmhot.io.writers.rates import at_constant_rate, fill_frames
from mmhot.io.writers.trc import in_y_up
from mmhot.skeletons.joint_angles import ANGLES, joint_angles
from tools.dataset_converters.motion_files import read_c3d


@pytest.fixture(scope='module')
def clip():
    """Frames 10 to 89 of a walk, without 40 to 49."""
    whole = to_world(place_people(rendered('walk')), static_camera=True)
    frame = whole.frame
    return whole.take((frame >= 10) & (frame < 90) & ((frame < 40) | (frame >= 50)))


def test_c3d_has_the_joints_and_marks_gaps(clip, tmp_path):
    ezc3d = pytest.importorskip('ezc3d')
    clip.save(tmp_path / 'a.c3d')
    motion = read_c3d(tmp_path / 'a.c3d')
    assert motion.names == clip.marker_names
    assert motion.fps == 25
    assert motion.positions.shape == (80, 17, 3)
    reference = np.isin(np.arange(10, 90), clip.frame)
    np.testing.assert_allclose(motion.positions[reference], clip.places(), atol=1e-4)
    assert np.isnan(motion.positions[~reference]).all()
    content = ezc3d.c3d(str(tmp_path / 'a.c3d'))
    assert content['parameters']['POINT']['UNITS']['value'] == ['mm']
    assert content['header']['points']['first_frame'] == 10
    residuals = content['data']['meta_points']['residuals'][0]
    np.testing.assert_allclose(residuals[:, reference], 0)
    np.testing.assert_allclose(residuals[:, ~reference], -1)
    errors = np.linspace(0.01, 0.2, 17 * len(clip)).reshape(-1, 17)
    errors[0, 3] = np.nan  # unknown
    scores = clip.keypoint_scores_3d.copy()
    scores[:20, 5] = 0  # not seen
    changed = dict(expected_error=errors, keypoint_scores_3d=scores)
    replace(clip, **changed).save(tmp_path / 'b.c3d')
    content = ezc3d.c3d(str(tmp_path / 'b.c3d'))
    residuals = content['data']['meta_points']['residuals'][0]
    expected = np.where(scores > 0, np.nan_to_num(1000 * errors), -1)
    np.testing.assert_allclose(residuals[:, reference], expected.T, atol=0.51)
    assert np.isnan(read_c3d(tmp_path / 'b.c3d').positions[:20, 5]).all()
    np.testing.assert_allclose(residuals[:, ~reference], -1)


def test_c3d_has_a_constant_rate(clip, tmp_path):
    pytest.importorskip('ezc3d')
    late = np.maximum(clip.frame - 60, 0)
    replace(clip, variable_time=(clip.frame + late) / 25).save(tmp_path / 'a.c3d')
    motion = read_c3d(tmp_path / 'a.c3d')
    assert len(motion.positions) == 50 + 2 * 29 + 1
    np.testing.assert_allclose(
        motion.positions[50:108:2], clip.places()[40:69], atol=1e-3
    )


@pytest.mark.parametrize(('count', 'first'), [(65_536, 0), (2, 65_536)])
def test_c3d_of_too_many_frames_is_refused(clip, tmp_path, count, first):
    pytest.importorskip('ezc3d')
    long = clip.take(np.zeros(count, int))
    long = replace(long, frame=np.arange(first, first + count))
    with pytest.raises(ValueError, match=r'at most 65,535; use \.trc'):
        long.save(tmp_path / 'a.c3d')
    assert not list(tmp_path.iterdir())


def read_mot(path):
    lines = path.read_text().splitlines()
    end = lines.index('endheader')
    header = dict(line.split('=') for line in lines[:end] if '=' in line)
    table = np.array([line.split('\t') for line in lines[end + 2 :]], float)
    return header, lines[end + 1].split('\t'), table


def test_mot_has_opensims_header_and_all_angles(clip, tmp_path):
    clip.save(tmp_path / 'a.mot', origin='camera')
    header, names, table = read_mot(tmp_path / 'a.mot')
    assert header == {
        'version': '1',
        'nRows': '80',
        'nColumns': '26',
        'inDegrees': 'yes',
        'origin': '0.000000 0.000000 0.000000',
    }
    assert names[:7] == [
        *('time', 'pelvis_tilt', 'pelvis_list', 'pelvis_rotation'),
        *('pelvis_tx', 'pelvis_ty', 'pelvis_tz'),
    ]
    assert table.shape == (80, 26)
    np.testing.assert_allclose(table[:, 0], np.arange(10, 90) / 25, atol=1e-6)
    root = in_y_up(clip.root_3d)
    np.testing.assert_allclose(table[:30, 4:7], root[:30], atol=1e-5)
    expected = joint_angles(in_y_up(clip.places()[:30]))
    np.testing.assert_allclose(
        table[:30, [1, 2, 3, *range(7, 26)]], expected, atol=1e-4
    )
    # the knees of a walking person
    knee = table[:, names.index('knee_angle_r')]
    assert 0 < knee.min() < 25
    assert 40 < knee.max() < 90


def test_c3d_of_a_pause_keeps_every_pose_and_none_in_the_pause(clip, tmp_path):
    time = clip.frame / 25 + np.where(np.arange(len(clip)) < 20, 0, 4)
    even = at_constant_rate(replace(clip, variable_time=time))
    _, positions = fill_frames(even, even.frame[0])
    rows = np.round((time - time[0]) * 25).astype(int)
    np.testing.assert_allclose(positions[rows], clip.places(), atol=1e-6)
    assert (even.frame - even.frame[0]).tolist() == rows.tolist()
    held = positions[rows[19] : rows[20] + 1]
    assert (np.abs(np.diff(held, axis=0)).max((1, 2)) > 0).sum() == 1


def test_table_of_angles_has_every_pose(clip, tmp_path):
    both = replace(clip, track=clip.track + 2)
    (path,) = both.save(tmp_path / 'a.angles.csv')
    assert path == tmp_path / 'a.angles.csv'
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ['frame', 'time', 'track', *ANGLES]
    assert [int(row['frame']) for row in rows] == clip.frame.tolist()
    assert {row['track'] for row in rows} == {'2'}
    result = np.array([[float(row[name]) for name in ANGLES] for row in rows])
    np.testing.assert_allclose(
        result[30:], joint_angles(in_y_up(clip.places()[30:])), atol=1e-3
    )
