"""People who leave and return keep their track ID; others do not get it."""

from functools import cache

import numpy as np
import pytest
from drawn_walkers import draw, standing

from mmhot.chain.tracking.appearance import AppearanceObserver
from mmhot.chain.tracking.returning import MergeReturning
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.people import People

RED, BLUE, GREEN, GRAY = (40, 40, 200), (200, 60, 40), (40, 180, 60), (120, 120, 120)
FPS = 10.0


@cache
def make_clip(*visits, gains=None):
    """Return tracks and looks of visits: begin, end, place, shirt and trousers."""
    rng = np.random.default_rng(0)
    observer = AppearanceObserver('coco-17')
    rows = [[] for _ in visits]
    for frame in range(max(visit[1] for visit in visits)):
        image = np.full((160, 320, 3), 90, np.uint8)
        boxes, keypoints = [], []
        for number, (begin, end, place, shirt, trousers) in enumerate(visits):
            if begin <= frame < end:
                points = standing(place + frame - begin)
                draw(image, points, shirt, trousers)
                points = points + rng.normal(0, 1, points.shape)
                box = np.r_[points.min(0) - 5, points.max(0) + 5].astype(np.float32)
                boxes.append(box)
                keypoints.append(points)
                rows[number].append((frame, points, box))
        gain = 1 if gains is None else gains(frame)
        image = np.clip(gain * image + rng.normal(0, 3, image.shape), 0, 255)
        count = len(boxes)
        people = People(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.ones(count),
            np.array(keypoints).reshape(-1, 17, 2),
            np.ones((count, 17)),
        )
        observer.observe(frame, image.astype(np.uint8), people, frame == 0)
    tracks = []
    for number, seen in enumerate(rows):
        frames, points, boxes = (np.array(values) for values in zip(*seen, strict=True))
        ones = np.ones(points.shape[:2], np.float32)
        points = points.astype(np.float32)
        tracks.append(Track2D(number, frames, points, ones, boxes))
    return tracks, observer.arrays()


def merge(tracks, looks, cuts=()):
    clip = Clip2D('drawn', 'coco-17', tracks, 320, 160, FPS, cuts=tuple(cuts))
    return MergeReturning().merge(clip, looks).tracks


def merged(visits, gains=None, cuts=()):
    """Return the frames at which tracks begin, for each merged track."""
    tracks, looks = make_clip(*visits, gains=gains)
    result = merge(tracks, looks, cuts)
    assert [track.track for track in result] == list(range(len(result)))
    begins = {visit[0] for visit in visits}
    return [sorted(begins & set(track.frames.tolist())) for track in result]


def darker(frame):
    return 1.0 if frame < 80 else 0.55


BOTH = [(0, 60, 40, RED, GRAY), (1, 61, 160, BLUE, GREEN)]


def test_people_who_return_keep_their_track():
    visits = [*BOTH, (100, 150, 200, RED, GRAY), (101, 151, 60, BLUE, GREEN)]
    tracks, looks = make_clip(*visits)
    first, second = merge(tracks, looks)
    np.testing.assert_array_equal(first.frames, np.r_[0:60, 100:150])
    np.testing.assert_array_equal(second.frames, np.r_[1:61, 101:151])
    np.testing.assert_array_equal(first.bboxes[60:], tracks[2].bboxes)
    np.testing.assert_array_equal(second.keypoints[:60], tracks[1].keypoints)


AGAIN = (100, 150, 200, RED, GRAY)  # the first of both returns
CASES = {
    'another exposure': ([*BOTH, AGAIN], dict(gains=darker), 2),
    'other clothes': ([*BOTH, (100, 150, 200, GREEN, BLUE)], {}, 3),
    'another shirt': ([*BOTH, (100, 150, 200, BLUE, GRAY)], {}, 3),
    'exchanged colors': ([*BOTH, (100, 150, 200, GRAY, RED)], {}, 3),
    'twins': ([BOTH[0], (1, 61, 160, RED, GRAY), AGAIN], {}, 3),
    'another shot': ([*BOTH, AGAIN], dict(cuts=(80,)), 3),
    'a short track': ([*BOTH, (100, 104, 200, RED, GRAY)], {}, 3),
}


@pytest.mark.parametrize('case', CASES)
def test_only_people_who_look_the_same_get_their_track_again(case):
    visits, options, count = CASES[case]
    assert len(merged(visits, **options)) == count


def test_nothing_seen_is_no_reason_to_merge():
    tracks, looks = make_clip(*BOTH, AGAIN)
    none = {name: values[:0] for name, values in looks.items()}
    assert len(merge(tracks, none)) == 3
