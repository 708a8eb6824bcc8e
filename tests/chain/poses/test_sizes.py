"""Heights of people: stated ones, and those with which all stand on one floor."""

from dataclasses import replace

import numpy as np
import pytest
from mocap import H36M, standing_pose

import mmhot
from mmhot.chain.calls import REFINE_COMMAND
from mmhot.chain.keypoints.camera_path import static_path
from mmhot.chain.lifting.one_floor import resting_places
from mmhot.chain.lifting.world import scale_people, to_world
from mmhot.chain.options import ExportOptions
from mmhot.chain.outcome import Outcome, describe_people
from mmhot.chain.poses.sizes import ScalePeople
from mmhot.geometry.rotations import rotation_matrices
from mmhot.options import Values
from mmhot.progress import Report
from mmhot.structures.clips_3d import BodyHeight, Clip3D, to_axes
from mmhot.structures.lens import Camera

FRAMES, TALL = 40, 1.65
LEGS = 'left_knee', 'right_knee', 'left_foot', 'right_foot'
# Right and away of a camera, meters; body size relative to the lifted one; meters above
# the floor.
CHILD, ADULT, OTHER = (-1.0, 5.0, 0.8, 0), (1.0, 7.0, 1.05, 0), (2.0, 6.0, 1.1, 0)


def lifted(*people, tilt=10.0, is_static=True, camera=1.6):
    """Return standing people as a lifter sees them: all of one size, and the clip."""
    turn, true = rotation_matrices(np.radians([tilt, 0, 0])), []
    poses, roots = [], []
    for index, (right, away, size, above) in enumerate(people):
        body = standing_pose()[0] @ rotation_matrices([0, 0, 0.8 * index]).T
        # Ankles of all sizes are as high as those of one who stands.
        body[:, 2] += 0.08 * (1 / size - 1)
        places = (size * body + [right, away, above - camera]) @ turn.T
        true.append(places[0])
        poses.append((places - places[0]) / size)
        roots.append(places[0] / size)
    arrays = (np.repeat(np.array(x)[None], FRAMES, 0) for x in (poses, roots))
    keypoints, root = arrays
    clip = Clip3D.from_arrays(keypoints, 25.0, root_3d=root, axes='z-up')
    clip = to_axes(clip, 'camera')
    camera = Camera(static_path(FRAMES), None) if is_static else None
    return replace(clip, camera=camera), true


def between(clip, first=0, second=1):
    places = to_axes(clip, 'z-up').places()[:, 0]
    return (places[clip.track == second] - places[clip.track == first])[0]


@pytest.mark.parametrize('tilt', [0.0, 10.0, 20.0])
def test_people_of_different_sizes_stand_on_one_floor(tilt):
    clip, true = lifted(CHILD, ADULT, tilt=tilt)
    before = np.linalg.norm(between(clip) - (true[1] - true[0]))
    scaled = ScalePeople()(clip)
    ratio = scaled.heights[1].meters / scaled.heights[0].meters
    assert abs(ratio - 1.05 / 0.8) < 0.08
    assert np.linalg.norm(between(scaled) - (true[1] - true[0])) < 0.35 * before
    assert {height.source for height in scaled.heights.values()} == {'floor'}
    one = clip.take(clip.track == 0)
    alone = ScalePeople()(one)
    assert np.array_equal(alone.places(), one.places())
    assert alone.heights[0].source == 'assumed'


def test_short_rests_show_a_floor_where_none_is_long():
    """People who step quickly kept their sizes."""
    seconds = np.arange(60) / 25
    steps = seconds[:, None] / 0.4 + [0, 0.5]
    swing = ((steps % 1 - 0.25) / 0.75).clip(0)  # a foot rests for a tenth of a second
    away = steps // 1 + swing
    ankles = np.stack([0 * away, away, 0.08 + 0.15 * np.sin(np.pi * swing)], -1)
    places = resting_places(ankles, seconds)
    assert len(places) >= 8
    assert places[:, 2].max() < 0.12


def test_no_ankle_rests_at_the_top_of_a_jump():
    seconds = np.arange(60) / 25
    fall = ((seconds + 0.3) % 0.6 - 0.3)[:, None] + [0, 0.01]
    ankles = np.stack([0 * fall, 0 * fall, 0.5 - 4.9 * fall**2], -1)
    assert not len(resting_places(ankles, seconds))


def test_one_floor_shows_what_is_up_where_nobody_stands_straight():
    """It was that of a level camera."""
    clip, _ = lifted(CHILD, ADULT, OTHER, tilt=15.0)
    turn = rotation_matrices([0.6, 0, 0])
    upper = [x for x in range(17) if not clip.joint_names[x].endswith(('knee', 'foot'))]
    poses = clip.keypoints_3d.copy()
    poses[:, upper] = poses[:, upper] @ turn.T.astype(np.float32)
    bent = ScalePeople()(replace(clip, keypoints_3d=poses))
    world = to_world(bent, static_camera=True)
    shin = slice(2, 4)  # right knee and foot, above each other
    knees = -np.diff(world.keypoints_3d[:, shin], axis=1)[:, 0]
    lean = np.degrees(np.arccos(knees[:, 2] / np.linalg.norm(knees, axis=1)))
    assert lean.max() < 5


def test_who_is_stated_sets_the_scale_of_who_is_not():
    clip, true = lifted(CHILD, ADULT)
    step = ScalePeople.read({'height': {1: 1.05 * (TALL - 0.08) + 0.08}})
    scaled = step(clip)
    assert np.linalg.norm(between(scaled) - (true[1] - true[0])) < 0.25
    assert scaled.heights[1].source == 'stated'
    assert scaled.heights[1].error == 0
    taller = scale_people(ScalePeople()(clip), {0: 1.5})
    sizes = [taller.heights[track].meters - 0.08 for track in (1, 0)]
    assert sizes[0] / sizes[1] == pytest.approx(1.05 / 0.8, abs=0.08)
    assert taller.heights[0] == BodyHeight(1.5, 0.0, 'stated')


def test_who_stands_on_a_stage_keeps_the_size_and_moves_nobody():
    two, _ = lifted(CHILD, ADULT)
    three, _ = lifted(CHILD, ADULT, (*OTHER[:3], 0.9))
    alone, both = (ScalePeople()(clip) for clip in (two, three))
    assert both.heights[2].source == 'assumed'
    first, second = ([x.heights[n].meters for n in (0, 1)] for x in (both, alone))
    assert first == pytest.approx(second, abs=0.05)


def test_who_lies_keeps_the_size_and_moves_nobody():
    """The others were 11 and 16 cm smaller for it."""
    two, _ = lifted(CHILD, ADULT, tilt=0.0)
    three, _ = lifted(CHILD, ADULT, (*OTHER[:3], -0.75), tilt=0.0)
    rows = three.track == 2
    three.keypoints_3d[rows] = three.keypoints_3d[rows][..., [0, 2, 1]]
    alone, both = (ScalePeople()(clip) for clip in (two, three))
    assert both.heights[2].source == 'assumed'
    first, second = ([x.heights[n].meters for n in (0, 1)] for x in (both, alone))
    assert first == pytest.approx(second, abs=1e-3)


@pytest.mark.parametrize(('step', 'is_said'), [(0, False), (0.3, True), (0.5, True)])
def test_a_line_says_what_a_step_below_one_person_would_explain(caplog, step, is_said):
    two, _ = lifted((-1.0, 5.0, 1.0, 0), (1.0, 5.0, 1.0, step))
    ScalePeople()(two)
    lines = [record.message for record in caplog.records]
    assert lines == is_said * [
        'clip: body heights hold if people 0, 1 and the others stand on the same '
        'floor; where one stands higher, height states heights'
    ]


def test_a_camera_near_the_floor_shows_no_sizes():
    """An adult and a child were equally tall, as the floor showed."""
    clip, _ = lifted((-1.0, 5.0, 1.0, 0), (1.0, 7.0, 0.75, 0), tilt=0.0, camera=0.1)
    scaled = ScalePeople()(clip)
    assert {height.source for height in scaled.heights.values()} == {'assumed'}
    assert np.array_equal(scaled.places(), clip.places())


def test_nothing_changes_without_a_floor_and_heights_are_assumed():
    clip, _ = lifted(CHILD, ADULT, is_static=False)
    scaled = ScalePeople()(clip)
    assert np.array_equal(scaled.places(), clip.places())
    assert {height.source for height in scaled.heights.values()} == {'assumed'}


def test_people_are_listed_in_one_table():
    clip, _ = lifted(CHILD, ADULT, OTHER, is_static=False)
    rows = describe_people(ScalePeople.read(dict(height='1.8,1.2,1.5'))(clip))
    shown = [' '.join(str(row).split()) for row in rows]
    count = len(clip) // 3
    end = f'{clip.seconds(clip.frame[-1]):.1f}'
    facts = [
        f'person {track} 0.0 to {end} s {count} frames 100% {height} m tall, error '
        '0.00 m, stated'
        for track, height in enumerate(['1.80', '1.20', '1.50'])
    ]
    facts[0] += ' (clip: people ID or largest, height in meters)'
    assert shown == facts


def test_a_line_counts_many_people_and_notes_list_them(tmp_path):
    many, _ = lifted(*3 * [CHILD, ADULT, OTHER], is_static=False)
    said = []
    options = Values(dict(out_dir=tmp_path, formats='npz'), REFINE_COMMAND.kinds)
    Outcome('clip').write(many, options, Report(say=said.append))
    assert [str(line) for line in said] == [
        'clip: 9 people, ID 0 to 8; people chooses them, -v lists them'
    ]


def test_order_of_people_is_that_of_their_heights():
    clip, _ = lifted(CHILD, ADULT, OTHER, is_static=False)
    clip = replace(clip, track=np.array([3, 5, 7])[clip.track])
    options = dict(people='7,3,5', height='1.8,1.2,1.5')
    heights = ScalePeople.read(options)(clip).heights
    known = [(track, height.meters) for track, height in heights.items()]
    assert known == [(7, 1.8), (3, 1.2), (5, 1.5)]
    with pytest.raises(
        ValueError, match='must name people 3, 5, 7 of clip, got person 4'
    ):
        ScalePeople.read({'height': '4:1.8'})(clip)


def test_heights_survive_selection_and_files(tmp_path):
    clip, _ = lifted(CHILD, ADULT)
    clip = ScalePeople.read({'height': '1:1.8'})(clip)
    assert clip.take(clip.frame < 9).heights == clip.heights
    for name in ('clip.npz', 'clip.json'):
        clip.save(tmp_path / name)
        assert mmhot.read_lifted(tmp_path / name).heights == clip.heights


def test_heights_are_read_in_every_form():
    forms = {'1.8': (1.8,), 1.8: (1.8,), '1.8,1.2': (1.8, 1.2), '0:1.8': {0: 1.8}}
    for value, expected in forms.items():
        assert ExportOptions.read({'height': value}).height == expected
    several = {'height': {0: 1.8, 1: 1.53}}
    assert ExportOptions.read({'height': '0:1.80,1:1.53'}) == ExportOptions.read(
        several
    )
    for wrong in ('0:9', 'a:1.8', '0:1:2', {}):
        with pytest.raises(ValueError, match='^height must be from 0.3 to 3 meters'):
            ExportOptions.read({'height': wrong})
    for wrong in ('0:1.8,0:1.5', '0:1.8,1:1.7,00:1.8', {1: 1.8, '1': 1.5}):
        with pytest.raises(ValueError, match=r'^height names a person twice: \['):
            ExportOptions.read({'height': wrong})


def test_legs_that_nobody_sees_show_no_floor():
    """Who sits at a table was as short as the hanging legs needed to be."""
    clip, _ = lifted(CHILD, ADULT, OTHER)
    two = ScalePeople()(clip.take(clip.track < 2))
    root, scores = clip.root_3d.copy(), clip.scores.copy()
    root[clip.track == 2, 1] += 0.4  # hips of a chair's height; y is down
    scores[np.ix_(clip.track == 2, H36M.indices(LEGS))] = 0
    three = ScalePeople()(replace(clip, root_3d=root, scores=scores))
    assert three.heights[2].source == 'assumed'
    first, second = ([x.heights[n].meters for n in (0, 1)] for x in (three, two))
    assert first == pytest.approx(second, abs=0.02)
    world = to_world(three, static_camera=True).places()
    lowest = world[..., 2].min(1)
    assert lowest[clip.track < 2] == pytest.approx(0.08, abs=0.03)
    assert lowest[clip.track == 2].max() < -0.05
