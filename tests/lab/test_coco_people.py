"""Packing of COCO folders into shards, and unpacking."""

import json
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from mmpose.datasets import CocoDataset, CocoWholeBodyDataset
from numpy.testing import assert_allclose, assert_array_equal
from packed_shards import assert_same, packed_people

import mmhot.plugin  # noqa: F401 registers
from mmhot.datasets.packed_people import read_packed_people
from mmhot.datasets.rendered_people import RenderedPeopleDataset
from mmhot.io.arrays import load_json
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.crops import crop_matrix, unmap_points, warp_smoothly
from tools.lab.coco_people import pack_coco, unpack_coco
from tools.lab.packing import write_packed_people


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / 'people.npz'
    write_packed_people(packed_people(), path)
    return path


@pytest.mark.parametrize('num_keypoints', [17, 133])
def test_coco_folder_round_trip(tmp_path, num_keypoints):
    people = packed_people(num_keypoints=num_keypoints)
    path = unpack_coco(people, tmp_path)
    assert_same(pack_coco(path, tmp_path / 'images', size=None), people)


def test_tool_round_trip(tmp_path, shard):
    run = [sys.executable, '-m', 'tools.lab.pack_people']
    subprocess.run([*run, 'unpack', shard, tmp_path / 'out'], check=True)
    again = tmp_path / 'again.npz'
    arguments = [tmp_path / 'out/annotations.json', tmp_path / 'out/images', again]
    subprocess.run([*run, 'pack', '--whole', *arguments], check=True)
    assert_same(read_packed_people(again), packed_people())


def test_labels_fit_the_cropped_image(tmp_path):
    path = unpack_coco(packed_people(), tmp_path)
    people = pack_coco(path, tmp_path / 'images', size=(96, 128), quality=100)
    image = people.decode(0).astype(int)
    assert image.shape == (128, 96, 3)
    x, y = np.round(people.keypoints[0, people.visibility[0] > 0]).astype(int).T
    # red dots on gray
    assert (image[y, x, 2] - image[y, x, 0]).mean() > 60
    # as high as wide, so it fills the width, less the padding
    assert_allclose(np.diff(people.bboxes[0, ::2]), 96 / 1.35 * 170 / 175, atol=3)


def test_fractional_visibility_stays_labeled_as_in_mmpose(tmp_path):
    path = unpack_coco(packed_people(num_keypoints=133), tmp_path)
    document = load_json(path)
    hand = document['annotations'][0]['lefthand_kpts']
    hand[2::3] = [0.1, 0, 0.4, 1, 1.3] + [2] * 16
    path.write_text(json.dumps(document))
    people = pack_coco(path, tmp_path / 'images', size=None)
    left_hand = people.visibility[0, 91:112]
    assert left_hand.tolist() == [1, 0, 1, 1, 2] + [2] * 16


def test_large_people_are_downscaled_without_aliasing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1200, 900, 3), np.uint8)
    matrix = crop_matrix(np.array([0, 0, 900, 1200]), (96, 128), 1.0)
    # a pixel of the crop is about 88 of the image
    assert warp_smoothly(noise, matrix, (96, 128)).std() < 1.3 * 73.9 / np.sqrt(88)
    # and what is seen stays where it is: OpenCV rounds to 1/32 of nine pixels
    y, x = np.mgrid[:1200, :900].astype(np.float32)
    seen = warp_smoothly(np.stack([x, y], -1), matrix, (96, 128))
    inner = np.stack(np.meshgrid(np.arange(4, 92), np.arange(4, 124)), -1)
    wanted = unmap_points(matrix, inner.astype(float))
    assert_allclose(seen[4:124, 4:92], wanted, atol=0.15)


def test_cameras_project_into_crops(tmp_path):
    people = packed_people()
    people.bboxes[:, :2] += np.float32([[0, 0], [3, 9], [20, 5], [0, 11]])
    # fx, fy, cx, cy, as in the shards of rendered people
    cameras = np.tile(np.float32([300, 310, 90, 130]), (4, 1))
    cameras[1] = [250, 240, 60, 90]
    rays = (people.keypoints - cameras[:, None, 2:]) / cameras[:, None, :2]
    people = replace(people, extras={'rays': rays, 'K': cameras})
    path = unpack_coco(people, tmp_path)
    crops = pack_coco(path, tmp_path / 'images', size=(96, 128), min_height=100)
    assert_array_equal(crops.extras['rays'], rays)
    seen = rays * crops.extras['K'][:, None, :2] + crops.extras['K'][:, None, 2:]
    assert_allclose(seen, crops.keypoints, atol=0.02)


def test_camera_arrays_of_other_shapes_are_an_error(tmp_path):
    people = replace(packed_people(), extras={'K': np.zeros((4, 3, 3))})
    path = unpack_coco(people, tmp_path)
    with pytest.raises(ValueError, match=r'K must be fx, fy, cx, cy .* \(3, 3\)'):
        pack_coco(path, tmp_path / 'images')


def test_existing_files_are_not_overwritten(tmp_path):
    path = unpack_coco(packed_people(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match='annotations.json is there already'):
        unpack_coco(replace(packed_people(), extras={}), tmp_path)
    assert path.read_bytes() == before
    path.unlink()
    with pytest.raises(FileExistsError, match=r'images/00000\d.* is there already'):
        unpack_coco(packed_people(), tmp_path)


@pytest.mark.parametrize(
    ('num_keypoints', 'dataset'), [(17, CocoDataset), (133, CocoWholeBodyDataset)]
)
def test_mmpose_reads_unpacked_people(tmp_path, num_keypoints, dataset):
    people = packed_people(num_keypoints=num_keypoints)
    path = unpack_coco(people, tmp_path)
    options = dict(data_prefix=dict(img='images/'), data_root=str(tmp_path))
    found = dataset(ann_file=str(path), **options)
    assert len(found) == len(people)
    keypoints = [found.get_data_info(row)['keypoints'][0] for row in range(len(found))]
    assert_allclose(keypoints, people.keypoints)


def test_labels_half_a_pixel_outside_are_clipped_to_whole_images(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20], [5, 5, 16, 30])
    document = load_json(path)
    document['annotations'][0]['keypoints'][:3] = [-0.4, 12.25, 2]
    path.write_text(json.dumps(document))
    whole = pack_coco(path, tmp_path, size=None)
    assert whole.keypoints[0, 0].tolist() == [0, 12.25]
    write_packed_people(whole, tmp_path / 'people.npz')
    assert len(RenderedPeopleDataset(ann_file=str(tmp_path / 'people.npz'))) == 2


def test_areas_equal_the_annotated_ones(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20], [5, 5, 16, 30], area=123.0)
    document = load_json(path)
    del document['annotations'][1]['area']
    path.write_text(json.dumps(document))
    wanted = [123, 0.53 * 16 * 30]
    whole = pack_coco(path, tmp_path, size=None)
    assert_allclose(whole.areas, wanted)
    write_packed_people(whole, tmp_path / 'people.npz')
    infos = RenderedPeopleDataset(ann_file=str(tmp_path / 'people.npz'))
    areas = [info['raw_ann_info']['area'] for info in infos]
    assert_allclose(areas, wanted)
    # 20 and 30 pixels high in crops of 60 and 80 that are 1.25 times as large
    crops = pack_coco(path, tmp_path, size=(60, 80), padding=1.25)
    zoom = np.array([60 / 25, 80 / 37.5])
    assert_allclose(crops.areas, wanted * zoom**2, rtol=1e-5)


def test_people_of_an_image_are_adjacent(tmp_path):
    path = coco_folder(tmp_path, *([n, 5, 9, 9] for n in range(5)))
    document = load_json(path)
    document['images'].append(dict(id=7, file_name='b.png'))
    for person in document['annotations'][::2]:
        person['image_id'] = 7
    path.write_text(json.dumps(document))
    (tmp_path / 'b.png').write_bytes((tmp_path / 'a b.png').read_bytes())
    people = pack_coco(path, tmp_path, size=None)
    assert people.bboxes[:, 0].tolist() == [1, 3, 0, 2, 4]


def test_keypoints_outside_of_a_crop_are_not_labeled(tmp_path):
    people = packed_people()
    people.bboxes[:] = [90, 90, 110, 110]
    path = unpack_coco(people, tmp_path)
    packed = pack_coco(path, tmp_path / 'images', padding=1.0)
    inside = packed.visibility > 0
    assert 0 < inside.sum() < inside.size / 4
    assert (packed.keypoints[inside] >= 0).all()
    assert (packed.keypoints[inside] <= (191, 255)).all()


def test_labels_outside_of_whole_images_are_dropped(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20])
    document = load_json(path)
    document['annotations'][0]['keypoints'][:6] = [-5, 12, 2, 59.5, 12, 2]
    path.write_text(json.dumps(document))
    whole = pack_coco(path, tmp_path, size=None)
    assert whole.visibility[0].tolist() == [0, *[2] * 16]
    write_packed_people(whole, tmp_path / 'people.npz')


def test_too_large_whole_images_are_named_in_the_error(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20])
    document = load_json(path)
    document['annotations'][0]['keypoints'][0] = 1300
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r'a b.png has a label at 1300 pixels'):
        pack_coco(path, tmp_path / 'not looked at', size=None)


def test_other_keypoint_names_are_an_error(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20])
    document = load_json(path)
    document['annotations'][0]['category_id'] = 1
    names = list(get_skeleton('coco-17').joints)
    category = dict(id=1, name='person', keypoints=[names[0].title(), *names[1:]])
    document['categories'] = [category]
    path.write_text(json.dumps(document))
    assert len(pack_coco(path, tmp_path)) == 1
    category['keypoints'][1] = 'head_bottom'
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="keypoint 1 is 'head_bottom', not 'left_eye'"):
        pack_coco(path, tmp_path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'images': []}, "lacks 'annotations'"),
        ({'images': [], 'annotations': []}, 'has no person with keypoints'),
        ([], 'it has no images and annotations'),
        ({'images': [{'id': 1, 'file_name': None}]}, "'file_name' is None"),
        (
            {'images': [], 'annotations': [{'image_id': 5, 'id': 3}]},
            'annotation 3 is of image 5, which it lacks',
        ),
        ({'images': [], 'annotations': [], 'extras': []}, 'must be a COCO file'),
    ],
)
def test_malformed_annotations_are_an_error(tmp_path, content, message):
    path = tmp_path / 'ann.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        pack_coco(path, tmp_path)


def coco_folder(folder, *boxes, visible=2, **entries):
    """Write an image of 60 x 40 pixels and annotations of people with these boxes."""
    image = cv2.imencode('.png', np.full((40, 60, 3), 90, np.uint8))[1].tobytes()
    (folder / 'a b.png').write_bytes(entries.pop('image', image))
    person = dict(image_id=1, keypoints=[20, 10, visible] * 17, iscrowd=0, **entries)
    people = [dict(person, id=number, bbox=box) for number, box in enumerate(boxes)]
    content = dict(images=[dict(id=1, file_name='a b.png')], annotations=people)
    path = folder / 'annotations.json'
    path.write_text(json.dumps(content))
    return path


def test_boxes_are_clipped_and_dropped_as_in_mmpose(tmp_path):
    boxes = ([10, 10, 20, 20], [-30, -30, 60, 60], [70, 10, 9, 9], [5, 5, 0, 9])
    boxes += ([20, 20, -9, -9], [50, 30, 100, 100])
    path = coco_folder(tmp_path, *boxes)
    people = pack_coco(path, tmp_path, size=None)
    kept = [[10, 10, 30, 30], [0, 0, 30, 30], [50, 30, 59, 39]]
    assert people.bboxes.tolist() == kept
    assert len(pack_coco(path, tmp_path)) == 3
    for boxes, visible in (([[70, 10, 9, 9]], 2), ([[10, 10, 20, 20]], 0)):
        path = coco_folder(tmp_path, *boxes, visible=visible)
        with pytest.raises(ValueError, match='has no person with keypoints whose'):
            pack_coco(path, tmp_path, size=None)


def test_small_people_are_left_out(tmp_path):
    boxes = [[10, 10, 20, 20], [5, 5, 30, 19.9], [8, 5, 9, 30], [9, -90, 9, 100]]
    path = coco_folder(tmp_path, *boxes)
    people = pack_coco(path, tmp_path, size=None, min_height=20)
    assert people.bboxes.tolist() == [[10, 10, 30, 30], [8, 5, 17, 35]]
    with pytest.raises(ValueError, match='at least 31 pixels high'):
        pack_coco(path, tmp_path, size=None, min_height=31)


@pytest.mark.parametrize('size', [None, (96, 128)])
@pytest.mark.parametrize('image', [b'', b'GIF89a', b'\xff\xd8\xff\xe0 cut off'])
def test_unreadable_images_are_named_in_the_error(tmp_path, image, size):
    path = coco_folder(tmp_path, [10, 10, 20, 20], image=image)
    with pytest.raises(ValueError, match='a b.png is no readable'):
        pack_coco(path, tmp_path, size)


@pytest.mark.parametrize('box', [None, [1, 2, 3], [1, 2, 3, float('nan')], 'abcd'])
def test_malformed_boxes_are_an_error(tmp_path, box):
    with pytest.raises(ValueError, match=r'annotations.json must be a COCO file'):
        pack_coco(coco_folder(tmp_path, box), tmp_path)


def test_round_trip_of_unlabeled_bodies_and_images_without_people(tmp_path):
    people = packed_people()
    people.visibility[0, :17] = 0
    people.visibility[1] = 0
    people.bboxes[:] = np.random.default_rng(0).uniform(-9, 90, (4, 4))
    people.bboxes[:, 2:] += 100
    path = unpack_coco(people, tmp_path)
    again = pack_coco(path, tmp_path / 'images', size=None)
    assert_array_equal(again.visibility, people.visibility)
    assert_array_equal(again.bboxes, people.bboxes)  # to the last bit


def test_unpacked_annotations_equal_the_datasets(tmp_path, shard):
    settings = dict(skeleton='coco-wholebody-133')
    packed = RenderedPeopleDataset(ann_file=str(shard), **settings)
    path = unpack_coco(read_packed_people(shard), tmp_path)
    for person, info in zip(load_json(path)['annotations'], packed, strict=True):
        wanted = info['raw_ann_info']
        assert person['area'] == wanted['area'] == pytest.approx(0.53 * 170 * 175)
        assert person['num_keypoints'] == wanted['num_keypoints'] == 17
