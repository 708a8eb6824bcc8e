"""Pieces of tracks are joined, the best fit first, in clips of any length."""

import numpy as np

from mmhot.clips import Track2D
from mmhot.video import track_linking as joining
from mmhot.video.track_linking import join_pieces


def pieces(number, span, seed=0):
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


def join_one_by_one(pieces, fps, max_gap):
    """The same, all pairs compared anew after each."""
    pieces = list(pieces)
    while True:
        fits = [
            (misfit, first, second)
            for first, before in enumerate(pieces)
            for second, after in enumerate(pieces)
            if 0 < after.frames[0] - before.frames[-1] <= max_gap * fps
            and min(len(before.frames), len(after.frames)) >= joining._LEAST * fps
            and (misfit := joining._misfit(before, after, fps)) < 1
        ]
        if not fits:
            return pieces
        _, first, second = min(fits)
        pieces[first] = joining._concatenate(pieces[first], pieces[second])
        del pieces[second]


def test_best_fit_is_joined_first():
    for seed in range(3):
        made = pieces(12, 80, seed)
        joined, expected = (
            join(made, 25.0, 2.0) for join in (join_pieces, join_one_by_one)
        )
        assert len(joined) < 12
        assert [piece.track for piece in joined] == [x.track for x in expected]
        for piece, other in zip(joined, expected, strict=True):
            np.testing.assert_array_equal(piece.frames, other.frames)
            np.testing.assert_array_equal(piece.bboxes, other.bboxes)


def test_hours_are_compared_with_what_is_near_in_time(monkeypatch):
    calls, misfit = [], joining._misfit
    monkeypatch.setattr(
        joining, '_misfit', lambda *pair: calls.append(1) or misfit(*pair)
    )
    join_pieces(pieces(500, 90_000), 25.0, 2.0)
    assert len(calls) < 1000
