"""Bones of clips and of streams are those of ``.bvh`` files."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from rendered_clips import TILT, joined, rendered
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.chain.lifting.world import (
    height_over_ankles,
    place_people,
    scale_people,
    to_world,
)
from mmhot.chain.live_people import PeoplePlacer, PlaceOptions
from mmhot.chain.poses.bones import KeepBones
from mmhot.io.writers.rigs import BVH_PROFILES
from mmhot.skeletons.joints import ANKLE_HEIGHT
from mmhot.structures.clips_3d import to_axes
from tools.dataset_converters.motion_files import read_bvh


@pytest.fixture(scope='module')
def clip():
    return KeepBones()(place_people(rendered('walk')))


def degrees_apart(quaternions, others):
    one, two = (Rotation.from_quat(x, scalar_first=True) for x in (quaternions, others))
    return np.degrees((one.inv() * two).magnitude())


@pytest.mark.parametrize('profile', BVH_PROFILES)
def test_bones_are_those_of_the_file(clip, tmp_path, profile):
    world = to_world(clip, static_camera=True)
    path = tmp_path / 'a.bvh'
    world.save(path, bvh_profile=profile, origin='camera', out_fps=25)
    motion, bones = read_bvh(path), world.bones(profile)
    for number, name in enumerate(motion.names):
        if name not in bones:
            continue  # ends of limbs
        places, turns = bones[name]
        np.testing.assert_allclose(motion.positions[:, number], places, atol=1e-4)
        wanted = Rotation.from_matrix(motion.axes[:, number]).as_quat(scalar_first=True)
        assert degrees_apart(turns, wanted).max() < 0.01
        assert (turns[1:] * turns[:-1]).sum(-1).min() > 0.9
    prefix = 'mixamorig:' if profile == 'mixamo' else ''
    toe = 'Toe' if profile == 'lafan1' else 'ToeBase'
    for side in ('Left', 'Right'):
        place, turn = bones[f'{prefix}{side}FootMod']
        np.testing.assert_allclose(place, bones[f'{prefix}{side}Foot'][0])
        np.testing.assert_allclose(turn, bones[f'{prefix}{side}{toe}'][1])


def test_people_are_chosen_by_their_id(clip):
    other = mmhot.Clip3D(**{**vars(clip), 'track': clip.track + 3})
    both = joined(clip, other)
    with pytest.raises(ValueError, match='^track must be one of the track IDs'):
        both.bones()
    assert len(both.bones(track=3)['Hips'][0]) == len(clip)
    with pytest.raises(ValueError, match='^profile must be'):
        clip.bones('maya')


def stream(clip, **options):
    """The people of a stream whose lifter finds the poses of a clip, and the placer."""
    said = []
    placer = PeoplePlacer(PlaceOptions.read(options), said.append)
    seconds = clip.seconds(clip.frame).tolist()
    rows = [clip.take(np.array([row])) for row in range(len(clip))]
    people = [
        placer(row, frozenset(), time) for row, time in zip(rows, seconds, strict=True)
    ]
    return [person for (person,) in people], placer, said


# bones that GMR aligns, and what they turn against
JOINTS = dict(
    Spine2='Hips', LeftUpLeg='Hips', RightUpLeg='Hips', LeftLeg='LeftUpLeg',
    RightLeg='RightUpLeg', LeftFootMod='LeftLeg', RightFootMod='RightLeg',
    LeftArm='Spine2', RightArm='Spine2', LeftForeArm='LeftArm',
    RightForeArm='RightArm', LeftHand='LeftForeArm', RightHand='RightForeArm',
)  # fmt: skip


@pytest.mark.parametrize('name', TILT)
def test_a_robot_gets_the_same_from_a_stream_and_from_its_file(name):
    """The loop of docs/animation.md, against ``.bvh`` of the same poses."""
    clip = place_people(rendered(name))
    people, *_ = stream(clip, height=1.75, tilt=TILT[name])
    live = [person.bones('lafan1') for person in people]
    places, turns = (
        {x: np.stack([bones[x][part] for bones in live]) for x in live[0]}
        for part in (0, 1)
    )
    world = to_world(scale_people(KeepBones()(clip), 1.75), static_camera=True)
    file = {x: turn for x, (_, turn) in world.bones('lafan1').items()}

    def joint(bones, name):
        one, two = (
            Rotation.from_quat(bones[x], scalar_first=True)
            for x in (JOINTS[name], name)
        )
        return (one.inv() * two).as_quat(scalar_first=True)

    apart = [degrees_apart(joint(turns, x), joint(file, x)) for x in JOINTS]
    assert np.mean(apart) < 3
    assert np.mean(degrees_apart(turns['Hips'], file['Hips'])) < 3
    assert np.linalg.norm(places['Hips'][0, :2]) < 0.3
    assert 0.07 < places['LeftFoot'][0, 2] < 0.3
    # nothing jumps: neither signs nor rotations nor the size of the person
    for bone, turn in turns.items():
        assert (turn[1:] * turn[:-1]).sum(-1).min() > 0.9
        usual = degrees_apart(file[bone][1:], file[bone][:-1]).max()
        assert degrees_apart(turn[1:], turn[:-1]).max() < 1.5 * usual + 3
    thigh = np.linalg.norm(places['LeftUpLeg'] - places['LeftLeg'], axis=-1)
    assert np.ptp(thigh[25:]) < 0.01
    assert np.abs(np.diff(thigh)).max() < 0.005
    lifted = [
        height_over_ankles(x.keypoints_3d[None], clip.joint_names) for x in people
    ]
    np.testing.assert_allclose(np.mean(lifted[25:]), 1.75 - ANKLE_HEIGHT, atol=0.01)


@pytest.mark.parametrize('asked', [slice(None, None, 5), slice(100, None)], ids=str)
def test_bones_of_a_frame_are_the_same_whichever_others_are_asked_for(clip, asked):
    some, every = (
        [x.bones() for x in stream(clip)[0][y]] for y in (asked, slice(None))
    )
    for one, other in zip(some, every[asked], strict=True):
        for bone, (place, turn) in one.items():
            np.testing.assert_allclose(place, other[bone][0], atol=1e-4)
            assert degrees_apart(turn, other[bone][1]) < 0.05


def test_the_camera_of_a_stream_may_be_stated(clip):
    level, *_ = stream(clip, tilt=0, origin='camera')
    person = level[0]
    camera = person.keypoints_3d + person.root_3d
    np.testing.assert_allclose(person.places[:, :2], camera[:, [0, 2]], atol=1e-5)
    down, placer, said = stream(clip, tilt=5.9)
    assert (placer.level.tilt, said) == (5.9, [])
    lean = degrees_apart(down[0].bones()['Hips'][1], level[0].bones()['Hips'][1])
    np.testing.assert_allclose(lean, 5.9, atol=0.01)


@pytest.mark.parametrize('name', TILT)
def test_the_world_of_a_stream_begins_tilted_and_turns_slowly(name):
    """It was 9.8 degrees at .3 s, 5.7 at 1.6 and 6.3 later, of a true 5.9."""
    clip = place_people(rendered(name))
    people, placer, said = stream(clip)
    [found] = re.findall(r'that the camera looks down by ([\d.]+) degrees', *said)
    assert abs(float(found) - TILT[name]) < 2.5
    seen = [to_axes(clip.take(np.array([x])), 'z-up') for x in range(len(clip))]
    turns = [
        np.linalg.lstsq(one.keypoints_3d[0], person.places - person.places[:1])[0].T
        for one, person in zip(seen, people, strict=True)
    ]
    tilts = -np.degrees(np.arcsin([turn[2, 1] for turn in turns]))
    assert abs(tilts - TILT[name]).max() < 4  # level poses were 5.9 and 8.2 off
    assert abs(tilts - TILT[name]).mean() < 2.2
    assert abs(np.diff(tilts)).max() * clip.fps < 0.51
    assert tilts[-1] == pytest.approx(placer.level.tilt, abs=0.03)


def test_angles_of_a_stream_are_those_of_the_clip(clip):
    world = to_world(clip, static_camera=True)
    file, live = (
        world.angles(),
        [x.angles() for x in stream(clip, tilt=TILT['walk'])[0]],
    )
    assert live[0].keys() == file.keys()
    for name, angles in file.items():
        of_stream = np.array([x[name] for x in live])
        assert np.abs(of_stream - angles).mean() < 3, name
        assert np.abs(np.diff(of_stream)).max() < 45, name


@pytest.mark.parametrize('names', [['smplx', 'bvh'], ['bvh', 'bvh_lafan1']])
def test_the_loop_of_the_page_runs_with_each_version_of_gmr(clip, monkeypatch, names):
    page = Path(mmhot.__file__).parents[1] / 'docs/animation.md'
    (loop,) = re.findall(r'```python\n(.*?)```', page.read_text(), re.S)[:1]
    gmr, params = ModuleType('general_motion_retargeting'), ModuleType('params')
    params.IK_CONFIG_DICT = {name: {'unitree_g1': ''} for name in names}
    solved = []

    class GeneralMotionRetargeting:
        def __init__(self, source, robot, actual_human_height):
            params.IK_CONFIG_DICT[source][robot]

        def retarget(self, bones):
            solved.append(bones['LeftFootMod'])

    gmr.GeneralMotionRetargeting = GeneralMotionRetargeting
    monkeypatch.setitem(sys.modules, 'general_motion_retargeting', gmr)
    monkeypatch.setitem(sys.modules, 'general_motion_retargeting.params', params)

    def live(source, **options):
        return (SimpleNamespace(people=[x]) for x in stream(clip, **options)[0])

    monkeypatch.setattr(mmhot, 'stream', live)
    exec(loop, {})
    assert len(solved) == len(clip)


def test_people_keep_their_size_while_they_are_out_of_view(clip):
    """A lifter measures one of two people 5 % larger in every other second."""
    placer = PeoplePlacer(PlaceOptions(height=1.75))
    live = {0: [], 1: []}
    for row in range(len(clip)):
        size = 1 + 0.05 * (row // 25 % 2)
        there = np.array([row, row] if row % 60 < 45 else [row])
        both = clip.take(there)
        both = replace(
            both,
            track=np.arange(len(there)),
            keypoints_3d=both.keypoints_3d * np.float32(size),
        )
        for person in placer(both, frozenset(), row / 25):
            live[person.track].append((row, person.bones('lafan1')))
    assert len(live[1]) < len(live[0]) == len(clip)
    for bones in live.values():
        places = np.stack([x['LeftUpLeg'][0] - x['LeftLeg'][0] for _, x in bones])
        thigh = np.linalg.norm(places, axis=-1)
        assert np.abs(np.diff(thigh)).max() < 0.005
        turns = np.stack([x['LeftUpLeg'][1] for _, x in bones])
        assert (turns[1:] * turns[:-1]).sum(-1).min() > 0
