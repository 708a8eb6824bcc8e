"""Reader of MMPose's JSON predictions.

Inferencers write one file per video, a list of ``{frame_id, instances}``, or one file
per image, a list of instances. Demo scripts wrap either as ``{meta_info,
instance_info}``. MMPose writes no track IDs; ``track_id`` or ``instance_id`` of an
instance is read if other programs add it.
"""

from pathlib import Path

import numpy as np

from mmhot.errors import require_file
from mmhot.io.arrays import as_numbers, load_json, whole_numbers
from mmhot.io.readers.frame_numbers import natural_key, number_frames
from mmhot.io.readers.rows import (
    Rows,
    stack,
    stack_boxes,
    stack_keypoints,
    stack_tracks,
)


def read_mmpose(document: object) -> Rows:
    """Convert decoded JSON to rows; only shapes are checked."""
    header, items = _unwrap(document)
    if not any('instances' in item for item in items):
        return _gather([0], [items], header)
    given = [item.get('frame_id', position) for position, item in enumerate(items)]
    frames = whole_numbers('frame_id', as_numbers(given, 'frame_id'))
    return _gather(frames.tolist(), [item.get('instances') for item in items], header)


def read_mmpose_folder(folder: Path) -> Rows:
    """Read a folder of one ``.json`` file per image, numbered by its name."""
    files = sorted(folder.glob('[!.]*.json'), key=lambda file: natural_key(file.name))
    if not files:
        raise ValueError('is a folder without .json files')
    header, images = {}, []
    for file in files:
        try:
            info, instances = _unwrap(load_json(require_file(file)))
            if any('instances' in item for item in instances):
                raise ValueError(
                    'holds a whole clip: give the file instead of the folder, which '
                    'must hold one file per image'
                )
        except ValueError as error:
            raise ValueError(f'{file.name} {error}') from error
        header = header or info
        images.append(instances)
    names = [file.stem for file in files]
    frames = number_frames([{'id': name} for name in names], folder)
    return _gather([frames[name] for name in names], images, header)


def _unwrap(document: object) -> tuple[dict, list[dict]]:
    """Return meta information and the list of frames or instances."""
    header = {}
    if isinstance(document, dict) and 'instance_info' in document:
        header = document.get('meta_info') or {}
        document = document['instance_info']
    elif isinstance(document, dict) and 'instances' in document:
        document = [document]
    if not isinstance(document, list) or not isinstance(header, dict):
        raise ValueError('is not a list of frames or of instances')
    if not all(isinstance(item, dict) for item in document):
        raise ValueError('holds a list of neither frames nor instances')
    return header, document


def _gather(frames: list[int], images: list[object], header: dict) -> Rows:
    """Stack the people of all frames."""
    people, numbers = [], []
    for frame, instances in zip(frames, images, strict=True):
        if not isinstance(instances, list):
            raise ValueError(f'frame {frame} has no list of instances')
        people += instances
        numbers += [frame] * len(instances)
    keypoints = stack_keypoints(people, numbers)
    if keypoints.ndim != 3 or keypoints.shape[-1] != 2:
        shape = keypoints.shape[1:]
        hint = ' (3D keypoints?)' if shape[-1:] == (3,) else ''
        raise ValueError(f"'keypoints' are {shape}{hint}: K pairs [x, y] are expected")
    count = keypoints.shape[1]
    scores = [person.get('keypoint_scores') for person in people]
    scores = stack(scores, 'keypoint_scores', numbers, [1.0] * count)
    if scores is not None and scores.shape != keypoints.shape[:2]:
        raise ValueError(
            f"'keypoint_scores' are {scores.shape[1:]} for {count} keypoints"
        )
    header = {
        **{key: as_single(header, key) for key in ('width', 'height', 'fps')},
        **_joints(header),
    }
    return Rows(
        keypoints,
        scores,
        np.array(numbers),
        stack_tracks(people),
        stack_boxes(people, numbers),
        **header,
    )


def _joints(header: dict) -> dict[str, object]:
    names = header.get('joint_names')
    table = header.get('keypoint_id2name')
    if names is None and isinstance(table, dict):
        names = [table[key] for key in sorted(table, key=natural_key)]
    skeleton = header.get('skeleton')
    return {
        'skeleton': skeleton if isinstance(skeleton, str) else None,
        'joint_names': tuple(map(str, names)) if isinstance(names, list) else None,
    }


def as_single(header: dict, key: str) -> float | None:
    """Return a number of a header, or None."""
    if header.get(key) is None:
        return None
    value = as_numbers(header[key], key)
    if value.size != 1:
        raise ValueError(f'{key} must be one number')
    return value.item()
