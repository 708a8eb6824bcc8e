"""What is done to rendered pictures so that models work on photographs."""

import numpy as np
import pytest
from mmpose.registry import TRANSFORMS

import mmhot.plugin  # noqa: F401 (registers what is built)
from mmhot.datasets.transforms.epoch_seed import seed_everything
from mmhot.skeletons import get_skeleton


def picture(value=128, size=(64, 48)):
    return np.full((*size, 3), value, np.uint8)


class Others:
    """A dataset of white pictures."""

    def __len__(self):
        return 3

    def get_data_info(self, index):
        return dict(img=picture(255), bbox=np.array([[4.0, 6, 40, 60]]))


def sample(box=(8, 16, 40, 56)):
    return dict(img=picture(), bbox=np.array([box], np.float32), dataset=Others())


def run(transform, seed, **results):
    seed_everything(seed)
    return transform(dict(results))['img']


def test_effects_follow_numpys_seed():
    noise = TRANSFORMS.build(
        dict(type='SeededAlbumentation', transforms=[dict(type='GaussNoise', p=1)])
    )
    first = run(noise, 0, img=picture())
    assert first.std() > 1
    np.testing.assert_array_equal(first, run(noise, 0, img=picture()))
    assert (first != run(noise, 1, img=picture())).any()


def test_effects_within_others_are_built():
    blur = dict(type='OneOf', transforms=[dict(type='ToGray', p=1)], p=1)
    effect = TRANSFORMS.build(dict(type='SeededAlbumentation', transforms=[blur]))
    red = picture(0)
    red[..., 2] = 200
    assert (np.ptp(run(effect, 0, img=red), axis=-1) == 0).all()


def test_unknown_effect_is_named():
    with pytest.raises(ValueError, match="has no transform 'Fog'"):
        TRANSFORMS.build(
            dict(type='SeededAlbumentation', transforms=[dict(type='Fog')])
        )


def test_pieces_of_others_are_pasted_before_a_person():
    paste = TRANSFORMS.build(dict(type='PasteOccluders', prob=1.0, size=(0.3, 0.4)))
    before = sample()
    image = run(paste, 0, **before)
    pasted = (image > 128).all(-1)
    # one or two pieces, each 0.3 to 0.4 of the root of 32 x 40 pixels wide and high
    assert 10 < pasted.sum() < 2 * (0.4 * np.sqrt(32 * 40) + 2) ** 2
    rows, columns = np.nonzero(pasted)
    assert rows.min() >= 16 - 8
    assert columns.max() <= 40 + 8
    assert (before['img'] == 128).all()
    np.testing.assert_array_equal(image, run(paste, 0, **sample()))


def test_pieces_stay_within_the_picture():
    paste = TRANSFORMS.build(
        dict(type='PasteOccluders', prob=1.0, size=(0.5, 3.0), max_occluders=5)
    )
    for seed in range(20):
        image = run(paste, seed, **sample(box=(-20, -20, 90, 90)))
        assert image.shape == (64, 48, 3)
        assert image.min() == 128


def test_nothing_is_pasted_at_probability_zero():
    paste = TRANSFORMS.build(dict(type='PasteOccluders', prob=0.0))
    assert (run(paste, 0, **sample()) == 128).all()


def standing(box, shade, visible=True):
    """Somebody upright who fills a box, in a picture of one shade."""
    x1, y1, x2, y2 = box
    across = dict(left=(2 * x2 + x1) / 3, right=(2 * x1 + x2) / 3)
    heights = dict(ear=0.05, shoulder=0.2, elbow=0.35, wrist=0.5)
    heights |= dict(hip=0.5, knee=0.75, ankle=1.0, eye=0.05, nose=0.05)
    points = [
        (
            across.get(joint.split('_')[0], (x1 + x2) / 2),
            y1 + heights[joint.split('_')[-1]] * (y2 - y1),
        )
        for joint in get_skeleton('coco-17').joints
    ]
    return dict(
        img=np.full((64, 48, 3), shade, np.uint8),
        bbox=np.float32([box]),
        keypoints=np.float32([points]),
        keypoints_visible=np.full((1, 17), visible, np.float32),
    )


class Neighbour:
    """A dataset of one person."""

    def __init__(self, **kwargs):
        self.person = standing((16, 16, 32, 48), shade=255, **kwargs)

    def __len__(self):
        return 1

    def get_data_info(self, index):
        return self.person


def paste_neighbours(seed, others=None, **kwargs):
    settings = dict(type='PasteNeighbours', prob=1.0, max_people=1) | kwargs
    paste = TRANSFORMS.build(settings)
    before = standing((12, 12, 36, 52), shade=100)
    image = run(paste, seed, **before, dataset=others or Neighbour())
    assert (before['img'] == 100).all()
    return image


def test_neighbours_stand_before_or_behind():
    trunk = np.s_[24:30, 22:27]
    covered = {
        before: [
            (paste_neighbours(seed, before=before)[trunk] > 100).any()
            for seed in range(20)
        ]
        for before in (0.0, 1.0)
    }
    assert not any(covered[0.0])
    assert sum(covered[1.0]) > 5
    np.testing.assert_array_equal(paste_neighbours(3), paste_neighbours(3))


def test_neighbours_have_the_size_that_is_wanted():
    for size in (0.5, 1.0):
        areas = [
            (paste_neighbours(seed, size=(size, size), before=1.0) > 178)[..., 0].sum()
            for seed in range(30)
        ]
        # the box is 24 x 40; their silhouette fills the half of theirs, or more
        assert 0.4 < max(areas) / (size**2 * 24 * 40) < 1.2
    with pytest.raises(ValueError, match='two rising positive numbers'):
        paste_neighbours(0, size=(1.0, 0.5))


def test_of_people_who_are_not_there_nothing_is_pasted():
    assert (paste_neighbours(0, Neighbour(visible=False)) == 100).all()
    assert (paste_neighbours(0, prob=0.0) == 100).all()
