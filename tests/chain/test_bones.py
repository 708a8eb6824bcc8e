"""Bones of clips and of streams are those of ``.bvh`` files."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from rendered_clips import joined, rendered
from scipy.spatial.transform import Rotation

import mmhot
from mmhot.chain.live import LiveChain
from mmhot.lifting.lifted import Lifted
from mmhot.lifting.live import LiftedFrame
from mmhot.lifting.world import place_people, to_world
from mmhot.poses.bones import KeepBones
from mmhot.structures.formats import BVH_PROFILE_NAMES
from tools.dataset_converters.motion_files import read_bvh


@pytest.fixture(scope='module')
def clip():
    return KeepBones()(place_people(rendered('walk')))


def degrees_apart(quaternions, others):
    one, two = (Rotation.from_quat(x, scalar_first=True) for x in (quaternions, others))
    return np.degrees((one.inv() * two).magnitude())


@pytest.mark.parametrize('profile', BVH_PROFILE_NAMES)
def test_bones_are_those_of_the_file(clip, tmp_path, profile):
    world = to_world(clip, static_camera=True)
    path = tmp_path / 'a.bvh'
    world.save(path, bvh_profile=profile, origin='camera', out_fps=25)
    motion, bones = read_bvh(path), world.bones(profile)
    for number, name in enumerate(motion.names):
        if name not in bones:
            continue  # ends of limbs
        places, turns = bones[name]
        assert_allclose(motion.positions[:, number], places, atol=1e-4)
        wanted = Rotation.from_matrix(motion.axes[:, number]).as_quat(scalar_first=True)
        assert degrees_apart(turns, wanted).max() < 0.01
        assert (turns[1:] * turns[:-1]).sum(-1).min() > 0.9
    prefix = 'mixamorig:' if profile == 'mixamo' else ''
    toe = 'Toe' if profile == 'lafan1' else 'ToeBase'
    for side in ('Left', 'Right'):
        place, turn = bones[f'{prefix}{side}FootMod']
        assert_allclose(place, bones[f'{prefix}{side}Foot'][0])
        assert_allclose(turn, bones[f'{prefix}{side}{toe}'][1])


def test_people_are_chosen_by_their_id(clip):
    other = mmhot.Clip3D(**{**vars(clip), 'track': clip.track + 3})
    both = joined(clip, other)
    with pytest.raises(ValueError, match='^track must be one of the track IDs'):
        both.bones()
    assert len(both.bones(track=3)['Hips'][0]) == len(clip)
    with pytest.raises(ValueError, match='^profile must be'):
        clip.bones('maya')


def stream(clip):
    """Yield the people of a stream whose lifter finds the poses of a clip."""
    chain = LiveChain.__new__(LiveChain)
    chain._recent, chain._most, chain._poses = {}, 50, []
    for row, frame in enumerate(clip.frame):
        seen = SimpleNamespace(index=int(frame), time=frame / clip.fps)
        poses = clip.take(np.array([row]))
        (person,) = chain._poses_of(LiftedFrame(seen, Lifted(None), poses)).people
        yield person


def test_bones_of_a_stream_are_those_of_the_poses_so_far(clip):
    """All but the axes of the world, which a stream takes from its camera."""
    person = [*stream(clip)][39]
    early = to_world(clip.take(clip.frame < 40), static_camera=False)
    file, live = early.bones('lafan1'), person.bones('lafan1')
    for name, (_, turn) in live.items():
        turns = [
            Rotation.from_quat(hips, scalar_first=True).inv()
            * Rotation.from_quat(own, scalar_first=True)
            for hips, own in (
                (live['Hips'][1], turn),
                (file['Hips'][1][-1], file[name][1][-1]),
            )
        ]
        if 'Foot' not in name and 'Toe' not in name:  # level on the floor
            assert np.degrees((turns[0].inv() * turns[1]).magnitude()) < 0.01
    assert 0.07 < live['LeftFoot'][0][2] < 0.3


def test_rotations_of_a_stream_do_not_jump(clip):
    whole = to_world(clip, static_camera=False).bones('lafan1')
    usual = {x: degrees_apart(q[1:], q[:-1]).max() for x, (_, q) in whole.items()}
    before = None
    for person in stream(clip):
        bones = person.bones('lafan1')
        for name, (place, turn) in bones.items():
            assert place.shape == (3,)
            if before is not None:
                step = degrees_apart(turn, before[name][1])
                assert step < 1.5 * usual[name] + 3, (name, step)
        before = bones
