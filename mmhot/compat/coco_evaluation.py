# ruff: noqa: N802, N803 - xtcocotools has these names
"""COCO keypoint evaluation with the interface of xtcocotools, on top of pycocotools.

pycocotools lacks the parts of the whole body, CrowdPose's levels of crowding, other
sigmas, and areas of bounding boxes. All numbers equal those of xtcocotools 1.14.3.
"""

import io
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import coco, cocoeval

from mmhot.errors import require_choice

PARTS = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')
"""Fields of an annotation that hold the keypoints of COCO-WholeBody's parts."""
_FIELDS = {
    'keypoints': PARTS[:1],
    'keypoints_crowd': PARTS[:1],
    'keypoints_body': PARTS[:1],
    **{f'keypoints_{part.removesuffix("_kpts")}': (part,) for part in PARTS[1:]},
    'keypoints_wholebody': PARTS,
}
_SCORED_BY_PART = ('foot', 'face', 'lefthand', 'righthand', 'wholebody')

_BOX_COVERAGE = 0.53  # mean area of a person over that of its bounding box
_CROWD_LEVELS = (0.2, 0.8)  # smallest crowd index of medium and of hard images


class COCO(coco.COCO):
    """COCO annotations, in which ``iscrowd`` may be missing and results be empty."""

    def createIndex(self) -> None:
        """Index the annotations by ID, image and category."""
        for ann in self.dataset.get('annotations', ()):
            ann.setdefault('iscrowd', 0)
        super().createIndex()

    def loadRes(self, resFile: str | list[dict]) -> coco.COCO:
        """Return results, a JSON file or its content, as annotations."""
        content = resFile
        if isinstance(resFile, str):
            content = json.loads(Path(resFile).read_text(encoding='utf-8'))
        if len(content):
            return super().loadRes(content)
        results = COCO()
        results.dataset = dict(self.dataset, annotations=[])
        results.createIndex()
        return results


class COCOeval(cocoeval.COCOeval):
    """Evaluate keypoints of people, crowds or body parts.

    Args:
        cocoGt (COCO, optional): Ground truth.
        cocoDt (COCO, optional): Results, as ``cocoGt.loadRes`` returns them.
        iouType (str): ``'keypoints'``, ``'keypoints_crowd'`` (CrowdPose),
            ``'keypoints_body'``, ``'_foot'``, ``'_face'``, ``'_lefthand'``,
            ``'_righthand'`` or ``'_wholebody'`` (COCO-WholeBody).
        sigmas (Sequence[float], optional): Sigmas of the evaluated keypoints, (K,);
            by default the sigmas of COCO's 17 keypoints.
        use_area (bool): Whether OKS uses the ``area`` of annotations, rather than 0.53
            of the area of their bounding boxes. Defaults to True.

    Raises:
        ValueError: If ``iouType`` is unknown. ``evaluate`` raises it if an annotation
            has a :func:`person_fault`, or a result is not finite.

    Example::

        evaluation = COCOeval(truth, truth.loadRes('results.json'), 'keypoints')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()  # evaluation.stats[0] is the AP
    """

    def __init__(
        self,
        cocoGt: coco.COCO | None = None,
        cocoDt: coco.COCO | None = None,
        iouType: str = 'keypoints',
        sigmas: Sequence[float] | None = None,
        use_area: bool = True,
    ) -> None:
        require_choice('iouType', iouType, tuple(_FIELDS))
        self.stats: np.ndarray
        self._fields = _FIELDS[iouType]
        super().__init__(cocoGt, cocoDt, 'keypoints')
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)
        self._is_crowd = iouType == 'keypoints_crowd'
        part = iouType.removeprefix('keypoints_')
        self._score = f'{part}_score' if part in _SCORED_BY_PART else 'score'
        self.use_area = use_area

    def summarize(self) -> None:
        """Compute ``stats``.

        For keypoints these are AP, AP at 0.5 and 0.75, AP of medium and of large
        people, and the same for AR. For ``'keypoints_crowd'`` they are AP, AP at 0.5
        and 0.75, the same for AR, and AP of easy, medium and hard images by their
        ``crowdIndex``.
        """
        super().summarize()
        if self._is_crowd:
            self.stats = np.concatenate(
                [self.stats[[0, 1, 2, 5, 6, 7]], self._summarize_levels()]
            )

    def _prepare(self) -> None:
        """Copy annotations with ``keypoints`` replaced by the evaluated ones.

        IDs are numbers from 1, as the parent reads an ID of 0 as "no match".
        """
        self._gts = defaultdict(list)
        self._dts = defaultdict(list)
        self.eval: dict[str, Any] = {}
        categories = self.params.catIds if self.params.useCats else []
        selection = dict(imgIds=self.params.imgIds, catIds=categories)
        truth = self.cocoGt.loadAnns(self.cocoGt.getAnnIds(**selection))
        for number, ann in enumerate(truth, 1):
            person = dict(self._prepare_ground_truth(ann), id=number)
            self._gts[ann['image_id'], ann['category_id']].append(person)
        results = self.cocoDt.loadAnns(self.cocoDt.getAnnIds(**selection))
        for number, ann in enumerate(results, 1):
            keypoints = self._join(ann)
            if not _count_labeled(keypoints):
                continue
            if not np.isfinite(keypoints).all():  # NaN would match any person
                raise ValueError(f'a result of image {ann["image_id"]} is not finite')
            score = ann.get(self._score, ann['score'])
            person = dict(ann, id=number, keypoints=keypoints, score=score)
            self._dts[ann['image_id'], ann['category_id']].append(person)

    def _prepare_ground_truth(self, ann: Mapping[str, Any]) -> dict[str, Any]:
        """Copy an annotation with what pycocotools reads; raise if it is wrong."""
        if fault := person_fault(ann, self._fields, self.use_area):
            field, text = fault
            text = text.format(ann.get(field))
            raise ValueError(f'annotation {ann.get("id")}, {field!r}: {text}')
        box = ann['bbox']
        area = ann['area'] if self.use_area else box[2] * box[3] * _BOX_COVERAGE
        keypoints = self._join(ann)
        # CrowdPose does not count occluded keypoints, which are labeled too.
        labeled = ann['num_keypoints'] if self._is_crowd else _count_labeled(keypoints)
        ignore = bool(ann['iscrowd']) or labeled == 0
        return dict(ann, keypoints=keypoints, area=area, ignore=ignore)

    def _join(self, ann: Mapping[str, Any]) -> np.ndarray:
        """Return x, y and visibility of evaluated keypoints, one by one, (K * 3,)."""
        return np.concatenate([ann[field] for field in self._fields])

    def _summarize_levels(self) -> list[float]:
        """Return the AP of easy, medium and hard images of CrowdPose."""
        levels: list[list[int]] = [[], [], []]
        for image in self.cocoGt.dataset['images']:
            level = np.searchsorted(_CROWD_LEVELS, image['crowdIndex'], side='right')
            levels[level].append(image['id'])
        precisions = []
        for images in levels:
            part = COCOeval(
                self.cocoGt,
                self.cocoDt,
                'keypoints_crowd',
                self.params.kpt_oks_sigmas,
                self.use_area,
            )
            part.params.imgIds = images
            part.params.areaRng = part.params.areaRng[:1]
            with redirect_stdout(io.StringIO()):
                part.evaluate()
                part.accumulate()
            precisions.append(round(float(part.eval['precision'].mean()), 4))
        return precisions


def person_fault(
    ann: Mapping[str, Any], fields: Sequence[str], use_area: bool = True
) -> tuple[str, str] | None:
    """Find what would make an annotation count wrongly, without an error.

    pycocotools and xtcocotools count NaN as a hit, and divide errors by the area.

    Args:
        ann (Mapping): Annotation in COCO's format.
        fields (Sequence[str]): Names of its fields with keypoints.
        use_area (bool): Whether OKS uses the ``area`` of annotations. Defaults to True.

    Returns:
        tuple[str, str] | None: Field and its fault, with {0} for the field's value;
        None if there is no fault.
    """
    for field in (*fields, 'bbox', 'area'):
        values = ann.get(field, 0)
        if not math.isfinite(sum(values) if isinstance(values, list) else values):
            return field, 'has a number that is not finite'
    labeled = any(_count_labeled(ann.get(field, ())) for field in fields)
    if ann.get('iscrowd') or not labeled:
        return None
    if not use_area:
        text = '{0} has no width or height: wanted x, y, width, height in pixels'
        return ('bbox', text) if min(ann['bbox'][2:]) <= 0 else None
    if 'area' not in ann:
        return 'area', "is missing: use_area=False takes it from 'bbox'"
    text = 'got {0}, must be above 0, or any error is infinite'
    return ('area', text) if ann['area'] <= 0 else None


def _count_labeled(keypoints: Sequence[float] | np.ndarray) -> int:
    """Count the labeled keypoints of x, y and visibility, one by one, (K * 3,)."""
    return int(np.count_nonzero(np.asarray(keypoints[2::3]) > 0))
