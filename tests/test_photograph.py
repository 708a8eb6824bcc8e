"""What is done to rendered pictures so that models work on photographs."""

import numpy as np
import pytest
from drawn_people import FOLDER
from mmengine.registry import DefaultScope
from mmpose.datasets import CocoDataset
from mmpose.registry import TRANSFORMS

import mmhot.plugin  # noqa: F401 (registers what is built)
from mmhot.datasets.transforms.epoch_seed import seed_everything


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


def test_pieces_come_from_datasets_that_leave_pictures_on_disk():
    pipeline = [
        dict(type='LoadImage'),
        dict(type='PasteOccluders', prob=1.0, size=(0.5, 0.6)),
    ]
    with DefaultScope.overwrite_default_scope('mmpose'):
        dataset = CocoDataset(
            ann_file=str(FOLDER / 'annotations.json'),
            data_prefix=dict(img=str(FOLDER)),
            pipeline=pipeline,
        )
    seed_everything(0)
    pasted = dataset[0]['img']
    seed_everything(0)
    dataset.pipeline.transforms[1].prob = 0.0
    changed = (pasted != dataset[0]['img']).any(-1)
    assert 0.001 < changed.mean() < 0.5


def test_sizes_of_pieces_must_rise():
    with pytest.raises(ValueError, match='two rising positive numbers'):
        TRANSFORMS.build(dict(type='PasteOccluders', size=(1.0, 0.5)))
