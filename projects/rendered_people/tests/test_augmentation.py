"""Augmentation of images: photometric effects, occluders and extended borders."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS, TRANSFORMS
from packed_shards import packed_people

import mmhot.plugin  # noqa: F401 registers
from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.datasets.data_loading import seed_everything
from projects.rendered_people.packed_people import write_packed_people
from projects.rendered_people.training.data_loading import PartialEpochSampler
from projects.rendered_people.training.occlusion import RandomTruncation
from projects.rendered_people.training.person_box import RandomBBoxPlacement

pytest.importorskip('albumentations')
CONFIGS = Path(__file__).parents[1] / 'configs'


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


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(CONFIGS / 'gtpt-t_1xb32-6e_rendered-192x144.py')


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


class GrayImages:
    """A dataset of one gray image."""

    def __len__(self):
        return 1

    def get_data_info(self, _):
        return standing()


def standing():
    """A standing person, 17 keypoints down a line."""
    points = np.stack([np.full(17, 100.0), np.linspace(30, 230, 17)], 1)[None]
    return dict(
        img=np.full((256, 200, 3), 90, np.uint8),
        img_shape=(256, 200),
        bbox=np.array([[70, 20, 130, 240]], np.float32),
        keypoints=points.astype(np.float32),
        keypoints_visible=np.ones((1, 17), np.float32),
        dataset=GrayImages(),
    )


@pytest.mark.parametrize('hidden', [0.0, 1.0])
def test_cut_off_people_keep_visible_keypoints(hidden):
    np.random.seed(0)  # noqa: NPY002 (MMPose's transforms draw from it)
    changed = 0
    for _ in range(50):
        before = standing()
        after = RandomTruncation(prob=1.0, hidden=hidden, below=0.5)(standing())
        seen = after['keypoints_visible'][0]
        if np.array_equal(seen, before['keypoints_visible'][0]):
            continue
        changed += 1
        assert set(seen) <= ({1.0, 0.5} if hidden else {1.0, -1.0})
        assert (seen == 1).sum() >= 4
        np.testing.assert_array_equal(after['keypoints'], before['keypoints'])
        box, points = after['bbox'][0], after['keypoints'][0][seen == 1]
        assert (points >= box[:2] - 1).all()
        assert (points <= box[2:] + 1).all()
        assert (box[2:] > box[:2]).all()
        rows, columns = after['img'].shape[:2]
        assert box[2] <= columns
        assert box[3] <= rows
        inside = after['keypoints'][0][seen < 0].round().astype(int)
        for column, row in inside:
            gone = row >= rows or column >= columns
            assert gone or (after['img'][row, column] == 0).all()
    assert changed > 30


@pytest.mark.parametrize('angle', [90, -90, 180, 60])
def test_turned_boxes_contain_the_turned_person(angle, monkeypatch):
    transform = RandomBBoxPlacement(shift_std=0.0, around_prob=1.0)
    draw = np.ones((1, 1)), np.zeros(1)
    monkeypatch.setattr(transform, '_get_transform_params', lambda _: draw)
    placed = np.zeros((1, 2)), np.ones(1, bool), np.array([float(angle)])
    monkeypatch.setattr(transform, '_draw_placement', lambda _: placed)
    results = standing() | dict(
        bbox_center=np.array([[100, 130]], np.float32),
        bbox_scale=np.array([[75, 275]], np.float32),
    )
    points = results['keypoints'][0]
    results = transform(results)
    center, size = results['bbox_center'][0], results['bbox_scale'][0]
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    local = (points - center) @ np.array(((cosine, -sine), (sine, cosine)))
    assert (np.abs(local) <= size / 2).all()
    wide = abs(sine) > 0.9
    assert (size[0] > 3 * size[1]) == wide


def test_parts_cover_the_dataset():
    sampler = PartialEpochSampler(range(10), num_samples=4, seed=1)
    drawn = []
    for epoch in range(5):
        sampler.set_epoch(epoch)
        drawn += list(sampler)
    assert len(sampler) == 4
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    again = PartialEpochSampler(range(10), num_samples=4, seed=1)
    again.set_epoch(3)
    assert list(again) == drawn[12:16]
