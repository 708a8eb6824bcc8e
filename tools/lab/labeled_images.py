"""2D models on labeled pictures, in the annotated boxes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from mmhot.datasets.packed_people import estimate_areas
from mmhot.datasets.rendered_people import metainfo_file
from mmhot.errors import require_file
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.video.frames import read_image
from mmhot.video.people import PoseEstimator
from tools.lab.keypoint_errors import LabeledPeople

# Joints that all datasets name alike; torso lengths go from one to the other.
_TORSO = (('left_shoulder', 'right_hip'), ('right_shoulder', 'left_hip'))
# Datasets whose boxes are squares three to five times as large as who is in them, and
# the margin around the joints instead, as a part of their larger extent.
_LOOSE = ('MpiiDataset',)
_MARGIN = 0.1
# Key of what decodes a packed picture.
_AGAIN = 'decode'
# What MMPose's datasets raise when a file is not theirs.
_STUMBLES = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


@dataclass
class LabeledPictures:
    """People of a dataset.

    Attributes:
        samples (list[dict]): MMPose's data infos of one person each, without the
            picture; see :func:`load_image`.
        keypoints (np.ndarray): Pixels, (N, K, 2), 0 where not labeled.
        labeled (np.ndarray): bool (N, K).
        skeleton (str): Of the keypoints.
        source (str): File of the annotations.
    """

    samples: list[dict]
    keypoints: np.ndarray
    labeled: np.ndarray
    skeleton: str
    source: str


def read_labeled(
    kind: str,
    annotations: str,
    images: str,
    skeleton: str = 'coco-17',
    limit: int | None = None,
) -> LabeledPictures:
    """Read a dataset.

    Boxes are the dataset's; MPII's squares become boxes around the labeled joints.

    Args:
        kind (str): Type of a top-down dataset, MMPose's or ours.
        annotations (str): Its ``ann_file``.
        images (str): Folder of the pictures.
        skeleton (str): Keypoints to compare, found by their names. Defaults to
            'coco-17'.
        limit (int, optional): Only so many people, evenly over the dataset.

    Returns:
        LabeledPictures: People with at least one label.

    Raises:
        FileNotFoundError: If there are no such annotations.
        ValueError: If there is no such kind, the file is of another, or nobody in it.
    """
    if DATASETS.get(kind) is None:
        raise ValueError(f'--dataset: {kind} is no dataset of MMPose or mmhot')
    require_file(annotations)
    config = dict(type=kind, ann_file=annotations, data_prefix=dict(img=images))
    if kind == 'RenderedPeopleDataset':
        config |= dict(skeleton=skeleton)
    with _reading(annotations, kind):
        dataset = DATASETS.build(config | dict(test_mode=True, pipeline=[]))
        rows = np.arange(len(dataset))
        if limit is not None and limit < len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, limit).round().astype(int)]
        samples = [_without_picture(dataset, int(row)) for row in rows]
        samples = [each for each in samples if (each['keypoints_visible'] > 0).any()]
    if not samples:
        raise ValueError(f'{annotations} has nobody with labeled keypoints')
    visible = np.stack([each['keypoints_visible'][0] > 0 for each in samples])
    keypoints = np.stack([each['keypoints'][0] for each in samples])
    if kind in _LOOSE:
        for sample, joints, seen in zip(samples, keypoints, visible, strict=True):
            sample['bbox'] = _around(joints[seen])
    keypoints, visible, measured = convert_keypoints(
        keypoints, visible, dataset.metainfo['dataset_name'], skeleton
    )
    labeled = visible & measured
    keypoints = np.where(labeled[..., None], keypoints, 0)
    return LabeledPictures(samples, keypoints, labeled, skeleton, annotations)


def predict(
    estimator: PoseEstimator, pictures: LabeledPictures, batch_size: int = 32
) -> tuple[LabeledPeople, np.ndarray]:
    """Find the keypoints of labeled people in their annotated boxes.

    Args:
        estimator (PoseEstimator): The model.
        pictures (LabeledPictures): The people.
        batch_size (int): People at once. Defaults to 32.

    Returns:
        tuple[LabeledPeople, np.ndarray]: Keypoints that the model has, and
        confidences, (N, K).

    Raises:
        ValueError: If it has none of the keypoints that are labeled.
    """
    _refuse_others(estimator.skeleton, pictures)
    found = []
    for first in range(0, len(pictures.samples), batch_size):
        samples = pictures.samples[first : first + batch_size]
        images = [load_image(sample) for sample in samples]
        found += estimator(images, [sample['bbox'] for sample in samples])
    keypoints, scores = (np.concatenate(each) for each in zip(*found, strict=True))
    keypoints, scores, measured = convert_keypoints(
        keypoints, scores, estimator.skeleton, pictures.skeleton
    )
    skeleton = get_skeleton(pictures.skeleton)
    people = LabeledPeople(
        predicted=np.where(measured[:, None], keypoints, 0),
        truth=pictures.keypoints,
        labeled=pictures.labeled & measured,
        bboxes=np.concatenate([each['bbox'] for each in pictures.samples]),
        partners=np.array(skeleton.flip_indices),
        torso=tuple(tuple(skeleton.indices(pair)) for pair in _TORSO),
        sigmas=_sigmas(pictures.skeleton),
        areas=_areas(pictures.samples),
    )
    return people, scores


def _refuse_others(skeleton: str, pictures: LabeledPictures) -> None:
    """Refuse before the work is done what there is nothing to compare in."""
    nowhere = np.zeros((get_skeleton(skeleton).num_keypoints, 2))
    _, _, measured = convert_keypoints(nowhere, None, skeleton, pictures.skeleton)
    if not (pictures.labeled & measured).any():
        raise ValueError(
            f'{pictures.source} has no labels of keypoints that {skeleton} and '
            f'{pictures.skeleton} have'
        )


def join(parts: Sequence[LabeledPeople]) -> LabeledPeople:
    """Put people with the same keypoints together."""
    along = ('predicted', 'truth', 'labeled', 'bboxes', 'areas')
    arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in along}
    return replace(parts[0], **arrays)


def load_image(sample: dict) -> np.ndarray:
    """Return the picture of a sample, BGR uint8 (H, W, 3)."""
    if _AGAIN in sample:
        return sample[_AGAIN]()['img']
    return read_image(sample['img_path'])


def _without_picture(dataset: BaseCocoStyleDataset, row: int) -> dict:
    """Data info of a person; one with a picture tells how to get it again.

    All pictures of a dataset at once may be more than there is memory.
    """
    sample = dataset.get_data_info(row)
    if sample.pop('img', None) is not None:
        sample[_AGAIN] = partial(dataset.get_data_info, row)
    return sample


@contextmanager
def _reading(annotations: str, kind: str) -> Iterator[None]:
    """Name the file where a dataset stumbles over what is in it."""
    try:
        yield
    except _STUMBLES as error:
        if annotations in str(error):
            raise
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise ValueError(
            f'{annotations} is no file of people in pictures for {kind} ({reason})'
        ) from error


def _areas(samples: list[dict]) -> np.ndarray:
    """Areas as annotated, or from the boxes where they are not, square pixels, (N,)."""
    boxes = np.concatenate([each['bbox'] for each in samples])
    estimated = estimate_areas(boxes)
    return np.array(
        [
            max(float(each.get('area', area)), 1)
            for each, area in zip(samples, estimated, strict=True)
        ]
    )


def _around(joints: np.ndarray) -> np.ndarray:
    """Box (1, 4) around joints (J, 2)."""
    low, high = joints.min(0), joints.max(0)
    margin = _MARGIN * (high - low).max()
    return np.concatenate([low - margin, high + margin])[None].astype(np.float32)


def _sigmas(skeleton: str) -> np.ndarray:
    """COCO's tolerances of keypoints, (K,)."""
    metainfo = parse_pose_metainfo(dict(from_file=metainfo_file(skeleton)))
    return metainfo['sigmas']
