"""Faults of annotations in COCO's format are found before a training."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmpose.registry import DATASETS

import mmhot.plugin  # noqa: F401 registers
from mmhot.datasets.coco_checks import annotation_faults
from mmhot.skeletons.joints import get_skeleton

PERSON = dict(
    id=7,
    image_id=1,
    category_id=1,
    iscrowd=0,
    num_keypoints=17,
    area=9e3,
    bbox=[60, 40, 200, 220],
    keypoints=[90, 60, 2, *[150, 100, 1] * 16],
)
IMAGE = dict(id=1, file_name='000001.png', width=360, height=270)
FOLDER = str(Path(__file__).parents[1] / 'data/drawn_people')
COCO17 = get_skeleton('coco-17').joints


@pytest.fixture
def faults_of(tmp_path):
    """Faults of a file of people, as a dataset and a metric need it."""

    def find(*people, image=(), keypoints=(), use_area=True):
        path = tmp_path / 'val.json'
        category = dict(id=1, name='person', keypoints=list(keypoints))
        content = dict(images=[IMAGE | dict(image)], annotations=people)
        path.write_text(json.dumps(content | dict(categories=[category])))
        dataset = dict(ann_file=str(path), data_prefix=dict(img=FOLDER), pipeline=[])
        dataset = DATASETS.build(dict(dataset, type='CocoDataset', lazy_init=True))
        return annotation_faults(dataset, [SimpleNamespace(use_area=use_area)])

    return find


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(area=0), "annotation 7, 'area': got 0, must be above 0"),
        (dict(area=float('nan')), "annotation 7, 'area': has a number that is not"),
        (dict(bbox=None), "annotation 7, 'bbox': is missing"),
        (dict(iscrowd=1), 'no usable person'),
        (dict(image_id=2), "annotation 7, 'image_id': there is no image 2"),
        (
            dict(keypoints=[9, 9, 2] * 6),
            r'has 18 numbers, wanted 51 \(x, y, visibility\) for the',
        ),
        (
            dict(keypoints=[[90, 60, 2]] * 17),
            r'has 17 numbers, wanted 51 \(x, y, visibility\) for the',
        ),
        (dict(keypoints=[0.3, 0.4, 2] * 17), "'keypoints': are normalized to 0..1"),
        (dict(bbox=[0.1, 0.1, 0.5, 0.6]), "'bbox': .* is normalized to 0..1"),
        (dict(bbox=[80, 50, 320, 260]), "'bbox': .* looks like x1, y1, x2, y2"),
    ],
)
def test_a_fault_of_a_person_is_one_line(change, message, faults_of):
    assert faults_of(PERSON) == []
    (fault,) = faults_of(PERSON | change)
    assert re.search(message, fault)


def test_files_of_another_structure_are_named(faults_of):
    with pytest.raises(ValueError, match='val.json: has an unexpected structure'):
        faults_of(PERSON | dict(area='big'))


def people_in(*spans, boxes):
    """People whose keypoints span x1, y1, x2, y2, with boxes by ``boxes(span)``."""
    steps = np.linspace(0, 1, 17)[:, None]
    people = []
    for number, span in enumerate(np.array(spans, float)):
        places = span[:2] + steps * (span[2:] - span[:2])
        keypoints = np.c_[places, np.full(17, 2)].ravel().tolist()
        box = [float(x) for x in boxes(span)]
        people.append(PERSON | dict(id=number, keypoints=keypoints, bbox=box))
    return people


SPANS = (60, 50, 120, 140), (20, 30, 90, 120), (80, 20, 110, 90)


def test_boxes_of_two_corners_are_refused_if_all_fit_better_so(faults_of):
    def as_sides(span):
        return [*(span[:2] - 3), *(span[2:] - span[:2] + 6)]

    corners = people_in(*SPANS, boxes=lambda span: [*(span[:2] - 3), *(span[2:] + 3)])
    (fault,) = faults_of(*corners)
    assert fault.startswith("annotation 0, 'bbox'")
    assert fault.endswith('(and 2 more annotations)')
    right = people_in(*SPANS, boxes=as_sides)
    crops = people_in((9, 8, 250, 240), (12, 9, 200, 250), boxes=as_sides)
    # Labeled faces of whole people have large boxes.
    faces = people_in(*SPANS, boxes=lambda span: [*(span[:2] - 9), 120, 170])
    # Boxes with a margin at the corner of the image overlap both ways.
    margins = people_in(
        (9, 8, 250, 240), (12, 9, 200, 250), boxes=lambda x: [4, 4, *(x[2:] + 4)]
    )
    for people in (right, [*corners[:2], right[2]], crops, faces, margins):
        assert faults_of(*people) == []


SWAPPED = [
    re.sub('left|right', lambda side: dict(left='right', right='left')[side[0]], joint)
    for joint in COCO17
]


@pytest.mark.parametrize(
    'names',
    [
        SWAPPED,
        [*COCO17[5:], *COCO17[:5]],
        [f'left_tail{n}' if 'left' in j else f'tail{n}' for n, j in enumerate(COCO17)],
        COCO17[:16],
    ],
    ids=['sides', 'order', 'another animal', 'count'],
)
def test_keypoints_of_other_names_are_refused(names, faults_of):
    (fault,) = faults_of(PERSON, keypoints=names)
    assert f'{", ".join(names)}, but the config' in fault
    assert ', '.join(COCO17) in fault


@pytest.mark.parametrize(
    'names',
    [
        [joint.replace('left_', 'L_').replace('right_', 'R_') for joint in COCO17],
        ['tip_of_nose', *COCO17[1:]],
    ],
)
def test_spellings_and_single_synonyms_are_no_fault(names, faults_of):
    assert faults_of(PERSON, keypoints=names) == []


def test_what_coco_has_and_validation_does_not_need_is_no_fault(faults_of):
    crowd = PERSON | dict(id=8, iscrowd=1, num_keypoints=0, keypoints=[0] * 51)
    tool = dict(id=9, image_id=1, category_id=1, bbox=[0, 0, 0, 0], area=0, iscrowd=0)
    edge = PERSON | dict(id=10, keypoints=[361.5, 60, 2] + [350, 70, 1] * 16)
    assert faults_of(PERSON, crowd, tool, edge | dict(bbox=[200, 10, 170, 250])) == []
    without_area = {k: v for k, v in PERSON.items() if k != 'area'}
    assert faults_of(without_area, use_area=False) == []
    assert faults_of(without_area)[0].startswith("annotation 7, 'area': is missing")


def test_images_of_merged_files_have_different_ids(faults_of):
    assert faults_of(PERSON, PERSON) == ["annotation 7, 'id': two annotations have it"]
    assert faults_of(PERSON, image=dict(id='1')) == [
        "image 1, 'id': wanted int, got '1'"
    ]
