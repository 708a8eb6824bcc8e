"""Track IDs from frame to frame."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from identity_errors import count_identity_errors
from mocap import FOLDER
from paths import DATA

from mmhot.chain.pose2d.footage import ClipPeople, Footage
from mmhot.chain.tracking.clip_tracks import track_clip
from mmhot.chain.tracking.person_tracker import Tracker
from mmhot.chain.tracking.track import TrackPeople
from mmhot.structures.people import People, box_of

FPS = 25.0
# A person of 100 x 40 pixels around the middle of the hips.
STANDING = np.random.default_rng(5).uniform([-20, -50], [20, 50], (17, 2))
BOX = np.array([-22, -52, 22, 52])


def frame(*places, score=0.9, boxes=None):
    """People at some places (x, y), in that order."""
    places = np.array(places, np.float32).reshape(-1, 2)
    keypoints = (places[:, None] + STANDING).astype(np.float32)
    bboxes = np.float32([BOX + [*place, *place] for place in places]).reshape(-1, 4)
    ones = np.ones(len(places), np.float32)
    return People(bboxes, 0.9 * ones, keypoints, np.outer(ones, np.full(17, score)))


def walk(num_frames, start=100.0, speed=4.0, y=200.0):
    """Places (T, 2) of a person who walks to the right."""
    return np.stack([start + speed * np.arange(num_frames), np.full(num_frames, y)], -1)


def middles(track):
    return (track.bboxes[:, :2] + track.bboxes[:, 2:]) / 2


def ids_of(tracker, people, index):
    ids = np.full(len(people), -1)
    for person in tracker.update(people, index):
        ids[person.row] = person.id
    return ids


def test_tracks_end_at_cuts():
    people = [frame(place) for place in walk(40)]
    assert len(track_clip(people, FPS)) == 1
    done = []
    tracks = track_clip(people, FPS, cuts=[25], progress=done.append)
    assert [track.track for track in tracks] == [0, 1]
    assert tracks[0].frames.tolist() == list(range(25))
    assert tracks[1].frames.tolist() == list(range(25, 40))
    assert done == list(range(1, 41))


def test_people_who_pass_each_other_are_not_swapped():
    # they walk through each other; the one behind is hidden in the middle
    ways = walk(60, 100, 5), walk(60, 400, -5, y=206)
    people = []
    for index in range(60):
        places = [way[index] for way in ways]
        people.append(frame(*(places[:1] if 26 <= index <= 33 else places)))
    tracks = track_clip(people, FPS)
    assert len(tracks) == 2
    for track, way in zip(tracks, ways, strict=True):
        np.testing.assert_allclose(middles(track), way[track.frames], atol=1e-3)
    assert sorted(len(track.frames) for track in tracks) == [52, 60]


@pytest.mark.parametrize('hidden', [10, 40])
def test_ids_survive_occlusions(hidden):
    way = walk(60 + hidden, speed=2)
    people = [
        frame(*([] if 30 <= index < 30 + hidden else [place]))
        for index, place in enumerate(way)
    ]
    (track,) = track_clip(people, FPS)
    assert track.frames.tolist() == [*range(30), *range(30 + hidden, 60 + hidden)]
    tracker = Tracker(FPS)
    ids = [ids_of(tracker, of_frame, i) for i, of_frame in enumerate(people)]
    allowed = {0} if hidden == 10 else {0, 1, -1}
    assert set(np.concatenate(ids[2:]).tolist()) <= allowed


@pytest.mark.parametrize('at_end', [True, False])
def test_tracks_include_a_first_or_last_glimpse(at_end):
    """Half a person at the border of the image has another pose."""
    people = [frame(place) for place in walk(40)]
    for index in (38, 39) if at_end else (0, 1):
        people[index].keypoints[:] = people[index].keypoints[:, ::-1] / 2 + [50, 60]
        people[index].bboxes[:, 3] -= 60
    [track] = track_clip(people, FPS)
    np.testing.assert_array_equal(track.frames, np.arange(40))


def test_people_much_later_or_elsewhere_get_new_tracks():
    empty = [frame()] * 80
    walking = [frame(place) for place in walk(30)]
    assert len(track_clip(walking + empty + walking, FPS)) == 2
    elsewhere = [frame(place) for place in walk(30, start=600)]
    assert len(track_clip(walking + empty[:10] + elsewhere, FPS)) == 2


def test_false_alarms_are_left_out_unless_the_clip_is_that_short():
    people = [frame(place) for place in walk(40)]
    people[20] = frame(people[20].bboxes[0, :2] + [22, 52], (900, 300))
    assert [len(track.frames) for track in track_clip(people, FPS)] == [40]
    short = track_clip([frame((100, 200), (300, 200))], FPS)
    assert [track.frames.tolist() for track in short] == [[0], [0]]
    assert track_clip([frame()] * 5, FPS) == []
    assert track_clip([], FPS) == []


@pytest.mark.parametrize(
    ('late', 'are_kept'), [(0.0005, False), (0.04, True)], ids=['rounded', 'late']
)
def test_times_are_kept_if_a_frame_comes_late(late, are_kept):
    times = [index / FPS + late * (index == 10) for index in range(20)]
    people = ClipPeople([frame(place) for place in walk(20)], times, (640, 360))
    people.skeleton = 'coco-17'
    source = SimpleNamespace(fps=FPS, name='a', path=Path('a.mkv'), focal_35mm=None)
    clip = TrackPeople()(Footage(source, people))
    assert (clip.times is not None) == are_kept


def test_duplicate_boxes_are_one_person():
    people = []
    for place in walk(20):
        twice = frame(place, place)
        twice.bboxes[0] += [-6, 0, 6, 0]
        twice.bbox_scores[0] = 0.5
        people.append(twice)
    (track,) = track_clip(people, FPS)
    np.testing.assert_allclose(track.bboxes[:, 0], walk(20)[:, 0] - 22, rtol=1e-5)


def crowd(seed):
    """Frames of six people who come and go, with noise, gaps and shots."""
    rng = np.random.default_rng(seed)
    places, speeds = rng.uniform(100, 900, (6, 2)), rng.normal(0, 6, (6, 2))
    bodies, index = rng.normal(0, 40, (6, 17, 2)), 0
    for _ in range(60):
        gap = rng.integers(2, 5 if seed else 60)
        index += 1 if rng.random() < 0.8 else int(gap)
        speeds += rng.normal(0, 1, (6, 2))
        places += speeds
        seen = rng.random(6) < 0.85
        noise = rng.normal(0, 3, (6, 17, 2))
        points = (places[:, None] + bodies + noise)[seen].astype(np.float32)
        boxes = np.concatenate([points.min(1), points.max(1)], -1)
        scores = rng.uniform(0, 1, points.shape[:2]).astype(np.float32)
        yield index, People(boxes, scores.max(1), points, scores)


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_tracks_are_those_of_norfair(seed):
    """IDs and boxes are recorded of Norfair 2.3.0 with the same settings.

    Norfair mixes up which keypoints are new, so that a few boxes differ.
    """
    tracker, ids, boxes = Tracker(FPS, 0.7 if seed == 1 else 2.0), [], []
    numbers = {}
    for index, people in crowd(seed):
        detected = tracker.update(people, index)
        ids.append(np.full(len(people), -1))
        for person in detected:  # the last seed's, with tentative tracks
            number = numbers.setdefault(person, len(numbers))
            ids[-1][person.row] = number if seed == 2 else person.id
        boxes += [
            box_of(person.filter.points + 2 * person.filter.velocity)
            for person in detected
        ]
    with np.load(DATA / 'norfair_tracks.npz') as expected:
        assert np.array_equal(np.concatenate(ids), expected[f'ids_{seed}'])
        detected = np.array(boxes, np.float32)[::7]
        assert np.isclose(detected, expected[f'boxes_{seed}'], atol=1e-3).mean() > 0.9


LENGTHS = [6, 13, 19, 23, 32, 55, 65, 76, 92, 93, 141]


def test_real_people_in_a_car_park():
    """Eight people of vtest_150.mp4, three of whom meet behind a sign."""
    with (
        np.load(FOLDER.parent / 'vtest_2d_coco17.npz') as data,
        np.load(FOLDER.parent / 'vtest_owners.npz') as truth,
    ):
        frames = [data['frame'] == index for index in range(150)]
        names = ('bbox_xyxy', 'bbox_score', 'keypoints', 'scores')
        people = [People(*(data[name][rows] for name in names)) for rows in frames]
        owners = [truth['owner'][rows].astype(int) for rows in frames]
    ids = [np.full(len(of_frame), -1) for of_frame in people]
    tracks = track_clip(people, 10.0)
    assert sorted(len(track.frames) for track in tracks) == LENGTHS
    for track in tracks:
        for index, box in zip(track.frames, track.bboxes, strict=True):
            ids[index][(people[index].bboxes == box).all(1)] = track.track
    errors = count_identity_errors(owners, ids)
    assert (errors['people'], errors['found']) == (8, 618)
    # detections that overlap most make 13 switches
    assert errors['tracks'] <= 11
    assert errors['switches'] <= 5
    assert errors['mixed'] <= 2
    assert errors['missed'] <= 5
