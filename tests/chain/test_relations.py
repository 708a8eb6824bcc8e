"""Relations between inputs that must hold between their poses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import mmhot
from mmhot.lifting.world import scale_people

SKATER = Path(__file__).parents[2] / 'demo/skating_2d_coco17.npz'


@pytest.fixture(scope='module')
def clip():
    return mmhot.read_keypoints(SKATER)


def changed(clip, **change):
    """Apply functions to the arrays of all tracks."""
    tracks = [
        replace(x, **{name: f(getattr(x, name)) for name, f in change.items()})
        for x in clip.tracks
    ]
    return replace(clip, tracks=tracks)


@pytest.mark.parametrize(
    'options', [{}, {'static_camera': True, 'joints': 24}], ids=str
)
@pytest.mark.parametrize('factor', [0.3, 2, 10, 100])
def test_a_common_factor_of_scores_changes_nothing(clip, factor, options, caplog):
    plain = mmhot.lift(clip, **options)
    scaled = mmhot.lift(changed(clip, scores=lambda x: x * factor), **options)
    for name in ('keypoints_3d', 'root_3d', 'expected_error'):
        assert_allclose(getattr(scaled, name), getattr(plain, name), atol=1e-5)
    assert_allclose(scaled.scores, plain.scores * factor, rtol=1e-5)
    assert ('are no probabilities' in caplog.text) == (factor > 1)


@pytest.mark.parametrize('mark', ['score 0', 'position 0', 'NaN'])
def test_missing_keypoints_may_be_marked_in_any_way(clip, mark):
    lost = np.zeros(clip.tracks[0].scores.shape, bool)
    lost[20:40, 9] = True
    missing = changed(clip, keypoints=lambda x: np.where(lost[..., None], np.nan, x))
    expected = mmhot.Lifter('nanohtnet')(missing)
    marks = {
        'score 0': dict(scores=lambda x: np.where(lost, 0, x)),
        'position 0': dict(keypoints=lambda x: np.where(lost[..., None], 0, x)),
        'NaN': dict(scores=lambda x: np.where(lost, np.nan, x)),
    }
    found = mmhot.Lifter('nanohtnet')(changed(clip, **marks[mark]))
    assert_allclose(found.keypoints_3d, expected.keypoints_3d, atol=1e-6)
    assert (found.scores[20:40, 13] == expected.scores[20:40, 13]).all()


def test_order_of_people_changes_nothing(clip):
    (first,) = clip.tracks
    second = replace(first, track=1, keypoints=first.keypoints[::-1] + 20)
    tracks = [first, second]
    one, other = (mmhot.lift(replace(clip, tracks=x)) for x in (tracks, tracks[::-1]))
    assert_allclose(one.keypoints_3d, other.keypoints_3d, atol=1e-5)
    assert_allclose(one.root_3d, other.root_3d, atol=1e-5)


def test_people_of_a_few_pixels_have_no_position(clip, caplog, tmp_path):
    (first,) = clip.tracks
    tiny = replace(first, track=1, keypoints=first.keypoints * 0.005 + 300)
    lifted = mmhot.lift(
        replace(clip, tracks=[first, tiny]), static_camera=True, joints=24
    )
    unknown = np.isnan(lifted.root_3d).all(-1)
    assert (unknown == (lifted.track == 1)).all()
    assert np.isfinite(lifted.keypoints_3d).all()
    assert 'people 1 are smaller than 10 pixels' in caplog.text
    alone = lifted.take(lifted.track == 1).take(slice(0, 5))
    for suffix in ('npz', 'csv', 'bvh', 'glb', 'html', 'trc'):
        assert alone.save(tmp_path / f'tiny.{suffix}')


@pytest.mark.parametrize('height', [0.3, 0.5, 1.8, 3])
def test_height_is_what_was_asked_for(clip, height):
    lifted = scale_people(mmhot.lift(clip), height)
    names = lifted.joint_names
    bones = [('root', 'spine'), ('spine', 'thorax'), ('thorax', 'neck_base')]
    bones += [('neck_base', 'head')]
    legs = [(f'{s}_hip', f'{s}_knee') for s in ('left', 'right')]
    legs += [(f'{s}_knee', f'{s}_foot') for s in ('left', 'right')]

    def length(pair):
        start, end = (lifted.keypoints_3d[:, names.index(name)] for name in pair)
        return np.median(np.linalg.norm(end - start, axis=-1))

    own = sum(map(length, bones)) + sum(map(length, legs)) / 2
    assert own + 0.08 == pytest.approx(height, abs=1e-4)  # ankles over the floor
