"""The stand-in for xtcocotools: equal numbers, and when it replaces the package."""

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from clip_files import dump
from fresh_python import run_python
from paths import ROOT

from mmhot.compat import coco_evaluation

DATA = ROOT / 'tests' / 'data' / 'coco_evaluation'
SIZES = dict(body=17, foot=6, face=68, lefthand=21, righthand=21)
SPLITS = np.cumsum([*SIZES.values()])[:-1]
OTHERS = [*SIZES][1:]
FIELDS = ('keypoints', *(f'{part}_kpts' for part in OTHERS))
SCORES = ('score', 'wholebody_score', *(f'{part}_score' for part in OTHERS))
# Differ from COCO's, so that the default cannot pass for them.
SIGMAS = np.linspace(0.06, 0.12, 133)
OF_PART = dict(zip(SIZES, np.split(SIGMAS, SPLITS), strict=True))
CROWD_INDICES = (0.1, 0.5, 0.9, 0.2, 0.8, 0.15, 0.3, 0.95)


@dataclass(frozen=True)
class Case:
    """Evaluated annotations and arguments of the evaluation."""

    iou_type: str
    use_area: bool = True
    joints: int = 17
    boxes: bool = False
    part_scores: bool = False
    empty: bool = False
    levels: tuple = CROWD_INDICES
    default_sigmas: bool = False

    @property
    def sigmas(self):
        if self.default_sigmas:
            return None
        part = self.iou_type.removeprefix('keypoints_')
        whole = SIGMAS if part == 'wholebody' else SIGMAS[: self.joints]
        return OF_PART.get(part, whole)


PART_TYPES = [f'keypoints_{part}' for part in (*SIZES, 'wholebody')]
CASES = {
    'keypoints': Case('keypoints'),
    'keypoints, no area': Case('keypoints', use_area=False),
    'keypoints, boxes': Case('keypoints', boxes=True),
    'keypoints, no results': Case('keypoints', empty=True),
    'keypoints, default sigmas': Case('keypoints', default_sigmas=True),
    'keypoints_crowd': Case('keypoints_crowd', use_area=False, joints=14),
    'keypoints_crowd, area': Case('keypoints_crowd', joints=14),
    'keypoints_crowd, all easy': Case('keypoints_crowd', joints=14, levels=(0.0,) * 8),
    **{kind: Case(kind) for kind in PART_TYPES},
    **{f'{kind}, no area': Case(kind, use_area=False) for kind in PART_TYPES},
    **{f'{kind}, own scores': Case(kind, part_scores=True) for kind in PART_TYPES},
}


@cache
def arrays():
    return dict(np.load(DATA / 'people.npz'))


def as_fields(keypoints, joints):
    """Return keypoints (133, 3) of an annotation."""
    parts = np.split(keypoints, SPLITS)
    parts[0] = parts[0][:joints]
    return {x: y.ravel().tolist() for x, y in zip(FIELDS, parts, strict=True)}


def ground_truth(case):
    """Return a COCO file; IDs start at 0, and few annotations have ``iscrowd``."""
    people = arrays()
    images = [
        dict(id=image * 10, width=900, height=900, crowdIndex=level)
        for image, level in enumerate(case.levels)
    ]
    annotations = []
    for number, keypoints in enumerate(people['truth_keypoints']):
        visible = int((keypoints[: case.joints, 2] == 2).sum())
        ann = dict(
            id=number,
            image_id=int(people['truth_image'][number]) * 10,
            category_id=1,
            bbox=people['truth_box'][number].tolist(),
            num_keypoints=visible,
            **as_fields(keypoints, case.joints),
        )
        if case.use_area:
            ann['area'] = int(people['truth_area'][number])
        if people['truth_crowd'][number] or number % 2:
            ann['iscrowd'] = int(people['truth_crowd'][number])
        annotations.append(ann)
    categories = [dict(id=1, name='person')]
    return dict(images=images, annotations=annotations, categories=categories)


def results(case):
    """Return detections, the content of a COCO results file."""
    found = arrays()
    detections = []
    for number, keypoints in enumerate(found['result_keypoints']):
        scores = dict(zip(SCORES, found['result_score'][number] / 100, strict=True))
        own = scores if case.part_scores else dict(score=scores['score'])
        fields = as_fields(keypoints / [1, 1, 100], case.joints)
        image = int(found['result_image'][number]) * 10
        detections.append(dict(image_id=image, category_id=1, **own, **fields))
        if case.boxes:
            detections[-1]['bbox'] = found['result_box'][number].tolist()
    return [] if case.empty else detections


def write_truth(case, folder):
    return str(dump(folder / 'ground_truth.json', ground_truth(case)))


def evaluate(case, path, detections, sigmas=None, change=None):
    """Return ``stats``, also with other sigmas or a changed person."""
    labeled = coco_evaluation.COCO(str(path))
    people = labeled.dataset['annotations']
    next(x for x in people if max(x['keypoints'][2::3]) > 0).update(change or {})
    detected = labeled.loadRes(detections)
    sigmas = case.sigmas if sigmas is None else sigmas
    evaluation = coco_evaluation.COCOeval(
        labeled, detected, case.iou_type, sigmas, use_area=case.use_area
    )
    evaluation.params.useSegm = None  # as MMPose does
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


@cache
def reference():
    return json.loads((DATA / 'reference.json').read_text())


@pytest.mark.parametrize('name', CASES)
def test_numbers_are_those_of_xtcocotools(name, tmp_path):
    case = CASES[name]
    found = evaluate(case, write_truth(case, tmp_path), results(case))
    np.testing.assert_allclose(found, reference()[name], rtol=0, atol=1e-9)


def test_image_ids_may_be_names(tmp_path):
    case = CASES['keypoints']
    content, detections = ground_truth(case), results(case)
    for item in content['images']:
        item['id'] = f'{item["id"]:03d}'
    for item in (*content['annotations'], *detections):
        item['image_id'] = f'{item["image_id"]:03d}'
    path = dump(tmp_path / 'ground_truth.json', content)
    found = evaluate(case, path, detections)
    np.testing.assert_allclose(found, reference()['keypoints'], atol=1e-9)


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('keypoints', [np.nan] * 51, 'has a number that is not finite'),
        ('bbox', [0, 0, np.inf, 1], 'has a number that is not finite'),
        ('area', np.nan, 'has a number that is not finite'),
        ('area', 0, 'got 0, must be above 0, or any error is infinite'),
    ],
)
def test_numbers_that_would_count_wrongly_are_refused(field, value, message, tmp_path):
    case = CASES['keypoints']
    path, detections = write_truth(case, tmp_path), results(case)
    with pytest.raises(ValueError, match=f"annotation .*, '{field}': {message}"):
        evaluate(case, path, detections, change={field: value})
    with pytest.raises(ValueError, match=r'shapes \(17,\) \(133,\)'):
        evaluate(case, path, detections, sigmas=SIGMAS)
    detections[0]['keypoints'] = [np.nan, np.nan, 1.0] * 17
    with pytest.raises(ValueError, match='a result of image .* is not finite'):
        evaluate(case, path, detections)


def evaluate_in_mmpose(metric_class, case, folder):
    """Evaluate results that a metric gets one at a time, as of a model."""
    metric = metric_class(
        ann_file=write_truth(case, folder), score_mode='bbox', nms_mode='none'
    )
    metric.dataset_meta = dict(
        num_keypoints=len(case.sigmas), sigmas=case.sigmas, dataset_name='drawn'
    )
    samples = []
    for number, found in enumerate(results(case)):
        joined = np.concatenate([found[field] for field in FIELDS])
        points, scores = np.split(joined.reshape(1, -1, 3), [2], axis=-1)
        given = dict(bbox_scores=np.array([found['score']]))
        predicted = dict(keypoints=points, keypoint_scores=scores[..., 0])
        sample = dict(id=number, img_id=found['image_id'])
        samples.append(sample | dict(gt_instances=given, pred_instances=predicted))
    metric.process({}, samples)
    values = metric.evaluate(len(samples))
    return {name.partition('/')[2]: value for name, value in values.items()}


def test_wholebody_metrics_of_mmpose_and_mmhot(tmp_path):
    from mmpose.evaluation import CocoWholeBodyMetric

    from mmhot.evaluation.metrics import CocoWholeBodyPartsMetric

    case = CASES['keypoints_wholebody']
    values = evaluate_in_mmpose(CocoWholeBodyMetric, case, tmp_path)
    expected = reference()
    np.testing.assert_allclose(
        list(values.values()), expected['keypoints_wholebody'], atol=1e-9
    )
    parts = evaluate_in_mmpose(CocoWholeBodyPartsMetric, case, tmp_path)
    assert parts.items() >= values.items()
    for part in SIZES:
        wanted = [expected[f'keypoints_{part}'][index] for index in (0, 5)]
        found = [parts[f'{part}/{name}'] for name in ('AP', 'AR')]
        np.testing.assert_allclose(found, wanted, atol=1e-9)


REPLACED = """
import sys
import mmhot
from mmhot import compat
assert not {'numpy', 'pycocotools', 'xtcocotools', 'torch'} & set(sys.modules)
import xtcocotools.mask
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval
from pycocotools import mask
print(COCO.__module__, COCOeval.__module__, xtcocotools.mask.iou is mask.iou)
print('xtcocotools' in compat.applied())
compat.revert()
try:
    import xtcocotools
except ModuleNotFoundError as error:
    print(error)
compat.apply(light=True)
import xtcocotools.coco
print(xtcocotools.coco.COCO is COCO)
"""


def test_missing_package_is_replaced_and_restored():
    module = 'mmhot.compat.coco_evaluation'
    assert run_python(REPLACED, hidden='xtcocotools') == [
        f'{module} {module} True',
        'True',
        "No module named 'xtcocotools'",
        'True',
    ]
