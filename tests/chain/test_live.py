"""3D poses of a stream: those of a clip, with a fixed delay, in bounded memory."""

import numpy as np
import pytest
from lifters import save_lifter
from steps import live_chain
from tracks import H36M
from walkers import Walkers, frames

from mmhot.chain.lifting.lifter import Lifter
from mmhot.structures.clips_2d import Clip2D, Track2D


@pytest.fixture(scope='module')
def make_lifter(tmp_path_factory):
    folder = tmp_path_factory.mktemp('lifters')

    def make(**settings):
        name = '-'.join(['tiny', *map(str, settings)])
        settings = dict(num_keep_frames=1) | settings
        checkpoint = save_lifter(folder / f'{name}.pth', **settings)
        # streams keep no lengths of bones
        return Lifter(checkpoint=checkpoint, accuracy='fast')

    return make


@pytest.fixture(scope='module')
def lifter(make_lifter):
    return make_lifter()


def lift_clip(lifter, poses_2d, shown, fps):
    """The poses (T, 17, 3) that a clip of these frames gets."""
    found = [poses_2d.track([frame], [], 1)[0] for frame in shown]
    rows = [row for row, people in enumerate(found) if len(people)]
    track = Track2D(
        0,
        np.array([shown[row].index - shown[0].index for row in rows]),
        np.concatenate([found[row].keypoints for row in rows]),
        np.concatenate([found[row].scores for row in rows]),
        np.concatenate([found[row].bboxes for row in rows]),
    )
    clip = Clip2D('clip', 'coco-17', [track], 640, 480, fps, 'clip')
    return lifter(clip)


@pytest.mark.parametrize(('fps', 'lookahead'), [(50, 4), (25, 2)])
def test_poses_are_those_of_a_clip(make_lifter, fps, lookahead):
    # missed detections are filled in by clips and streams alike
    walkers = Walkers(away=lambda time: round(time * fps) % 7 == 3)
    lifter = make_lifter()
    live = live_chain(walkers, lifter, fps, lookahead, smooth_3d='none')
    shown = frames(range(24), fps)
    poses = [each for each in live(shown) if each.people]
    first = poses[0].frame.index
    given = np.array([each.frame.index for each in poses]) - first
    assert set(given.tolist()) == set(range(24 - first))
    clip = lift_clip(lifter, walkers, shown[first:], fps)
    lifted = np.stack([each.people[0].keypoints_3d for each in poses])
    # where the newest frame has no detection, a stream repeats the one before it
    whole = ~np.isin(given + first + lookahead, [10, 17])
    np.testing.assert_allclose(
        lifted[whole], clip.keypoints_3d[given][whole], atol=1e-5
    )
    pixels = np.stack([each.people[0].keypoints_2d for each in poses])
    np.testing.assert_allclose(pixels, clip.keypoints_2d[given], atol=1e-3)
    scores = np.stack([each.people[0].scores for each in poses])
    np.testing.assert_array_equal(scores, clip.scores[given])


@pytest.mark.parametrize('lookahead', [0, 1, 3, 4])
def test_poses_are_always_as_many_frames_behind(lifter, lookahead):
    live = live_chain(Walkers(2), lifter, 50.0, lookahead)
    assert live.lifter.latency == lookahead / 50
    for frame in frames(range(20)):
        indices = [poses.frame.index for poses in live.update(frame)]
        assert indices == [frame.index - lookahead][: frame.index >= lookahead]
    left = [poses.frame.index for poses in live.flush()]
    assert left == list(range(20 - lookahead, 20))
    assert live.flush() == []


def test_missing_frames_do_not_make_poses_later(lifter):
    live = live_chain(Walkers(), lifter, 50.0, 4)
    given = {}
    for frame in frames([0, 1, 2, 9, 10, 20, 21, 30]):
        given |= {poses.frame.index: frame.index for poses in live.update(frame)}
    # as soon as 4 frames have passed, seen or not
    assert given == {0: 9, 1: 9, 2: 9, 9: 20, 10: 20, 20: 30, 21: 30}


def test_people_are_broken_across_interruptions(lifter):
    live = live_chain(Walkers(), lifter, 50.0, 2)
    shown = frames(range(40))
    items = [*shown[:15], 'torn', *shown[25:]]
    poses = [each for each in live(items) if each.people]
    indices = [each.frame.index for each in poses]
    assert indices[-20:] == [10, 11, 12, 13, 14, *range(25, 40)]
    assert len({each.people[0].track for each in poses}) == 1
    broken = [each.frame.index for each in poses if each.people[0].broken]
    assert broken == [25]
    # nothing from before is mixed into what comes after, which equals a clip of its own
    clip = lift_clip(lifter, Walkers(), shown[25:], 50.0)
    np.testing.assert_allclose(
        poses[-13].people[0].keypoints_3d, clip.keypoints_3d[2], atol=0.2
    )


class Waists(Walkers):
    """People whose knees and ankles are below the image."""

    def track(self, frames, previous, interval):
        [people] = super().track(frames, previous, interval)
        people.scores[:, 13:] = 0
        return [people]


def test_legs_that_nobody_sees_are_straight(lifter):
    live = live_chain(Waists(), lifter, 50.0, smooth_3d='none')
    shown = live(frames(range(20)))
    poses = [person.keypoints_3d for each in shown for person in each.people]
    assert len(poses) >= 8
    hip, knee, foot = H36M.indices(['left_hip', 'left_knee', 'left_foot'])
    for pose in poses:
        for bone in (pose[knee] - pose[hip], pose[foot] - pose[knee]):
            assert bone[1] == pytest.approx(np.linalg.norm(bone), rel=1e-3)


def test_long_occlusions_break_tracks_and_are_not_filled(lifter):
    walkers = Walkers(away=lambda time: 2.0 < time < 3.5)
    live = live_chain(walkers, lifter, 10.0)
    poses = list(live(frames(range(50), 10.0)))
    assert [each.frame.index for each in poses] == list(range(50))
    there = [each for each in poses if each.people]
    assert {each.people[0].track for each in there} == {0}
    times = [each.frame.time for each in there]
    assert not [time for time in times if 2.0 < time < 3.5]
    broken = [each.frame.time for each in there if each.people[0].broken]
    assert broken == [3.5]


def test_memory_is_bounded(lifter):
    walkers = Walkers(2)
    live = live_chain(walkers, lifter, 20.0)
    sizes = []
    for frame in frames(range(70), 20.0):
        live.update(frame)
        sizes.append([len(each.seen) for each in live.lifter._segments])
    # a second in which gaps are filled, and what is to come
    assert max(max(of_people) for of_people in sizes[40:]) <= 24
    walkers.away = lambda time: True
    for frame in frames(range(70, 150), 20.0):
        live.update(frame)
    assert live.lifter._segments == []
    assert len(live.lifter._pending) == live.lifter.lookahead == 1
