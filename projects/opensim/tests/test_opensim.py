"""OpenSim reads and runs the model, and finds mmhot's angles."""

import pytest

import mmhot
from mmhot.skeletons.joint_angles import angle_names


@pytest.mark.slow(reason='needs OpenSim: pip install opensim')
def test_inverse_kinematics_finds_the_angles_of_the_clip(tmp_path):
    pytest.importorskip('opensim')
    from projects.opensim.model import differences, solve

    options = dict(pose2d='gtpt-t', det_model='pose-verified', joints=24)
    clip = mmhot.infer('demo/walk.mp4', **options)
    for suffix in ('trc', 'mot'):
        clip.save(tmp_path / f'walk.{suffix}')
    motion = solve(tmp_path / 'walk.trc')
    found = differences(motion, tmp_path / 'walk.mot')
    assert {*angle_names(24)} <= found.keys()
    for name in angle_names(24):
        assert found[name] < (4 if 'rotation' in name else 3), name
    assert 'walk.osim' in (tmp_path / 'walk_ik.xml').read_text()
