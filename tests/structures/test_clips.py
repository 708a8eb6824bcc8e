"""Clips that users make of arrays: what is accepted, and messages for what is not."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from rendered_clips import joined, rendered
from tracks import clip_of, track, wiggling

import mmhot
from mmhot.structures.clips_2d import check_clip

SIZE = (1280, 720)


@pytest.fixture(scope='module')
def lifter(checkpoint):
    return mmhot.Lifter(checkpoint=checkpoint)


def test_arrays_are_lifted_as_the_clip_of_the_same_track(lifter):
    keypoints = wiggling(12)
    clip = mmhot.Clip2D.from_arrays(keypoints, SIZE, 50, skeleton='h36m-17')
    ours, theirs = lifter(clip), lifter(clip_of(track(range(12), keypoints)))
    np.testing.assert_array_equal(ours.keypoints_3d, theirs.keypoints_3d)
    assert clip.source is None
    assert ours.fps == 50


def test_arrays_of_several_people_have_scores_and_frames():
    people = np.stack([wiggling(4), wiggling(4, 1)], 1)
    scores = np.full((4, 2, 17), 0.5)
    scores[1, 0, 2], people[0, 1, 3], people[2, 1, 4] = 0, 0, np.nan
    clip = mmhot.Clip2D.from_arrays(
        people, SIZE, 30, scores=scores, frames=[2, 3, 5, 9]
    )
    assert [item.track for item in clip.tracks] == [0, 1]
    assert clip.skeleton == 'h36m-17'
    first, second = clip.tracks
    np.testing.assert_array_equal(first.frames, [2, 3, 5, 9])
    assert np.argwhere(np.isnan(first.keypoints).any(-1)).tolist() == [[1, 2]]
    assert np.argwhere(second.scores == 0).tolist() == [[0, 3], [2, 4]]
    triples = np.concatenate([people, scores[..., None]], -1)
    again = mmhot.Clip2D.from_arrays(triples, SIZE, 30, frames=[2, 3, 5, 9])
    np.testing.assert_array_equal(again.tracks[1].scores, second.scores)


@pytest.mark.parametrize(
    ('keypoints', 'options', 'message'),
    [
        (wiggling(3)[0], {}, r'keypoints must have the shape .*, got \(17, 2\)'),
        (wiggling(3)[:, :5], {}, 'people have 5 keypoints; known skeletons are 17'),
        (wiggling(3) / 1280, {}, 'largest coordinate is 0.* seem to be normalized'),
        (wiggling(3) + np.inf, {}, 'keypoints must be finite or NaN, got inf'),
        (wiggling(3), {'fps': np.nan}, 'fps must be from .*, got nan'),
        (wiggling(3), {'image_size': (1, 2, 3)}, 'image_size must be width and height'),
        (np.full((3, 17, 3), 9), {'scores': np.ones((3, 17))}, 'scores are given, too'),
    ],
)
def test_wrong_arrays_are_refused(keypoints, options, message):
    options = {'image_size': SIZE, 'fps': 30} | options
    with pytest.raises(ValueError, match=message):
        mmhot.Clip2D.from_arrays(keypoints, **options)


@pytest.mark.parametrize('wrong', [wiggling(3), None, 'clip.npz', [wiggling(3)]])
def test_other_types_are_refused_with_the_way_to_make_a_clip(lifter, wrong):
    with pytest.raises(TypeError, match=r'must be a Clip2D, got .*from_arrays\('):
        lifter(wrong)


def test_nan_scores_are_missing_keypoints():
    person = track(range(2))
    person.scores[1, 3] = np.nan
    (checked,) = check_clip(clip_of(person)).tracks
    assert np.isnan(checked.keypoints[1, 3]).all()
    assert checked.scores[1, 3] == 0
    assert checked.keypoints.dtype == checked.scores.dtype == np.float32
    assert np.isfinite(person.keypoints).all()  # the given arrays are unchanged


def test_lift_takes_arrays(checkpoint):
    options = {'pose3d_weights': checkpoint, 'skeleton': 'h36m-17'}
    clip = mmhot.lift(wiggling(5), image_size=SIZE, fps=50, **options)
    assert clip.keypoints_3d.shape == (5, 17, 3)
    with pytest.raises(ValueError, match='does not state width, height: give image_s'):
        mmhot.lift(wiggling(5), fps=50, **options)


def test_people_of_a_clip_have_frames_times_and_poses():
    walk, dance = (rendered(name).take(np.arange(4)) for name in ('walk', 'dance'))
    dance = replace(dance, track=dance.track + 7, frame=dance.frame + 2)
    clip = joined(walk, dance)
    clip = clip.take(np.lexsort((clip.track, clip.frame)))
    assert [item.track for item in clip.people] == [0, 7]
    for person, source in zip(clip.people, (walk, dance), strict=True):
        np.testing.assert_array_equal(person.frames, source.frame)
        np.testing.assert_allclose(person.times, source.frame / clip.fps)
        np.testing.assert_array_equal(person.keypoints_3d, source.keypoints_3d)
    with pytest.raises(ValueError, match='no track 3; there are 0, 7'):
        clip.person(3)
    lines = repr(clip).splitlines()
    assert len(lines) == 5
    assert 'people: 2, poses: 8' in lines[1]
    assert 'frames: 6 from 0 to 5' in lines[2]


def test_a_table_has_the_columns_of_csv(tmp_path):
    clip = rendered('walk').take(np.arange(3))
    columns = clip.table()
    clip.save(tmp_path / 'a.csv')
    with (tmp_path / 'a.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(columns)
    assert [row['joint'] for row in rows] == columns['joint'].tolist()
    for name in ('frame', 'time', 'track', 'x', 'y', 'z', 'u', 'v', 'score'):
        read = [float(row[name]) for row in rows]
        np.testing.assert_allclose(read, columns[name], atol=1e-3)
