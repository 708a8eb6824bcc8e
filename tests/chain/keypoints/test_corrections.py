"""Corrections by hand: their file, what each changes, and nothing else."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from clip_files import SKATER

import mmhot
from mmhot.chain.keypoints.corrections import (
    CorrectJoints,
    CorrectPeople,
    read_corrections,
)

LEGS = [11, 13, 15, 12, 14, 16]
ARMS = [5, 7, 9, 6, 8, 10]


def person(track, first, last):
    """A person whose keypoints say who and when it is."""
    frames = np.arange(first, last + 1)
    points = np.zeros((len(frames), 17, 2), np.float32)
    points[..., 0] = 100 * track + np.arange(17)
    points[..., 1] = frames[:, None] + 1
    scores = np.full((len(frames), 17), 0.5, np.float32)
    boxes = np.zeros((len(frames), 4), np.float32) + track
    return mmhot.Track2D(track, frames, points, scores, boxes)


@pytest.fixture
def clip():
    tracks = [person(0, 0, 29), person(1, 5, 39), person(7, 35, 39)]
    return mmhot.Clip2D('group', 'coco-17', tracks, 1280, 720, 25.0)


def corrected(clip, *values):
    """The clip after both steps, and the person that each row was before."""
    for step in CorrectPeople, CorrectJoints:
        clip = step.read({'corrections': list(values)})(clip)
    owners = {
        track.track: (track.frames, track.keypoints[:, 0, 0] // 100)
        for track in clip.tracks
    }
    return clip, owners


def test_two_people_are_exchanged_from_a_frame_on(clip):
    after, owners = corrected(clip, {'person': 0, 'exchange_with': 1, 'from': 20})
    assert after.track_ids == [0, 1, 7]
    np.testing.assert_array_equal(owners[0][0], np.arange(40))
    np.testing.assert_array_equal(owners[0][1], np.repeat([0, 1], 20))
    np.testing.assert_array_equal(owners[1][0], np.arange(5, 30))
    np.testing.assert_array_equal(owners[1][1], np.repeat([1, 0], [15, 10]))
    assert after.tracks[0].bboxes[19:21, 0].tolist() == [0, 1]
    assert after.tracks[2].keypoints.tolist() == clip.tracks[2].keypoints.tolist()
    back, _ = corrected(after, {'person': 1, 'exchange_with': 0, 'from': 20})
    for track, own in zip(back.tracks, clip.tracks, strict=True):
        for name in ('frames', 'keypoints', 'scores', 'bboxes'):
            np.testing.assert_array_equal(getattr(track, name), getattr(own, name))


def test_tracks_are_joined_split_and_left_out(clip):
    after, owners = corrected(
        clip,
        {'person': 1, 'leave_out': True, 'from': 30},
        {'person': 7, 'is': 0},
        {'person': 0, 'is': 12, 'to': 9},
    )
    assert after.track_ids == [0, 1, 12]
    np.testing.assert_array_equal(owners[0][0], [*range(10, 30), *range(35, 40)])
    np.testing.assert_array_equal(owners[0][1], np.repeat([0, 7], [20, 5]))
    np.testing.assert_array_equal(owners[1][0], np.arange(5, 30))
    np.testing.assert_array_equal(owners[12][0], np.arange(10))
    assert corrected(clip, {'person': 7, 'leave_out': True})[0].track_ids == [0, 1]


def test_sides_and_joints_of_people_after_other_corrections(clip):
    after, _ = corrected(
        clip,
        {'person': 0, 'exchange_sides': 'legs', 'from': 25, 'to': 36},
        {'person': 0, 'wrong_joints': ['left_wrist', 'nose'], 'from': 37},
        {'person': 7, 'is': 0},
    )
    points, scores = after.tracks[0].keypoints, after.tracks[0].scores
    order = points[..., 0] % 100
    rows = np.flatnonzero((after.tracks[0].frames >= 25) & (order[:, 11] == 12))
    np.testing.assert_array_equal(
        after.tracks[0].frames[rows], [*range(25, 30), 35, 36]
    )
    np.testing.assert_array_equal(order[np.ix_(rows, LEGS)], [LEGS[3:] + LEGS[:3]] * 7)
    missing = np.isnan(points).all(-1)
    np.testing.assert_array_equal(np.argwhere(missing)[:, 1], [0, 9] * 3)
    np.testing.assert_array_equal(scores == 0, missing)
    same = np.ones(17, bool)
    same[LEGS] = False
    kept = ~missing & same
    np.testing.assert_array_equal(order[kept], np.argwhere(kept)[:, 1])


@pytest.mark.parametrize(('limbs', 'joints'), [('arms', ARMS), ('all', range(1, 17))])
def test_arms_or_all_joints_are_exchanged(clip, limbs, joints):
    after, _ = corrected(clip, {'person': 1, 'exchange_sides': limbs})
    changed = (after.tracks[1].keypoints != clip.tracks[1].keypoints).any((0, 2))
    assert np.flatnonzero(changed).tolist() == sorted(joints)


def test_legs_that_sides_crossed_are_as_they_were():
    """What is corrected comes after ``sides``, which cannot undo it."""
    clip = mmhot.read_keypoints(SKATER)
    [track] = clip.tracks
    points, scores = track.keypoints.copy(), track.scores.copy()
    for array in points, scores:
        array[60:90, LEGS] = array[60:90, LEGS[3:] + LEGS[:3]]
    crossed = replace(track, keypoints=points, scores=scores)
    crossed = replace(clip, tracks=[crossed])
    frames = {'from': int(track.frames[60]), 'to': int(track.frames[89])}
    fix = {'person': 0, 'exchange_sides': 'legs'} | frames
    plain = mmhot.lift(clip, without='sides')
    wrong = mmhot.lift(crossed, without='sides')
    assert np.abs(wrong.keypoints_3d - plain.keypoints_3d).max() > 0.2
    right = mmhot.lift(crossed, without='sides', corrections=[fix])
    np.testing.assert_array_equal(right.keypoints_3d, plain.keypoints_3d)
    np.testing.assert_array_equal(right.root_3d, plain.root_3d)
    assert right.steps['joint_corrections'] == {'corrections': (fix,)}
    # With `sides`, exactly the frames of the correction differ in 2D.
    for source in (clip, crossed):
        before = mmhot.lift(source).keypoints_2d
        after = mmhot.lift(source, corrections=[fix]).keypoints_2d
        changed = (before != after).any((1, 2))
        assert np.flatnonzero(changed).tolist() == list(range(60, 90))


FILE = """[
  {"person": 0, "exchange_with": 1,
   "from": 20},

  {"person": 1, "leave_out": true, "from": 30}, {"person": 7, "is": 0}
]
"""


def test_files_have_lines(clip, tmp_path):
    path = tmp_path / 'a.corrections.json'
    path.write_text(FILE)
    read = read_corrections(path)
    assert [*read] == json.loads(FILE)
    assert [x.place.rpartition(' ')[2] for x in read] == ['2', '5', '5']
    assert [x.place for x in pickle.loads(pickle.dumps(read))] == [
        x.place for x in read
    ]
    path.write_text(FILE.replace('30', '40'))
    with pytest.raises(
        ValueError,
        match=r'a\.corrections\.json: line 5: person 1 has no frames 40 to the end, '
        'only 5 to 29$',
    ):
        CorrectPeople.read({'corrections': path})(clip)
    assert read_corrections([]) == ()


@pytest.mark.parametrize(
    ('values', 'reason'),
    [
        ({'person': 9, 'is': 0}, 'there is no person 9$'),
        ({'person': 0, 'exchange_with': 3}, 'there is no person 3'),
        (
            {'person': 7, 'wrong_joints': ['nose'], 'from': 2, 'to': 9},
            'person 7 has no frames 2 to 9, only 35 to 39',
        ),
        ({'person': 1, 'is': 0}, 'person 1 is not 0: both are in frames 5 to 29'),
        (
            {'person': 1, 'wrong_joints': ['knee']},
            "'knee' must be one of the joints nose, left_eye, ",
        ),
    ],
)
def test_corrections_that_fit_nothing_are_refused(clip, values, reason):
    with pytest.raises(ValueError, match=rf'^corrections\[0\]: {reason}'):
        corrected(clip, values)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('[{"persn": 0}]', r"line 1: unknown key 'persn' \(did you mean person\?\)"),
        ('[\n{"person": 0, "to": 3}]', 'line 2: needs person, and one of exchange_w'),
        ('[{"person": 0, "is": 1, "leave_out": true}]', 'line 1: needs person, and'),
        ('[{"person": true, "is": 1}]', 'line 1: person must be an ID, got True'),
        ('[{"person": 0, "is": -1}]', 'line 1: is must be an ID, got -1'),
        ('[{"person": 0, "exchange_sides": "leg"}]', 'line 1: exchange_sides must be'),
        ('[{"person": 0, "is": 1, "from": 5, "to": 4}]', 'line 1: from, 5, is after'),
        ('[3]', r'must be a list of corrections: \[\{"person": ...\}, ...\]'),
        ('{"person": 0}', 'must be a list of corrections: '),
        ('[{"person": 0},\n]', 'is not valid JSON, or is cut off: .*: line [12]'),
    ],
)
def test_wrong_files_are_one_line(text, reason, tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'^{path}: {reason}'):
        CorrectPeople.read({'corrections': path})
    with pytest.raises(ValueError, match='^corrections must be a file or dicts, got 3'):
        CorrectPeople.read({'corrections': 3})


def test_people_who_are_not_chosen_may_be_corrected(clip):
    """A file fits the video, also if fewer people are lifted."""
    file = [{'person': 1, 'exchange_sides': 'all'}, {'person': 7, 'is': 0}]
    one = mmhot.lift(clip, corrections=file, people=0)
    assert one.track_ids == [0]
    assert one.frame.max() == 39
