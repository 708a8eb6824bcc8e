"""Reader of MMPose's JSON predictions.

Inferencers write one file per video, a list of ``{frame_id, instances}``, or one file
per image, a list of instances. Demo scripts wrap either as ``{meta_info,
instance_info}``. MMPose writes no track IDs; those that other programs add to
instances are read. OpenPose's files are read in the same way.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmhot.errors import require_file
from mmhot.geometry.keypoint_arrays import whole_numbers
from mmhot.io.arrays import as_number, as_numbers, load_json
from mmhot.io.readers.frame_numbers import natural_key, number_frames
from mmhot.io.readers.rows import (
    Rows,
    stack,
    stack_boxes,
    stack_keypoints,
    stack_tracks,
)

_OPENPOSE = {25: 'openpose-25', 18: 'openpose-18'}


def read_mmpose(document: object) -> Rows:
    """Convert decoded JSON to rows; values are not checked."""
    header, items = _unwrap(document)
    if not any('instances' in item for item in items):
        return gather([0], [items], header)
    given = [item.get('frame_id', position) for position, item in enumerate(items)]
    frames = whole_numbers('frame_id', as_numbers(given, 'frame_id'))
    return gather(frames.tolist(), [item['instances'] for item in items], header)


def read_mmpose_folder(folder: Path) -> Rows:
    """Read a folder of one ``.json`` file per image, numbered by its name."""
    files = sorted(folder.glob('[!.]*.json'), key=lambda file: natural_key(file.name))
    if not files:
        raise ValueError('is a folder without .json files')
    header: dict = {}
    images = []
    for file in files:
        try:
            info, instances = _unwrap(load_json(require_file(file)))
        except ValueError as error:
            raise ValueError(f'{file.name} {error}') from error
        if any('instances' in item for item in instances):
            raise ValueError(
                f'{file.name} holds a whole clip: give the file instead of the folder, '
                'which must hold one file per image'
            )
        header = header or info
        images.append(instances)
    names = [file.stem for file in files]
    frames = number_frames([{'id': name} for name in names], folder)
    return gather([frames[name] for name in names], images, header)


def _unwrap(document: object) -> tuple[dict, list[dict]]:
    """Return meta information and the list of frames or instances."""
    header: dict = {}
    if isinstance(document, dict) and isinstance(document.get('people'), list):
        return _openpose_people(document)
    if isinstance(document, dict) and 'instance_info' in document:
        header = document.get('meta_info') or {}
        document = document['instance_info']
    elif isinstance(document, dict) and 'instances' in document:
        document = [document]
    if not isinstance(document, list):
        raise ValueError('is not a list of frames or of instances')
    return header, document


def _openpose_people(document: dict) -> tuple[dict, list[dict]]:
    """Return the skeleton and the people with a body; track IDs are optional."""
    header, people = {}, []
    for person in document['people']:
        values = person.get('pose_keypoints_2d') or []  # hands only
        if len(values) not in (0, *(3 * count for count in _OPENPOSE)):
            raise ValueError(
                f"'pose_keypoints_2d' has {len(values)} numbers: x, y, score of the 25 "
                'keypoints of BODY_25 or the 18 of COCO are expected'
            )
        triples = as_numbers(values, "'pose_keypoints_2d'").reshape(-1, 3)
        found = dict(keypoints=triples[:, :2], keypoint_scores=triples[:, 2])
        (track,) = np.ravel(person.get('person_id', -1))
        if track != -1:  # with --tracking
            found['track_id'] = track
        if values:
            header['skeleton'] = _OPENPOSE[len(triples)]
            people.append(found)
    return header, people


def gather(frames: Sequence[int], images: list[list[dict]], header: dict) -> Rows:
    """Stack the people of all frames."""
    people = [person for instances in images for person in instances]
    numbers = np.repeat(frames, [len(instances) for instances in images])
    keypoints = stack_keypoints(people)
    if keypoints.ndim != 3 or keypoints.shape[-1] != 2:
        shape = keypoints.shape[1:]
        hint = ' (3D keypoints?)' if shape[-1:] == (3,) else ''
        raise ValueError(f"'keypoints' are {shape}{hint}: K pairs [x, y] are expected")
    names, table = header.get('joint_names'), header.get('keypoint_id2name')
    if names is None and table:
        names = [table[key] for key in sorted(table, key=natural_key)]
    return Rows(
        keypoints,
        stack(people, 'keypoint_scores', [1.0] * keypoints.shape[1]),
        numbers,
        stack_tracks(people, numbers),
        stack_boxes(people),
        as_single(header, 'width'),
        as_single(header, 'height'),
        as_single(header, 'fps'),
        skeleton=header.get('skeleton'),
        joint_names=names and tuple(map(str, names)),
    )


def as_single(header: dict, key: str) -> float | None:
    """Return a number of a header, or None."""
    value = header.get(key)
    return None if value is None else as_number(value, key)
