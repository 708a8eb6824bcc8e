"""Tracklets are linked, the best fit first, in clips of any length."""

import numpy as np

from mmhot.clips import Track2D
from mmhot.video import track_linking
from mmhot.video.track_linking import link_tracklets


def tracklets(number, span, seed=0):
    """People of 40x100 pixels who walk on a line, each for up to 40 frames."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(number):
        length, start = rng.integers(2, 40), rng.integers(0, span)
        steps = np.arange(length)
        left = rng.uniform(0, 300) + rng.normal(0, 0.5) * steps[:, None]
        top = np.full((length, 1), 50.0)
        boxes = np.concatenate([left, top, left + 40, top + 100], 1)
        made.append(
            Track2D(
                index,
                start + steps,
                np.zeros((length, 1, 2), np.float32),
                np.ones((length, 1), np.float32),
                boxes.astype(np.float32),
            )
        )
    return made


def link_one_by_one(tracklets, fps, max_gap):
    """Link with all pairs compared again after each link."""
    tracklets = list(tracklets)
    while True:
        fits = [
            (misfit, first, second)
            for first, before in enumerate(tracklets)
            for second, after in enumerate(tracklets)
            if 0 < after.frames[0] - before.frames[-1] <= max_gap * fps
            and min(len(before.frames), len(after.frames))
            >= track_linking._MIN_LENGTH * fps
            and (misfit := track_linking._misfit(before, after, fps)) < 1
        ]
        if not fits:
            return tracklets
        _, first, second = min(fits)
        tracklets[first] = track_linking._concatenate(
            tracklets[first], tracklets[second]
        )
        del tracklets[second]


def test_best_fit_is_linked_first():
    for seed in range(3):
        made = tracklets(12, 80, seed)
        linked, expected = (
            join(made, 25.0, 2.0) for join in (link_tracklets, link_one_by_one)
        )
        assert len(linked) < 12
        assert [tracklet.track for tracklet in linked] == [x.track for x in expected]
        for tracklet, other in zip(linked, expected, strict=True):
            np.testing.assert_array_equal(tracklet.frames, other.frames)
            np.testing.assert_array_equal(tracklet.bboxes, other.bboxes)


def test_only_tracklets_close_in_time_are_compared(monkeypatch):
    calls, misfit = [], track_linking._misfit
    monkeypatch.setattr(
        track_linking, '_misfit', lambda *pair: calls.append(1) or misfit(*pair)
    )
    link_tracklets(tracklets(500, 90_000), 25.0, 2.0)
    assert len(calls) < 1000
