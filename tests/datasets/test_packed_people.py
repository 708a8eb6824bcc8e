"""Packed people: files, COCO folders, and the dataset."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmpose.datasets import CocoDataset, CocoWholeBodyDataset
from numpy.testing import assert_allclose, assert_array_equal
from packed import drawn_people

import mmhot.plugin  # noqa: F401 registers
from mmhot.crops import crop_matrix, unmap_points, warp_smoothly
from mmhot.datasets.packed_people import read_packed_people, write_packed_people
from mmhot.datasets.rendered_people import RenderedPeopleDataset
from mmhot.io.json_file import load_json
from mmhot.skeletons.joints import get_skeleton
from tools.lab.coco_people import pack_coco, unpack_coco

ROOT = Path(__file__).parents[2]
WHOLEBODY = get_skeleton('coco-wholebody-133')


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / 'people.npz'
    write_packed_people(drawn_people(), path)
    return path


def assert_same(people, wanted):
    for name in ('images', 'offsets', 'keypoints', 'visibility', 'bboxes'):
        assert_array_equal(getattr(people, name), getattr(wanted, name), err_msg=name)
    assert people.extras.keys() == wanted.extras.keys()
    for name, extra in people.extras.items():
        assert extra.dtype == wanted.extras[name].dtype
        assert_array_equal(extra, wanted.extras[name])


def test_files_give_back_what_was_written(shard):
    assert_same(read_packed_people(shard), drawn_people())


@pytest.mark.parametrize('num_keypoints', [17, 133])
def test_folders_give_back_what_was_packed(tmp_path, num_keypoints):
    people = drawn_people(num_keypoints=num_keypoints)
    path = unpack_coco(people, tmp_path)
    assert_same(pack_coco(path, tmp_path / 'images', size=None), people)


def test_tool_packs_what_it_unpacked(tmp_path, shard):
    run = [sys.executable, '-m', 'tools.lab.pack_people']
    subprocess.run([*run, 'unpack', shard, tmp_path / 'out'], check=True)
    again = tmp_path / 'again.npz'
    arguments = [tmp_path / 'out/annotations.json', tmp_path / 'out/images', again]
    subprocess.run([*run, 'pack', '--whole', *arguments], check=True)
    assert_same(read_packed_people(again), drawn_people())


def test_crops_hold_the_person_where_the_labels_say(tmp_path):
    path = unpack_coco(drawn_people(), tmp_path)
    people = pack_coco(path, tmp_path / 'images', size=(96, 128), quality=100)
    image = people.decode(0).astype(int)
    assert image.shape == (128, 96, 3)
    x, y = np.round(people.keypoints[0, people.visibility[0] > 0]).astype(int).T
    # red dots on gray
    assert (image[y, x, 2] - image[y, x, 0]).mean() > 60
    # as high as wide, so it fills the width, less the padding
    assert_allclose(np.diff(people.bboxes[0, ::2]), 96 / 1.35 * 170 / 175, atol=3)


def test_what_mmpose_takes_for_visible_stays_labeled(tmp_path):
    path = unpack_coco(drawn_people(num_keypoints=133), tmp_path)
    document = load_json(path)
    hand = document['annotations'][0]['lefthand_kpts']
    hand[2::3] = [0.1, 0, 0.4, 1, 1.3] + [2] * 16
    path.write_text(json.dumps(document))
    people = pack_coco(path, tmp_path / 'images', size=None)
    left_hand = people.visibility[0, 91:112]
    assert left_hand.tolist() == [1, 0, 1, 1, 2] + [2] * 16


def test_large_people_become_small_without_aliasing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1200, 900, 3), np.uint8)
    matrix = crop_matrix(np.array([0, 0, 900, 1200]), (96, 128), 1.0)
    # a pixel of the crop is about 88 of the picture
    assert warp_smoothly(noise, matrix, (96, 128)).std() < 1.3 * 73.9 / np.sqrt(88)
    # and what is seen stays where it is: OpenCV rounds to 1/32 of nine pixels
    y, x = np.mgrid[:1200, :900].astype(np.float32)
    seen = warp_smoothly(np.stack([x, y], -1), matrix, (96, 128))
    inner = np.stack(np.meshgrid(np.arange(4, 92), np.arange(4, 124)), -1)
    wanted = unmap_points(matrix, inner.astype(float))
    assert_allclose(seen[4:124, 4:92], wanted, atol=0.15)


def test_cameras_project_into_crops(tmp_path):
    people = drawn_people()
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


def test_other_cameras_are_refused(tmp_path):
    people = replace(drawn_people(), extras={'K': np.zeros((4, 3, 3))})
    path = unpack_coco(people, tmp_path)
    with pytest.raises(ValueError, match=r'K must be fx, fy, cx, cy .* \(3, 3\)'):
        pack_coco(path, tmp_path / 'images')


def test_folders_are_not_written_over(tmp_path):
    path = unpack_coco(drawn_people(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match='annotations.json is there already'):
        unpack_coco(replace(drawn_people(), extras={}), tmp_path)
    assert path.read_bytes() == before
    path.unlink()
    with pytest.raises(FileExistsError, match=r'images/00000\d.* is there already'):
        unpack_coco(drawn_people(), tmp_path)


@pytest.mark.parametrize(
    ('num_keypoints', 'dataset'), [(17, CocoDataset), (133, CocoWholeBodyDataset)]
)
def test_mmpose_reads_what_was_unpacked(tmp_path, num_keypoints, dataset):
    people = drawn_people(num_keypoints=num_keypoints)
    path = unpack_coco(people, tmp_path)
    options = dict(data_prefix=dict(img='images/'), data_root=str(tmp_path))
    found = dataset(ann_file=str(path), **options)
    assert len(found) == len(people)
    keypoints = [found.get_data_info(row)['keypoints'][0] for row in range(len(found))]
    assert_allclose(keypoints, people.keypoints)


def test_half_a_pixel_outside_is_on_the_border_of_whole_pictures(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20], [5, 5, 16, 30])
    document = load_json(path)
    document['annotations'][0]['keypoints'][:3] = [-0.4, 12.25, 2]
    path.write_text(json.dumps(document))
    whole = pack_coco(path, tmp_path, size=None)
    assert whole.keypoints[0, 0].tolist() == [0, 12.25]
    write_packed_people(whole, tmp_path / 'people.npz')
    assert len(RenderedPeopleDataset(ann_file=str(tmp_path / 'people.npz'))) == 2


def test_areas_are_those_of_the_annotations(tmp_path):
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


def test_people_of_a_picture_are_together(tmp_path):
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
    people = drawn_people()
    people.bboxes[:] = [90, 90, 110, 110]
    path = unpack_coco(people, tmp_path)
    packed = pack_coco(path, tmp_path / 'images', padding=1.0)
    inside = packed.visibility > 0
    assert 0 < inside.sum() < inside.size / 4
    assert (packed.keypoints[inside] >= 0).all()
    assert (packed.keypoints[inside] <= (191, 255)).all()


def test_labels_outside_of_whole_pictures_do_not_count(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20])
    document = load_json(path)
    document['annotations'][0]['keypoints'][:6] = [-5, 12, 2, 59.5, 12, 2]
    path.write_text(json.dumps(document))
    whole = pack_coco(path, tmp_path, size=None)
    assert whole.visibility[0].tolist() == [0, *[2] * 16]
    write_packed_people(whole, tmp_path / 'people.npz')


def test_pictures_that_are_too_large_to_be_packed_whole_are_named(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20])
    document = load_json(path)
    document['annotations'][0]['keypoints'][0] = 1300
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r'a b.png has a label at 1300 pixels'):
        pack_coco(path, tmp_path / 'not looked at', size=None)


def test_keypoints_of_other_names_are_refused(tmp_path):
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


def test_far_keypoints_cannot_be_packed(tmp_path):
    people = drawn_people()
    people.keypoints[0, 0, 0] = 2000
    with pytest.raises(ValueError, match='crop the images first'):
        write_packed_people(people, tmp_path / 'people.npz')
    assert not list(tmp_path.iterdir())


def damage(path, **arrays):
    """Rewrite a file with other arrays; None takes one away."""
    with np.load(path) as archive:
        arrays = dict(archive) | arrays
    np.savez(path, **{name: x for name, x in arrays.items() if x is not None})


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ({'vis': None}, "has no array 'vis'"),
        ({'bbox': np.zeros((3, 4))}, 'same number of people'),
        ({'kpts_q': np.zeros((4, 133), np.uint16)}, r"'kpts_q' is uint16 \(4, 133\)"),
        ({'kpts_q': np.full((4, 133, 2), np.nan)}, "'kpts_q' is float64"),
        ({'offsets': np.arange(5)}, "'offsets' do not fit"),
        ({'offsets': np.arange(5.0)}, "'offsets' is float64"),
        ({'offsets': np.uint64([0, 9, 5, 7, 8])}, "'offsets' do not fit"),
        ({'vis': np.full((4, 133), 3, np.uint8)}, "'vis' must be 0, 1 or 2"),
        ({'bbox': np.full((4, 4), np.nan)}, "'bbox' must be .* finite"),
        ({'bbox': np.tile([9, 9, 1, 1], (4, 1))}, "'bbox' must be .* in this order"),
        ({'cam3d': np.float32(1)}, 'same number of people'),
        ({'area': np.array([1.0, 2, 3, -4])}, "'area' must be one positive number"),
    ],
)
def test_damaged_files_are_refused(shard, arrays, message):
    damage(shard, **arrays)
    with pytest.raises(ValueError, match=f'people.npz is no file .*{message}'):
        read_packed_people(shard)


@pytest.mark.parametrize('share', [0, 0.5, 1])
def test_files_that_were_cut_off_are_refused(shard, share):
    content = shard.read_bytes()
    shard.write_bytes(content[: int(share * (len(content) - 1))])
    with pytest.raises(ValueError, match='people.npz is no file of packed people: .*'):
        read_packed_people(shard)


def test_damaged_pictures_are_named(shard):
    with np.load(shard) as archive:
        images = np.zeros_like(archive['images'])
    damage(shard, images=images)
    with pytest.raises(ValueError, match='people.npz: image 1 is no readable picture'):
        RenderedPeopleDataset(ann_file=str(shard))[1]


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.npz does not exist'):
        read_packed_people(tmp_path / 'none.npz')
    (tmp_path / 'text.npz').write_text('no archive')
    with pytest.raises(ValueError, match='text.npz is no file of packed people'):
        read_packed_people(tmp_path / 'text.npz')


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
def test_foreign_annotations_are_refused(tmp_path, content, message):
    path = tmp_path / 'ann.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        pack_coco(path, tmp_path)


def coco_folder(folder, *boxes, visible=2, **entries):
    """A picture of 60 x 40 pixels with people of these boxes."""
    image = cv2.imencode('.png', np.full((40, 60, 3), 90, np.uint8))[1].tobytes()
    (folder / 'a b.png').write_bytes(entries.pop('picture', image))
    person = dict(image_id=1, keypoints=[20, 10, visible] * 17, iscrowd=0, **entries)
    people = [dict(person, id=number, bbox=box) for number, box in enumerate(boxes)]
    content = dict(images=[dict(id=1, file_name='a b.png')], annotations=people)
    path = folder / 'annotations.json'
    path.write_text(json.dumps(content))
    return path


def test_boxes_are_cut_and_left_out_as_in_mmpose(tmp_path):
    boxes = ([10, 10, 20, 20], [-30, -30, 60, 60], [70, 10, 9, 9], [5, 5, 0, 9])
    boxes += ([20, 20, -9, -9], [50, 30, 100, 100])
    path = coco_folder(tmp_path, *boxes)
    people = pack_coco(path, tmp_path, size=None)
    kept = [[10, 10, 30, 30], [0, 0, 30, 30], [50, 30, 59, 39]]
    assert people.bboxes.tolist() == kept
    assert len(pack_coco(path, tmp_path)) == 3
    for boxes, visible in (([[70, 10, 9, 9]], 2), ([[10, 10, 20, 20]], 0)):
        path = coco_folder(tmp_path, *boxes, visible=visible)
        with pytest.raises(
            ValueError, match='has no person with keypoints whose box is'
        ):
            pack_coco(path, tmp_path, size=None)


def test_small_people_are_left_out(tmp_path):
    boxes = [[10, 10, 20, 20], [5, 5, 30, 19.9], [8, 5, 9, 30], [9, -90, 9, 100]]
    path = coco_folder(tmp_path, *boxes)
    people = pack_coco(path, tmp_path, size=None, min_height=20)
    assert people.bboxes.tolist() == [[10, 10, 30, 30], [8, 5, 17, 35]]
    with pytest.raises(ValueError, match='at least 31 pixels high'):
        pack_coco(path, tmp_path, size=None, min_height=31)


@pytest.mark.parametrize('size', [None, (96, 128)])
@pytest.mark.parametrize('picture', [b'', b'GIF89a', b'\xff\xd8\xff\xe0 cut off'])
def test_unreadable_pictures_are_named(tmp_path, picture, size):
    path = coco_folder(tmp_path, [10, 10, 20, 20], picture=picture)
    with pytest.raises(ValueError, match='a b.png is no readable picture'):
        pack_coco(path, tmp_path, size)


@pytest.mark.parametrize('box', [None, [1, 2, 3], [1, 2, 3, float('nan')], 'abcd'])
def test_boxes_that_are_none_are_refused(tmp_path, box):
    with pytest.raises(ValueError, match=r'annotations.json must be a COCO file'):
        pack_coco(coco_folder(tmp_path, box), tmp_path)


def test_people_without_a_body_and_views_without_people_come_back(tmp_path):
    people = drawn_people()
    people.visibility[0, :17] = 0
    people.visibility[1] = 0
    people.bboxes[:] = np.random.default_rng(0).uniform(-9, 90, (4, 4))
    people.bboxes[:, 2:] += 100
    path = unpack_coco(people, tmp_path)
    again = pack_coco(path, tmp_path / 'images', size=None)
    assert_array_equal(again.visibility, people.visibility)
    assert_array_equal(again.bboxes, people.bboxes)  # to the last bit


def test_unpacked_people_are_those_of_the_dataset(tmp_path, shard):
    settings = dict(skeleton='coco-wholebody-133')
    packed = RenderedPeopleDataset(ann_file=str(shard), **settings)
    path = unpack_coco(read_packed_people(shard), tmp_path)
    for person, info in zip(load_json(path)['annotations'], packed, strict=True):
        wanted = info['raw_ann_info']
        assert person['area'] == wanted['area'] == pytest.approx(0.53 * 170 * 175)
        assert person['num_keypoints'] == wanted['num_keypoints'] == 17


def test_options_of_mmposes_datasets_hold_or_are_refused(shard):
    assert len(RenderedPeopleDataset(ann_file=str(shard), sample_interval=3)) == 2
    for option in (dict(bbox_file='a.json'), dict(data_mode='bottomup')):
        with pytest.raises(
            ValueError, match=f'{next(iter(option))} of RenderedPeopleDataset'
        ):
            RenderedPeopleDataset(ann_file=str(shard), **option)


def test_complete_labels_tell_what_is_absent_from_what_is_unknown(tmp_path):
    people = drawn_people()
    people.visibility[:, :40] = 0
    people.visibility[:, 40:91] = 1  # hidden, the face among them
    path = tmp_path / 'people.npz'
    write_packed_people(people, path)
    settings = dict(ann_file=str(path), skeleton=WHOLEBODY.name, visible_only=('face',))
    for complete, absent in ((False, 0), (True, -1)):
        dataset = RenderedPeopleDataset(complete=complete, **settings)
        sample = dataset.get_data_info(0)
        visible = sample['keypoints_visible'][0]
        assert visible.dtype == np.float32
        assert set(visible[:40]) == {absent}
        assert set(visible[40:91]) == {0}
        assert set(visible[91:]) == {1}
        # what metrics read
        assert sample['raw_ann_info']['keypoints'][2::3] == [0] * 17


def test_hidden_keypoints_can_count_less(shard):
    people = read_packed_people(shard)
    dataset = RenderedPeopleDataset(
        ann_file=str(shard), hidden_weight=0.5, complete=True
    )
    for row in range(4):
        weights = dataset.get_data_info(row)['keypoints_visible'][0]
        wanted = np.array((-1, 0.5, 1))[people.visibility[row, :17]]
        np.testing.assert_array_equal(weights, wanted)
    for weight in (0.4, 1.1):
        with pytest.raises(ValueError, match=r'hidden_weight must be in \[0.5, 1\]'):
            RenderedPeopleDataset(ann_file=str(shard), hidden_weight=weight)


def test_who_is_hardly_seen_can_be_left_out(tmp_path):
    people = drawn_people()
    people.visibility[:] = 1
    people.visibility[0, :4] = people.visibility[1, :3] = 2
    people.visibility[1, 17:] = 2  # feet, face and hands do not count
    people.visibility[2] = 0  # nobody is there
    path = tmp_path / 'people.npz'
    write_packed_people(people, path)
    settings = dict(ann_file=str(path), min_keypoints=0, min_visible=4)
    rows = [info['row'] for info in RenderedPeopleDataset(**settings)]
    assert rows == [0, 2]


@pytest.mark.parametrize('skeleton', ['coco-17', 'coco-wholebody-133'])
def test_samples_have_mmposes_keys(shard, skeleton):
    people = drawn_people()
    sample = RenderedPeopleDataset(ann_file=str(shard), skeleton=skeleton)[2]
    count = get_skeleton(skeleton).num_keypoints
    assert sample['img'].shape == (256, 192, 3)
    assert_array_equal(sample['img'], people.decode(2))
    assert_array_equal(sample['keypoints'][0], people.keypoints[2, :count])
    assert_array_equal(sample['keypoints_visible'], np.ones((1, count)))
    assert_array_equal(sample['bbox'], people.bboxes[2:3])
    assert len(sample['flip_indices']) == count


def test_hidden_points_count_except_where_told(shard):
    settings = dict(ann_file=str(shard), skeleton='coco-wholebody-133')
    sample = RenderedPeopleDataset(visible_only=['face'], **settings)[1]
    face = WHOLEBODY.indices('face')
    wanted = np.ones(133)
    wanted[face] = drawn_people().visibility[1, face] == 2
    assert_array_equal(sample['keypoints_visible'][0], wanted)


# left big toe, small toe and heel, then right: pixels from each other's person
FEET = np.array([[10, 50], [5, 48], [12, 40], [60, 50], [66, 48], [58, 40]])


def write_feet(path, order):
    """Write people whose stored feet are those of FEET in this order."""
    people = drawn_people()
    keypoints, visibility = people.keypoints.copy(), people.visibility.copy()
    keypoints[:, 17:23], visibility[:, 17:23] = FEET[order], [1, 1, 1, 2, 2, 2]
    visibility[:, 17:23] = visibility[:, 17:23][:, order]
    points = np.arange(23)
    points[17:] = 17 + np.array(order)
    cam3d = np.repeat(points[None, :, None], len(people), 0).astype(np.float32)
    people = replace(
        people, keypoints=keypoints, visibility=visibility, extras=dict(cam3d=cam3d)
    )
    write_packed_people(people, path)
    return str(path)


@pytest.mark.parametrize('order', [[0, 1, 2, 3, 4, 5], [0, 3, 1, 4, 2, 5]])
def test_feet_are_put_in_order_where_wanted(tmp_path, order, caplog):
    path = write_feet(tmp_path / 'feet.npz', order)
    settings = dict(ann_file=path, skeleton='coco-wholebody-133')
    ordered = RenderedPeopleDataset(order_feet=True, **settings)
    assert_array_equal(ordered[1]['keypoints'][0, 17:23], FEET)
    assert ordered.shards[0].visibility[1, 17:23].tolist() == [1, 1, 1, 2, 2, 2]
    assert_array_equal(ordered.shards[0].extras['cam3d'][0, :, 0], np.arange(23))
    assert_array_equal(
        ordered[1]['keypoints'][0, 23:], drawn_people().keypoints[1, 23:]
    )
    RenderedPeopleDataset(ann_file=path)  # has no feet
    assert not caplog.messages
    stored = RenderedPeopleDataset(**settings)
    assert_array_equal(stored[1]['keypoints'][0, 17:23], FEET[order])
    assert ['order_feet=True' in line for line in caplog.messages] == (
        [] if order == sorted(order) else [True]
    )


@pytest.mark.parametrize('skeleton', ['mpii-16', 3])
def test_other_skeletons_are_refused(shard, skeleton):
    with pytest.raises(ValueError, match='skeleton must be one of coco-17'):
        RenderedPeopleDataset(ann_file=str(shard), skeleton=skeleton)


def test_descriptions_of_other_skeletons_are_refused(shard):
    described = dict(from_file='configs/_base_/datasets/coco_wholebody.py')
    with pytest.raises(ValueError, match="133 keypoints, skeleton 'coco-17' has 17"):
        RenderedPeopleDataset(ann_file=str(shard), metainfo=described)


def test_datasets_can_be_copied(shard):
    dataset = RenderedPeopleDataset(ann_file=str(shard))
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.skeleton is dataset.skeleton
    assert_array_equal(copy[1]['img'], dataset[1]['img'])
    assert len(dataset.get_subset([0, 2])) == 2


def test_body_shards_lack_the_whole_body(tmp_path):
    path = tmp_path / 'body.npz'
    write_packed_people(drawn_people(num_keypoints=17), path)
    with pytest.raises(ValueError, match=r'body.npz has 17 keypoints, .* needs 133'):
        RenderedPeopleDataset(ann_file=str(path), skeleton='coco-wholebody-133')


@pytest.mark.parametrize(
    ('skeleton', 'metric'),
    [('coco-17', 'CocoMetric'), ('coco-wholebody-133', 'CocoWholeBodyMetric')],
)
def test_true_keypoints_are_worth_full_precision(shard, skeleton, metric, tmp_path):
    from mmpose.registry import METRICS

    people = RenderedPeopleDataset(
        ann_file=str(shard), skeleton=skeleton, test_mode=True
    )
    metric = METRICS.build(dict(type=metric, outfile_prefix=str(tmp_path / 'eval')))
    metric.dataset_meta = people.metainfo
    for info in people:
        info['ori_shape'] = info['img'].shape[:2]
        instances = dict(
            keypoints=info['keypoints'],
            keypoint_scores=np.ones_like(info['keypoints_visible']),
            bbox_scores=np.ones(1),
            bboxes=info['bbox'],
        )
        gt = dict(bbox_scales=np.ones((1, 2)), bbox_scores=np.ones(1))
        metric.process({}, [info | dict(pred_instances=instances, gt_instances=gt)])
    scores = metric.evaluate(len(people))
    precisions = {name: value for name, value in scores.items() if name.endswith('AP')}
    assert set(precisions.values()) == {1.0}
