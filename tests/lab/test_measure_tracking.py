"""Identity errors, and simulated scenes of crossing people."""

from dataclasses import replace

import numpy as np
import pytest
from mocap import FOLDER, JUMP, KICK, joints_of

from tools.lab.crossings import make_crossing
from tools.lab.measure_tracking import IdentityErrors, count_identity_errors

CLIPS = [joints_of(JUMP, 150), joints_of(KICK, 150)]


def as_rows(text):
    """Track IDs of frames from words like '01 01': one digit a person, '-' for none."""
    return [np.array([-1 if x == '-' else int(x) for x in row]) for row in text.split()]


@pytest.mark.parametrize(
    ('tracks', 'hota', 'expected'),
    [
        ('01 01 01 01', 1.0, dict(tracks=2, identified=8)),
        ('01 10 10 10', 0.696932, dict(tracks=2, switches=2, mixed=2, identified=6)),
        ('01 0- 0- 01', 0.790569, dict(tracks=2, fragments=1, missed=2, identified=6)),
        ('01 02 02 02', 0.901388, dict(tracks=3, switches=1, identified=7)),
        ('-- -- -- --', 0.0, dict(missed=8)),
    ],
)
def test_identity_errors_are_counted(tracks, hota, expected):
    counted = count_identity_errors(as_rows('01 01 01 01'), as_rows(tracks))
    assigned = 8 - expected.get('missed', 0)
    assert counted.hota == pytest.approx(hota, abs=1e-6)  # as TrackEval 1.3.0
    counted = replace(counted, associated=0.0)
    assert counted == IdentityErrors(2, found=8, assigned=assigned, **expected)


def test_false_positives_are_assigned_but_not_found():
    counted = count_identity_errors(as_rows('0- 0-'), as_rows('01 0-'))
    expected = IdentityErrors(1, 2, found=2, assigned=3, identified=2, associated=2.0)
    assert counted == expected
    assert counted.hota == pytest.approx((2 / 3) ** 0.5)
    assert counted.idf1 == pytest.approx(4 / 5)
    assert (counted + counted).assigned == 6


def test_scenes_have_identities():
    scene = make_crossing(CLIPS, seed=3, num_people=4, fps=10)
    assert len(scene.people) == len(scene.owners) == 80
    owners = np.concatenate(scene.owners)
    assert set(owners.tolist()) - {-1} == {0, 1, 2, 3}
    for people, own in zip(scene.people, scene.owners, strict=True):
        assert len(people) == len(own) == len(people.scores)
        assert len(set(own[own >= 0].tolist())) == (own >= 0).sum()
        assert (people.bboxes[:, 2:] >= people.bboxes[:, :2]).all()
    again = make_crossing(CLIPS, seed=3, num_people=4, fps=10)
    np.testing.assert_array_equal(np.concatenate(again.owners), owners)


def test_people_behind_a_wall_are_rarely_detected():
    scene = make_crossing(CLIPS, seed=0, num_people=1, spread=0.0, wall=1280.0)
    open_scene = make_crossing(CLIPS, seed=0, num_people=1, spread=0.0)
    behind, before = (
        sum((own >= 0).sum() for own in each.owners) for each in (scene, open_scene)
    )
    assert behind < 0.2 * before


def test_visible_joints_have_high_scores():
    scene = make_crossing(CLIPS, seed=1, num_people=1, spread=0.0)
    scores = np.concatenate(
        [
            people.scores[own >= 0]
            for people, own in zip(scene.people, scene.owners, strict=True)
        ]
    )
    assert (scores > 0.5).mean() > 0.9


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--scenes', 0], '--scenes must be at least 1, got 0'),
        (['--fps', 25, 0], '--fps must be above 0, got 0'),
        (['--data-root', FOLDER], f'--data-root: {FOLDER} has no walk of 2 m'),
        (['--data-root', 'none'], 'none/cmu_h36m17.npz'),
    ],
)
def test_wrong_options_get_one_line(run_tool, options, message):
    code, error = run_tool('measure_tracking', *options)
    assert code
    assert message in error
    assert error.count('\n') == 1
