"""Files of animation begin at the origin; their names of joints."""

import json
import re
import struct
from dataclasses import replace

import numpy as np
import pytest
from rendered_clips import rendered

from mmhot.chain.lifting.world import place_people, to_world
from mmhot.structures.clips_3d import Clip3D
from tools.dataset_converters.motion_files import read_bvh


@pytest.fixture(scope='module')
def clip():
    """Return two people, 8 and 9 m from the camera."""
    one = to_world(place_people(rendered('walk')), static_camera=True).first_joints(17)
    poses = np.stack([one.places(), one.places() + [1, 1, 0]], 1)
    return Clip3D.from_arrays(poses, one.fps, axes='world', name='two')


def feet(clip):
    joints = [clip.joint_names.index(f'{side}_foot') for side in ('left', 'right')]
    return clip.places()[0, joints, :2].mean(0)


def test_first_person_starts_at_the_origin(clip, tmp_path):
    """The second one keeps its place, and the file has the origin."""
    clip.save(tmp_path / 'a.bvh')
    clip.save(tmp_path / 'c.bvh', origin='camera')
    moved, kept = (
        [read_bvh(tmp_path / f'{name}_person{x}.bvh').positions for x in (0, 1)]
        for name in 'ac'
    )
    first = [read_bvh(tmp_path / 'a_person0.bvh').names.index(x) for x in FEET]
    # constant bones: a foot may be centimeters off
    assert abs(moved[0][0, first, :2].mean(0)).max() < 0.03
    for one, other in zip(moved, kept, strict=True):
        shift = other - one
        np.testing.assert_allclose(
            shift, np.broadcast_to([*feet(clip), 0], one.shape), atol=1e-4
        )
    assert np.linalg.norm(feet(clip)) > 5

    clip.save(tmp_path / 'a.glb')
    data = (tmp_path / 'a.glb').read_bytes()
    size = struct.unpack('<I', data[12:16])[0]
    origin = json.loads(data[20 : 20 + size])['scenes'][0]['extras']['origin']
    np.testing.assert_allclose(origin, [*feet(clip), 0], atol=1e-5)

    clip.save(tmp_path / 'a.mot')
    text = (tmp_path / 'a_person1.mot').read_text()
    result = [*map(float, re.search(r'^origin=(.*)$', text, re.M)[1].split())]
    np.testing.assert_allclose(result, origin, atol=1e-5)
    head, rows = text.split('endheader\n')
    columns, *values = rows.splitlines()
    start = dict(zip(columns.split('\t'), values[0].split('\t'), strict=True))
    place = clip.root_3d[clip.track == 1][0]
    assert float(start['pelvis_tx']) + result[0] == pytest.approx(place[0], abs=1e-4)
    assert -float(start['pelvis_tz']) + result[1] == pytest.approx(place[1], abs=1e-4)


FEET = ('LeftFoot', 'RightFoot')


def test_other_formats_stay_where_they_are(clip, tmp_path):
    clip.save(tmp_path / 'a.trc')
    line = (tmp_path / 'a_person0.trc').read_text().splitlines()[6].split('\t')
    assert float(line[2]) == pytest.approx(clip.places()[0, 0, 0], abs=1e-5)


def test_names_of_joints_are_no_formulas_and_end_no_cell(clip):
    names = ('=1+1', 'a\nb', '@x', *clip.joint_names[3:])
    assert replace(clip, joint_names=names).marker_names[:3] == ('_1+1', 'a_b', '_x')
