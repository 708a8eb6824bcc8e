"""Augmentation of images: photometric effects, occluders and extended borders."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawn_people import FOLDER
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.datasets import CocoDataset
from mmpose.registry import DATASETS, TRANSFORMS
from packed_shards import packed_people

import mmhot.plugin  # noqa: F401 (registers what is built)
from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.datasets.data_loading import seed_everything
from mmhot.weights.config_files import read_config_file
from tools.lab.packing import write_packed_people

CONFIGS = Path(__file__).parents[2] / 'configs/body_2d_keypoint/gtpt/rendered'


def gray_image(value=128, size=(64, 48)):
    return np.full((*size, 3), value, np.uint8)


class WhiteImages:
    """A dataset of white images."""

    def __len__(self):
        return 3

    def get_data_info(self, index):
        return dict(img=gray_image(255), bbox=np.array([[4.0, 6, 40, 60]]))


def sample(box=(8, 16, 40, 56)):
    return dict(
        img=gray_image(), bbox=np.array([box], np.float32), dataset=WhiteImages()
    )


def run(transform, seed, **results):
    seed_everything(seed)
    return transform(dict(results))['img']


def test_effects_follow_numpys_seed():
    noise = TRANSFORMS.build(
        dict(type='SeededAlbumentation', transforms=[dict(type='GaussNoise', p=1)])
    )
    first = run(noise, 0, img=gray_image())
    assert first.std() > 1
    np.testing.assert_array_equal(first, run(noise, 0, img=gray_image()))
    assert (first != run(noise, 1, img=gray_image())).any()


def test_nested_effects_are_built():
    blur = dict(type='OneOf', transforms=[dict(type='ToGray', p=1)], p=1)
    effect = TRANSFORMS.build(dict(type='SeededAlbumentation', transforms=[blur]))
    red = gray_image(0)
    red[..., 2] = 200
    assert (np.ptp(run(effect, 0, img=red), axis=-1) == 0).all()


def test_effects_are_applied_independently():
    halves = [dict(type='ToGray', p=0.5), dict(type='InvertImg', p=0.5)]
    effect = TRANSFORMS.build(dict(type='SeededAlbumentation', transforms=halves))
    red = gray_image(0, (2, 2))
    red[..., 2] = 200
    counts = Counter(tuple(run(effect, n, img=red)[0, 0]) for n in range(400))
    # gray is 60 for red, 23 for blue: channels are in the right order
    red, gray = (0, 0, 200), (60, 60, 60)
    inverted = [tuple(255 - value for value in color) for color in (red, gray)]
    assert set(counts) == {red, gray, *inverted}
    # a hundred of each, and a spread of 8.7
    assert min(counts.values()) > 60


@pytest.fixture(scope='module')
def config():
    return read_config_file(CONFIGS / 'gtpt-t_1xb32-6e_rendered-192x144.py')


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / 'people.npz'
    write_packed_people(packed_people(), path)
    return path


def build_training(config, shard, last):
    settings = config.train_dataloader.dataset
    pipeline = [*settings.pipeline[:-1], last] if last else []
    changed = dict(ann_file=str(shard), data_root='', pipeline=pipeline)
    with DefaultScope.overwrite_default_scope('mmpose'):
        return DATASETS.build(Config(settings.to_dict() | changed))


def test_training_labels_decode_to_the_joints(config, shard):
    last = dict(type='PackPoseInputs', pack_transformed=True, meta_keys=('id',))
    dataset = build_training(config, shard, last)
    label = GTPTLabel((144, 192))
    brightness = []
    for seed in range(12):
        seed_everything(seed)
        packed = dataset[seed % 4]
        assert packed['inputs'].shape == (3, 192, 144)
        sample = packed['data_samples']
        targets = sample.gt_instance_labels
        joints = sample.gt_instances.transformed_keypoints[0]
        inside = ((joints >= 0) & (joints < (143.5, 191.5))).all(-1)
        decoded, _ = label.decode(
            targets.keypoint_x_labels.numpy(), targets.keypoint_y_labels.numpy()
        )
        np.testing.assert_allclose(decoded[0][inside], joints[inside], atol=0.26)
        assert (targets.keypoint_weights[0].numpy()[inside] > 0).all()
        brightness.append(packed['inputs'].float().mean())
    assert np.std(brightness) > 5


def test_image_and_label_of_a_wrist_move_together(config, shard):
    """Half bodies, rotation, scale, shift and flip."""
    moves = ('LoadImage', 'GetBBoxCenterScale', 'RandomHalfWholeBody')
    moves += ('RandomBBoxScaleRotation', 'RandomFlip', 'TopdownAffine')
    steps = config.train_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope('mmpose'):
        steps = [TRANSFORMS.build(step) for step in steps if step['type'] in moves]
    assert len(steps) == len(moves)
    dataset = build_training(config, shard, None)
    wrist, y, x = 9, *np.mgrid[:256, :192]
    mirrored = []
    for seed in range(60):
        seed_everything(seed)
        results = dataset.get_data_info(seed % 4)
        at = results['keypoints'][0, wrist]
        blob = 255 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 18)
        results['img'] = np.repeat(blob[..., None], 3, 2).astype(np.uint8)
        for step in steps:
            results = step(results)
        label = results['transformed_keypoints'][0, wrist + results['flip']]
        if (label < 8).any() or (label > (135, 183)).any():
            continue
        shown = results['img'][..., 0] * (results['img'][..., 0] > 30.0)
        rows, columns = np.mgrid[:192, :144]
        center = np.array([(shown * columns).sum(), (shown * rows).sum()]) / shown.sum()
        np.testing.assert_allclose(center, label, atol=0.15)
        mirrored.append(results['flip'])
    assert sum(mirrored) > 10
    assert len(mirrored) - sum(mirrored) > 10


def test_unknown_effect_is_named_in_the_error():
    with pytest.raises(ValueError, match="has no transform 'Fog'"):
        TRANSFORMS.build(
            dict(type='SeededAlbumentation', transforms=[dict(type='Fog')])
        )


def test_occluders_are_pasted_in_front_of_a_person():
    paste = TRANSFORMS.build(dict(type='RandomOccluders', prob=1.0, size=(0.3, 0.4)))
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


def test_occluders_are_clipped_to_the_image():
    paste = TRANSFORMS.build(
        dict(type='RandomOccluders', prob=1.0, size=(0.5, 3.0), max_occluders=5)
    )
    for seed in range(20):
        image = run(paste, seed, **sample(box=(-20, -20, 90, 90)))
        assert image.shape == (64, 48, 3)
        assert image.min() == 128


def test_no_occluder_at_probability_zero():
    paste = TRANSFORMS.build(dict(type='RandomOccluders', prob=0.0))
    assert (run(paste, 0, **sample()) == 128).all()


def test_occluders_are_loaded_from_image_files():
    pipeline = [
        dict(type='LoadImage'),
        dict(type='RandomOccluders', prob=1.0, size=(0.5, 0.6)),
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


def test_occluder_sizes_must_rise():
    with pytest.raises(ValueError, match='two rising positive numbers'):
        TRANSFORMS.build(dict(type='RandomOccluders', size=(1.0, 0.5)))


def crop_sample(image, box=(12, 16, 36, 48)):
    return dict(
        img=image,
        img_shape=image.shape[:2],
        bbox=np.array([box], np.float32),
        keypoints=np.array([[[20, 30], [14, 17]]], np.float32),
        dataset=WhiteImages(),
    )


def extend(**settings):
    settings = dict(size=(48, 64), prob=1.0, cut=0.0, fill_black=1.0) | settings
    return TRANSFORMS.build(dict(type='ExtendImageBorder', **settings))


def textured():
    image = np.random.default_rng(0).integers(50, 250, (64, 48, 3), np.uint8)
    image[30, 20] = 7
    return image


@pytest.mark.parametrize('fill', range(4))
def test_extended_crops_keep_pixels_and_shift_labels(fill):
    shares = np.eye(4)[fill].tolist()
    image = textured()
    seed_everything(0)
    results = extend(fill_shares=shares, margin=0.25)(crop_sample(image))
    assert results['img'].shape == (64 + 2 * 16, 48 + 2 * 12, 3)
    assert results['img_shape'] == results['img'].shape[:2]
    np.testing.assert_array_equal(results['img'][16:-16, 12:-12], image)
    assert results['bbox'].tolist() == [[24, 32, 48, 64]]
    x, y = results['keypoints'][0, 0].astype(int)
    assert (results['img'][y, x] == 7).all()
    around = results['img'][:16]
    if fill == 0:
        np.testing.assert_array_equal(around[:, 12:-12], image[16:0:-1])
    elif fill == 1:  # the same without detail
        assert around.std() < 0.4 * image.std()
        assert abs(around.mean() - image.mean()) < 10
    elif fill == 2:  # another image of the dataset
        assert (around == 255).all()
    else:
        assert (around == around[0, 0]).all()


def test_whole_photos_and_some_crops_are_not_extended():
    image = textured()
    for settings in (dict(size=(192, 256)), dict(prob=0.0)):
        results = extend(**settings)(crop_sample(image))
        assert results['img'] is image
        assert results['bbox'].tolist() == [[12, 16, 36, 48]]


def test_black_margins_are_filled():
    image = textured()
    image[:, 40:] = 3
    mirrored = dict(margin=0.5, fill_shares=(1.0, 0.0, 0.0, 0.0))
    filled = extend(**mirrored)(crop_sample(image))['img']
    # two columns beside the margin are left out, too
    np.testing.assert_array_equal(filled[32:96, 24:62], image[:, :38])
    assert filled.min() >= 7
    left = extend(fill_black=0.0, **mirrored)(crop_sample(image))['img']
    assert (left[32:96, 24 + 40 : 24 + 48] == 3).all()


def test_distance_from_border_to_person_varies():
    borders = set()
    for seed in range(40):
        seed_everything(seed)
        shares = (0.0, 0.0, 0.0, 1.0)
        results = extend(cut=0.4, margin=0.0, fill_shares=shares)(
            crop_sample(textured())
        )
        image = results['img']
        color = (image == image[0, 0]).all(-1)
        columns, rows = (np.flatnonzero(~color.all(axis)) for axis in (0, 1))
        borders.add(int(columns[0]))
        # of the person nothing is lost
        assert columns[0] <= 12 < 35 <= columns[-1]
        assert rows[0] <= 16 < 47 <= rows[-1]
    assert len(borders) > 8


def test_black_images_are_extended_black():
    image = np.zeros((64, 48, 3), np.uint8)
    results = extend(fill_shares=(1.0, 0.0, 0.0, 0.0))(crop_sample(image))
    assert results['img'].shape == (128, 96, 3)
    assert not results['img'].any()


def test_dark_parts_of_a_person_are_kept():
    image = textured()
    image[:, :20] = 3
    shares = (1.0, 0.0, 0.0, 0.0)
    results = extend(fill_shares=shares, margin=0.5)(crop_sample(image))['img']
    np.testing.assert_array_equal(results[32:96, 24 + 12 : 24 + 48], image[:, 12:])


def test_fill_shares_must_sum_to_one():
    with pytest.raises(ValueError, match='four shares that sum to 1'):
        extend(fill_shares=(0.5, 0.5))


@pytest.mark.parametrize('settings', [dict(margin=-0.1), dict(cut=0.5)])
def test_negative_margin_and_full_cut_are_an_error(settings):
    with pytest.raises(ValueError, match='must not be negative, cut'):
        extend(**settings)
