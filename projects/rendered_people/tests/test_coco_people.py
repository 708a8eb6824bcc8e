"""Packing of COCO folders into shards."""

import json

import cv2
import numpy as np
import pytest
from mmpose.datasets import CocoWholeBodyDataset
from numpy.testing import assert_allclose, assert_array_equal
from packed_shards import packed_people

import mmhot.plugin  # noqa: F401 registers
from projects.rendered_people.coco_people import (
    coco_annotation,
    pack_coco,
    write_coco,
)
from projects.rendered_people.packed_people import write_packed_people
from projects.rendered_people.training.dataset import RenderedPeopleDataset


def whole_body_folder(folder, people):
    """Write packed people as a COCO-WholeBody folder."""
    return write_coco(
        (
            (
                people.encoded(row).tobytes(),
                [
                    coco_annotation(
                        people.keypoints[row],
                        people.visibility[row],
                        people.bboxes[row],
                        float(people.areas[row]),
                    )
                ],
            )
            for row in range(len(people))
        ),
        folder,
    )


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


def test_written_folders_are_packed_without_changes(tmp_path):
    people = packed_people()
    path = whole_body_folder(tmp_path, people)
    packed = pack_coco(path, tmp_path / 'images', size=None)
    for name in ('images', 'offsets', 'keypoints', 'visibility', 'bboxes'):
        assert_array_equal(getattr(packed, name), getattr(people, name))
    found = CocoWholeBodyDataset(
        ann_file=str(path), data_prefix=dict(img='images/'), data_root=str(tmp_path)
    )
    keypoints = [found.get_data_info(row)['keypoints'][0] for row in range(len(found))]
    assert_allclose(keypoints, people.keypoints)


def test_labels_fit_the_cropped_image(tmp_path):
    path = whole_body_folder(tmp_path, packed_people())
    people = pack_coco(path, tmp_path / 'images', size=(96, 128), quality=100)
    image = people.decode(0).astype(int)
    assert image.shape == (128, 96, 3)
    x, y = np.round(people.keypoints[0, people.visibility[0] > 0]).astype(int).T
    # red dots on gray
    assert (image[y, x, 2] - image[y, x, 0]).mean() > 60
    # as high as wide, so it fills the width, less the padding
    assert_allclose(np.diff(people.bboxes[0, ::2]), 96 / 1.35 * 170 / 175, atol=3)


def test_large_people_are_downscaled_without_aliasing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1200, 900, 3), np.uint8)
    image = cv2.imencode('.png', noise)[1].tobytes()
    path = coco_folder(tmp_path, [0, 0, 900, 1200], image=image)
    crop = pack_coco(path, tmp_path, (96, 128), padding=1.0, quality=100).decode(0)
    # a pixel of the crop is about 88 of the image
    assert crop.std() < 1.3 * 73.9 / np.sqrt(88)


def test_keypoints_outside_of_a_crop_are_not_labeled(tmp_path):
    people = packed_people()
    people.bboxes[:] = [90, 90, 110, 110]
    path = whole_body_folder(tmp_path, people)
    packed = pack_coco(path, tmp_path / 'images', padding=1.0)
    inside = packed.visibility > 0
    assert 0 < inside.sum() < inside.size / 4
    assert (packed.keypoints[inside] >= 0).all()
    assert (packed.keypoints[inside] <= (191, 255)).all()


def test_areas_equal_the_annotated_ones(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20], [5, 5, 16, 30], area=123.0)
    document = json.loads(path.read_text())
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


def test_labels_outside_of_whole_images_are_dropped(tmp_path):
    path = coco_folder(tmp_path, [10, 10, 20, 20])
    document = json.loads(path.read_text())
    document['annotations'][0]['keypoints'][:6] = [-5, 12, 2, 59.5, 12, 2]
    path.write_text(json.dumps(document))
    whole = pack_coco(path, tmp_path, size=None)
    assert whole.visibility[0].tolist() == [0, *[2] * 16]
    write_packed_people(whole, tmp_path / 'people.npz')


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
