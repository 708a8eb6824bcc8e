"""Datasets of labeled people, and predictions of 2D models in their boxes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from mmhot import convert_keypoints, get_skeleton
from projects.rendered_people.files import read_image
from projects.rendered_people.keypoint_errors import LabeledPeople
from projects.rendered_people.packed_people import estimate_areas
from projects.rendered_people.training.dataset import METAINFO

# Joints with the same names in all datasets; ends of the torso's diagonals.
_TORSO = (('left_shoulder', 'right_hip'), ('right_shoulder', 'left_hip'))
# Datasets whose boxes are squares of three to five times the person's size. Boxes of
# the joints, with this margin relative to their longer side, replace them.
_LOOSE = ('MpiiDataset',)
_MARGIN = 0.1
# Key of the function that decodes a packed image.
_DECODE = 'decode'
# Raised by MMPose's datasets for files of another format.
_FORMAT_ERRORS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


@dataclass
class LabeledDataset:
    """Labeled people of a dataset.

    Attributes:
        samples (list[dict]): MMPose's data info of each person, without the image; see
            :func:`load_image`.
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
) -> LabeledDataset:
    """Read the people with at least one label.

    Boxes are the dataset's; MPII's squares become boxes around the labeled joints.

    Args:
        kind (str): Type of a top-down dataset of MMPose or mmhot.
        annotations (str): Its ``ann_file``.
        images (str): Folder of the images.
        skeleton (str): Keypoints to compare, matched by name. Defaults to 'coco-17'.
        limit (int, optional): Maximum number of people, sampled evenly.

    Raises:
        FileNotFoundError: If the annotations are missing.
        ValueError: If the type is unknown, the file has another format, or no labels.
    """
    if DATASETS.get(kind) is None:
        raise ValueError(
            f'--dataset: {kind} is not a dataset of MMPose or mmhot; wanted one like '
            'CocoDataset'
        )
    if not Path(annotations).is_file():
        raise FileNotFoundError(f'{annotations} does not exist')
    config = dict(type=kind, ann_file=annotations, data_prefix=dict(img=images))
    if kind == 'RenderedPeopleDataset':
        config |= dict(skeleton=skeleton)
    with _reading(annotations, kind):
        dataset = DATASETS.build(config | dict(test_mode=True, pipeline=[]))
        rows = np.arange(len(dataset))
        if limit is not None and limit < len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, limit).round().astype(int)]
        samples = [_info_without_image(dataset, int(row)) for row in rows]
        samples = [each for each in samples if (each['keypoints_visible'] > 0).any()]
    if not samples:
        raise ValueError(f'{annotations} has no person with labeled keypoints')
    visible = np.stack([each['keypoints_visible'][0] > 0 for each in samples])
    keypoints = np.stack([each['keypoints'][0] for each in samples])
    if kind in _LOOSE:
        for sample, joints, seen in zip(samples, keypoints, visible, strict=True):
            sample['bbox'] = _box_around(joints[seen])
            sample.pop('area', None)  # MMPose's estimate from the square
    keypoints, visible, measured = convert_keypoints(
        keypoints, visible, dataset.metainfo['dataset_name'], skeleton
    )
    labeled = visible & measured
    keypoints = np.where(labeled[..., None], keypoints, 0)
    return LabeledDataset(samples, keypoints, labeled, skeleton, annotations)


def predict(
    estimator: Callable, dataset: LabeledDataset, batch_size: int = 32
) -> tuple[LabeledPeople, np.ndarray]:
    """Predict the keypoints of labeled people in their annotated boxes.

    Args:
        estimator (Callable): The model, which has a ``skeleton`` and maps images and
            boxes (P, 4) of each to keypoints (P, K, 2) and scores (P, K).
        dataset (LabeledDataset): The people.
        batch_size (int): People per batch. Defaults to 32.

    Returns:
        tuple[LabeledPeople, np.ndarray]: Keypoints of the model, and scores, (N, K).

    Raises:
        ValueError: If the model has none of the labeled keypoints.
    """
    _check_skeleton(estimator.skeleton, dataset)
    results = []
    for first in range(0, len(dataset.samples), batch_size):
        samples = dataset.samples[first : first + batch_size]
        images = [load_image(sample) for sample in samples]
        results += estimator(images, [sample['bbox'] for sample in samples])
    keypoints, scores = (np.concatenate(each) for each in zip(*results, strict=True))
    keypoints, scores, measured = convert_keypoints(
        keypoints, scores, estimator.skeleton, dataset.skeleton
    )
    skeleton = get_skeleton(dataset.skeleton)
    people = LabeledPeople(
        predicted=np.where(measured[:, None], keypoints, 0),
        truth=dataset.keypoints,
        labeled=dataset.labeled & measured,
        bboxes=np.concatenate([each['bbox'] for each in dataset.samples]),
        partners=np.array(skeleton.flip_indices),
        torso=tuple(tuple(skeleton.indices(pair)) for pair in _TORSO),
        sigmas=_sigmas(dataset.skeleton),
        areas=_areas(dataset.samples),
    )
    return people, scores


def _check_skeleton(skeleton: str, dataset: LabeledDataset) -> None:
    """Check that the model has labeled keypoints, before it runs."""
    zeros = np.zeros((get_skeleton(skeleton).num_keypoints, 2))
    _, _, measured = convert_keypoints(zeros, None, skeleton, dataset.skeleton)
    if not (dataset.labeled & measured).any():
        raise ValueError(
            f'{dataset.source} has no labels of keypoints in both {skeleton} and '
            f'{dataset.skeleton}'
        )


def join(parts: Sequence[LabeledPeople]) -> LabeledPeople:
    """Concatenate people of the same skeleton."""
    along = ('predicted', 'truth', 'labeled', 'bboxes', 'areas')
    arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in along}
    return replace(parts[0], **arrays)


def load_image(sample: dict) -> np.ndarray:
    """Load the image of a sample, BGR uint8 (H, W, 3)."""
    if _DECODE in sample:
        return sample[_DECODE]()['img']
    return read_image(Path(sample['img_path']))


def _info_without_image(dataset: BaseCocoStyleDataset, row: int) -> dict:
    """Data info of a person; packed images are decoded when needed, to save memory."""
    sample = dataset.get_data_info(row)
    if sample.pop('img', None) is not None:
        sample[_DECODE] = partial(dataset.get_data_info, row)
    return sample


@contextmanager
def _reading(annotations: str, kind: str) -> Iterator[None]:
    """Add the file's name to a dataset's format errors."""
    try:
        yield
    except _FORMAT_ERRORS as error:
        if annotations in str(error):
            raise
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise ValueError(
            f'{annotations} is not an annotation file of {kind} ({reason})'
        ) from error


def _areas(samples: list[dict]) -> np.ndarray:
    """Annotated areas, or estimates from the boxes, square pixels, (N,)."""
    boxes = np.concatenate([each['bbox'] for each in samples])
    estimated = estimate_areas(boxes)
    return np.array(
        [
            max(float(each.get('area', area)), 1)
            for each, area in zip(samples, estimated, strict=True)
        ]
    )


def _box_around(joints: np.ndarray) -> np.ndarray:
    """Box (1, 4) around joints (J, 2)."""
    low, high = joints.min(0), joints.max(0)
    margin = _MARGIN * (high - low).max()
    return np.concatenate([low - margin, high + margin])[None].astype(np.float32)


def _sigmas(skeleton: str) -> np.ndarray:
    """COCO's sigmas, (K,)."""
    metainfo = parse_pose_metainfo(dict(from_file=METAINFO[skeleton]))
    return metainfo['sigmas']
