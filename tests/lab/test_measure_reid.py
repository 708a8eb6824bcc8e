"""Drawn scenes of people who leave and return."""

import numpy as np
from mocap import JUMP, KICK, joints_of

from tools.lab.measure_reid import DrawnVideo, as_coco

MOTIONS = [joints_of(JUMP, 200), joints_of(KICK, 200)]


def test_walks_are_seen_from_the_side_above_the_ground():
    joints = as_coco(MOTIONS[0], 0.0)
    assert joints.shape == (len(MOTIONS[0]), 17, 2)
    assert joints[..., 1].max() <= 1e-6
    assert np.ptp(joints[0, :, 1]) > 0.8


def test_people_of_scenes_return(monkeypatch):
    monkeypatch.setattr('tools.lab.measure_reid._SECONDS', 12.0)
    drawn = DrawnVideo(MOTIONS, 1, 2)
    owners = np.concatenate(drawn.owners)
    assert set(owners.tolist()) == {0, 1}
    plain, merged = drawn.track()
    assert len(merged) <= len(plain)
    ids = drawn.ids_of(merged)
    assert [len(own) for own in ids] == [len(own) for own in drawn.owners]
