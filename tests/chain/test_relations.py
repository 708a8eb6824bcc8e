"""Relations between inputs that must hold between their poses."""

from dataclasses import replace

import numpy as np
import pytest
from clip_files import SKATER

import mmhot
from mmhot.chain.lifting.world import scale_people
from mmhot.skeletons.joints import get_skeleton


@pytest.fixture(scope='module')
def clip():
    return mmhot.read_keypoints(SKATER)


@pytest.fixture(scope='module')
def start(clip):
    """One window of the skater."""
    return rows_of(clip, np.arange(81))


@pytest.fixture(scope='module')
def plain(clip):
    return mmhot.lift(clip)


def changed(clip, **change):
    """Apply functions to the arrays of all tracks."""
    tracks = [
        replace(x, **{name: f(getattr(x, name)) for name, f in change.items()})
        for x in clip.tracks
    ]
    return replace(clip, tracks=tracks)


@pytest.mark.parametrize(
    ('factor', 'options'),
    [(0.3, {}), (2, {}), (10, {'static_camera': True, 'joints': 24}), (100, {})],
    ids=str,
)
def test_a_common_factor_of_scores_changes_nothing(
    clip, plain, factor, options, caplog
):
    plain = mmhot.lift(clip, **options) if options else plain
    scaled = mmhot.lift(changed(clip, scores=lambda x: x * factor), **options)
    for name in ('keypoints_3d', 'root_3d', 'expected_error'):
        np.testing.assert_allclose(
            getattr(scaled, name), getattr(plain, name), atol=1e-5
        )
    np.testing.assert_allclose(scaled.scores, plain.scores * factor, rtol=1e-5)
    assert ('are not probabilities' in caplog.text) == (factor > 1)


def test_missing_keypoints_may_be_marked_in_any_way(start):
    lost = np.zeros(start.tracks[0].scores.shape, bool)
    lost[20:40, 9] = True
    missing = changed(start, keypoints=lambda x: np.where(lost[..., None], np.nan, x))
    lifter = mmhot.Lifter('nanohtnet')
    expected = lifter(missing)
    marks = {
        'score 0': dict(scores=lambda x: np.where(lost, 0, x)),
        'position 0': dict(keypoints=lambda x: np.where(lost[..., None], 0, x)),
        'NaN': dict(scores=lambda x: np.where(lost, np.nan, x)),
    }
    for mark, change in marks.items():
        found = lifter(changed(start, **change))
        np.testing.assert_allclose(
            found.keypoints_3d, expected.keypoints_3d, 0, 1e-6, mark
        )
        assert (found.scores[20:40, 13] == expected.scores[20:40, 13]).all()


def rows_of(clip, rows, fps=1.0):
    """Take frames by their numbers, which become consecutive, at a multiple of fps."""
    take = dict.fromkeys(('keypoints', 'scores'), lambda x: x[rows]) | dict(
        frames=lambda x: np.arange(len(rows)), bboxes=lambda x: None
    )
    return replace(changed(clip, **take), fps=fps * clip.fps)


def flips(name):
    return list(get_skeleton(name).flip_indices)


def scaled(clip, factor):
    size = dict(width=round(factor * clip.width), height=round(factor * clip.height))
    return replace(changed(clip, keypoints=lambda x: x * np.float32(factor)), **size)


# How the clip changes, how its poses are changed back, and the largest mean distance in
# mm: those measured on the skater's first 81 frames, rounded up by a fifth.
RELATIONS = {
    'mirrored': (
        lambda clip: changed(
            clip,
            keypoints=lambda x: (
                np.float32([clip.width, 0]) + x[:, flips('coco-17')] * [-1, 1]
            ),
            scores=lambda x: x[:, flips('coco-17')],
        ),
        lambda poses: poses[:, flips('h36m-17')] * [-1, 1, 1],
        10,  # windows of mirrored images are others
    ),
    'moved': (lambda clip: changed(clip, keypoints=lambda x: x + [40, 25]), None, 13),
    'half as large': (lambda clip: scaled(clip, 0.5), None, 0.01),
    '1.37 times as large': (lambda clip: scaled(clip, 1.37), None, 0.1),
    'without the first frame': (lambda clip: rows_of(clip, np.arange(1, 81)), None, 14),
    'without the last frame': (lambda clip: rows_of(clip, np.arange(80)), None, 9),
    'every frame twice': (
        lambda clip: rows_of(clip, np.repeat(np.arange(81), 2), 2),
        lambda poses: poses[::2],
        15,
    ),
    'a little slower': (lambda clip: rows_of(clip, np.arange(81), 1 - 4e-8), None, 11),
}


@pytest.fixture(scope='module')
def started(start):
    return mmhot.lift(start).keypoints_3d


@pytest.mark.parametrize('name', RELATIONS)
def test_changes_of_the_input_change_the_poses_alike(start, started, name):
    change, back, limit = RELATIONS[name]
    poses = mmhot.lift(change(start)).keypoints_3d
    poses = poses if back is None else back(poses)
    wanted = started[1:] if 'first' in name else started[: len(poses)]
    distance = 1000 * np.linalg.norm(poses - wanted, axis=-1).mean()
    assert distance <= limit


@pytest.mark.parametrize('height', [0.3, 0.5, 1.8, 3])
def test_height_is_what_was_asked_for(plain, height):
    lifted = scale_people(plain, height)
    names = lifted.joint_names
    bones = [
        ('root', 'spine'),
        ('spine', 'thorax'),
        ('thorax', 'neck_base'),
        ('neck_base', 'head'),
    ]
    legs = [
        *((f'{s}_hip', f'{s}_knee') for s in ('left', 'right')),
        *((f'{s}_knee', f'{s}_foot') for s in ('left', 'right')),
    ]

    def length(pair):
        start, end = (lifted.keypoints_3d[:, names.index(name)] for name in pair)
        return np.median(np.linalg.norm(end - start, axis=-1))

    own = sum(map(length, bones)) + sum(map(length, legs)) / 2
    assert own + 0.08 == pytest.approx(height, abs=1e-4)  # ankles over the floor
