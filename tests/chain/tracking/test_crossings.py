"""People who meet keep their track ID: by their clothes."""

from functools import cache
from itertools import groupby

import numpy as np
import pytest
from drawn_walkers import observe_walkers

from mmhot.chain.tracking.appearance import AppearanceObserver
from mmhot.chain.tracking.clip_tracks import track_clip
from mmhot.chain.tracking.crossings import end_takeovers
from mmhot.structures.clips_2d import Track2D

FPS = 25.0
COLORS = [
    *((40, 40, 200), (200, 60, 40), (40, 180, 60), (30, 30, 30), (230, 230, 230)),
    *((40, 200, 220), (160, 60, 160), (60, 100, 140), (150, 150, 60)),
]


def there(rng):
    """Cross the image at an even speed."""
    return np.linspace(60, 420, 110) + rng.uniform(-20, 20)


def back(rng):
    """Walk to the middle, wait for a moment, and return."""
    near = rng.uniform(225, 235)
    way = np.linspace(60, near, 45)
    return np.r_[way, np.full(20, near), way[::-1]]


def wait(rng):
    """Stand in the middle, then leave to the left or right."""
    side = rng.choice([-1, 1])
    return 240 + side * np.r_[np.zeros(70), np.linspace(0, 140, 40)]


# Walkers of a scene, those behind first; 480 pixels are mirrored.
SCENES = {
    'pass': lambda rng: (there(rng), 480 - there(rng)),
    'turn': lambda rng: (back(rng), 480 - back(rng)),
    'emerge': lambda rng: (wait(rng), there(rng)),
    'overtake': lambda rng: (np.linspace(150, 330, 110), there(rng)),
    'three': lambda rng: (back(rng), wait(rng), 480 - back(rng)),
}


@cache
def scene(name, seed):
    """Return people, owners and looks of a scene."""
    rng = np.random.default_rng([len(name), seed])
    places = np.stack(SCENES[name](rng), 1)
    chosen = rng.choice(len(COLORS), (2, places.shape[1]), replace=False).T
    clothes = [[COLORS[color] for color in own] for own in chosen]
    observer = AppearanceObserver('coco-17')
    return *observe_walkers(places, clothes, observer, rng), observer.arrays()


def exchanges(people, owners, looks):
    """Count changes of tracks to another person, for at least a quarter of a second."""
    changes = 0
    for track in track_clip(people, FPS, looks=looks):
        rows = zip(track.frames, track.bboxes, strict=True)
        seen = [owners[n][(people[n].bboxes == box).all(1)][0] for n, box in rows]
        runs = [(owner, len([*run])) for owner, run in groupby(seen)]
        lasting = [owner for owner, length in runs if length > FPS / 4]
        changes += np.count_nonzero(np.diff(lasting))
    return changes


@pytest.mark.parametrize('name', SCENES)
def test_people_who_meet_keep_their_track(name):
    found = [scene(name, seed) for seed in range(3)]
    assert sum(exchanges(*each) for each in found) == 0


@pytest.mark.parametrize(('met', 'tracks'), [(True, 2), (False, 1)])
def test_tracks_that_go_on_with_another_person_whom_they_met_end(met, tracks):
    """The other one is hidden from frame 40 on, and comes out at 50, without a box."""
    walk = np.zeros((100, 4)) + (100, 50, 140, 150)
    walk[50:] += (20, 0, 20, 0)
    stand = walk[:40] + ((25, 0, 25, 0) if met else (200, 0, 200, 0))
    pair = [
        Track2D(number, np.arange(len(boxes)), *np.zeros((2, len(boxes), 1)), boxes)
        for number, boxes in enumerate((walk, stand))
    ]
    frames = np.delete(np.arange(0, 100, 5), slice(6, 12))
    values = np.zeros((len(frames), 4, 10))
    values[np.arange(len(frames)), :, (frames >= 50).astype(int)] = 1
    looks = dict(frames=frames, boxes=walk[frames], values=values)
    found = end_takeovers(pair, looks, FPS)
    assert len(found) == tracks + 1
    starts = sorted(int(track.frames[0]) for track in found)
    assert starts == ([0, 0, 50] if met else [0, 0])


@pytest.mark.parametrize(
    ('way', 'changed', 'parts'),
    [(25, 200, 2), (0, 200, 1), (25, 66, 1)],
    ids=['another person', 'turns in place', 'passes behind something'],
)
def test_tracks_that_slide_to_another_person_end(way, changed, parts):
    """Colors differ from frame 50 on, when the box slides aside within 5 frames."""
    frames = np.arange(200)
    boxes = np.zeros((200, 4)) + (100, 50, 140, 150)
    boxes[:, ::2] += way * ((frames[:, None] - 49) / 5).clip(0, 1)
    track = Track2D(0, frames, *np.zeros((2, 200, 1)), boxes)
    values = np.zeros((40, 4, 10))
    is_other = (frames[::5] >= 50) & (frames[::5] < changed)
    values[np.arange(40), :, is_other.astype(int)] = 1
    looks = dict(frames=frames[::5], boxes=boxes[::5], values=values)
    found = end_takeovers([track], looks, FPS)
    assert len(found) == parts
    assert all(50 <= part.frames[0] <= 54 for part in found[1:])
