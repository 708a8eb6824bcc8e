"""Documents of keypoints, and copies of them with any value in any place."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SIZE = (1280, 720)


def poses(count: int = 3, joints: int = 17) -> np.ndarray:
    """Make keypoints (T, K, 2) inside the image."""
    return np.random.default_rng(0).uniform(100, 600, (count, joints, 2))


def video_document() -> list[dict]:
    """Make MMPose's predictions of a video."""
    return [
        {'frame_id': index, 'instances': [_instance(pose.tolist())]}
        for index, pose in enumerate(poses())
    ]


def _instance(pose: list) -> dict:
    scores = [0.9] * len(pose)
    return {'keypoints': pose, 'keypoint_scores': scores, 'bbox': [[1, 2, 300, 400]]}


def coco_document() -> dict:
    """Make COCO annotations of one image."""
    values = np.c_[poses(1)[0], np.full(17, 2)].ravel().tolist()
    person = {'id': 1, 'image_id': 1, 'category_id': 1, 'keypoints': values}
    image = {'id': 1, 'width': SIZE[0], 'height': SIZE[1], 'file_name': 'a.jpg'}
    return {
        'images': [image],
        'annotations': [person | {'bbox': [1, 2, 300, 400], 'track_id': 1}],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': ['nose']}],
    }


def places(document: object, limit: int = 1) -> Iterator[tuple]:
    """Yield the paths of all values of a document, of lists only the first ones."""
    keys = document if isinstance(document, dict) else ()
    for key in range(len(document))[:limit] if isinstance(document, list) else keys:
        yield (key,)
        for rest in places(document[key], limit):
            yield (key, *rest)


def replaced(document: object, path: tuple, value: object) -> object:
    """Return a copy of a document with one value replaced."""
    document = holder = copy.deepcopy(document)
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return document


def dump(path: Path, document: object) -> None:
    """Write JSON; floats may be infinite."""
    path.write_text(json.dumps(document))
