"""What steps are worth, and numbers that are varied."""

import json
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest
from mocap import FOLDER, KICK, joints_of

from mmhot.structures.clips_3d import Clip3D
from tools.analysis.audit_numbers import describe, find_numbers
from tools.analysis.measure_steps import (
    compare_keypoints,
    compare_poses,
    compare_steps,
)
from tools.analysis.motions import GroundTruth


def test_keypoints_far_from_references_and_missing_people_are_wrong():
    person = np.random.default_rng(0).uniform(0, 100, (17, 2))
    person[[5, 16]] = [0, 0], [0, 100]
    reference = dict(frame=np.array([3, 4]), keypoints=np.stack([person, person]))
    reference['keypoints'][:, 10] = np.nan
    limbs = person[[5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]
    limbs[:2] += [[11, 0], [0, 9]]  # one is farther than a tenth of 100 pixels
    poses = [(np.array([2, 3]), np.stack([limbs + 500, limbs]))]
    found = compare_keypoints(poses, reference)
    assert found == {'wrong keypoints': pytest.approx(100 * (1 + 11) / 22)}


def test_places_have_one_scale_and_ids_are_those_of_most_frames():
    true = joints_of(KICK, 40).astype(np.float64)[..., [0, 2, 1]] * (1, -1, 1)
    true += [0, 0, 5]
    pixels = true[..., :2] / true[..., 2:] * 1000 + 500
    truth = GroundTruth(pixels, true - true[:, :1], true[:, 0])
    clip = Clip3D.from_arrays(
        1.1 * true,
        50.0,
        keypoints_2d=pixels,
        image_size=(1000, 1000),
        axes='camera',
        frames=np.arange(40),
        tracks=np.repeat([3, 7], [30, 10]),
    )
    errors = compare_poses(clip, [truth])
    assert errors['missing'] == 0
    assert errors['IDs'] == 25
    assert errors['places'] == pytest.approx(0, abs=1e-3)
    size = np.linalg.norm(truth.poses, axis=-1).mean()
    assert errors['poses'] == pytest.approx(100 * size, rel=1e-4)
    assert compare_poses(clip.take(np.arange(20)), [truth])['missing'] == 50
    assert compare_poses(None, [truth]) == {'missing': 100}
    hidden = GroundTruth(pixels + 5, truth.poses, truth.root)
    assert compare_poses(clip, [truth, hidden])['missing'] == 50


def test_a_row_has_the_mean_errors_and_the_worst_clip():
    errors = {'a': (4.0, 1.0), 'b': (2.0, 3.5)}
    clips = {
        name: lambda without, pair=pair: {'poses': pair[without != 'bones'], 'IDs': 1.0}
        for name, pair in errors.items()
    }
    [row] = compare_steps(['sides', 'bones'], clips)
    names = dict(step='bones', error='poses', worst='b', clips=2)
    assert row == names | dict(without=3.0, worse=0.5, rises=1.5) | {'with': 2.25}


def test_the_tool_prints_and_saves_what_filters_do_to_noise(run_tool, tmp_path):
    out = run_tool(
        'measure_steps',
        *('--data-root', FOLDER, '--motions', '1'),
        *('--beds', 'given white', '--out', tmp_path / 'table.json'),
    )
    rows = json.loads((tmp_path / 'table.json').read_text())
    head, *lines = out.splitlines()
    assert len(lines) == len(rows)
    [row] = [x for x in rows if (x['step'], x['error']) == ('smoothing', 'ankles')]
    assert row['bed'] == 'given white'
    assert row['with'] < 0.3 * row['without']


def test_numbers_of_modules_and_settings_are_varied_where_they_stand(monkeypatch):
    module = ModuleType('mmhot.varied')
    monkeypatch.setitem(sys.modules, module.__name__, module)

    @dataclass(frozen=True, kw_only=True)
    class Limits:
        share: float = 0.5
        title: str = 'x'

    Limits.__module__ = module.__name__
    old = Limits()
    vars(module).update(_LIMIT=3, Limits=Limits, lower=1.0)
    owners = {title: (owner, key) for owner, title, key in find_numbers('mmhot.varied')}
    assert [title.removeprefix('mmhot.varied.') for title in owners] == [
        '_LIMIT',
        'Limits 0.share',
        'Limits.share',
    ]
    for owner, key in owners.values():
        owner[key] = 7
    assert (module._LIMIT, old.share, Limits().share) == (7, 7, 7)


def test_the_largest_relative_change_is_described():
    usual = dict(a=2.0, b=1.0, c=0.0)
    assert describe(usual, dict(a=2.0, b=1.00001, c=0.0)) == ''
    assert describe(usual, dict(a=3.0, b=0.9)) == '+50.0% a'
    assert describe(usual, dict(fails=np.inf)) == '+inf% fails'
