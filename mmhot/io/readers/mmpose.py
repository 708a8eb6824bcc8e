"""Reader of MMPose's JSON predictions.

Inferencers write one file per video, a list of ``{frame_id, instances}``, or one file
per image, a list of instances. Demo scripts wrap either as ``{meta_info,
instance_info}``. MMPose writes no track IDs; ``track_id`` or ``instance_id`` of an
instance is read if other programs add it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mmhot.errors import require_file
from mmhot.io.arrays import as_identity, as_numbers, load_json
from mmhot.io.readers.rows import Rows

_TRACK_KEYS = ('track_id', 'instance_id')


def read_mmpose(document: object) -> Rows:
    """Convert decoded JSON to rows; only shapes are checked."""
    header, frames = _unwrap(document)
    return _gather(_frames(frames), header)


def read_mmpose_folder(folder: Path) -> Rows:
    """Read a folder of one ``.json`` file per image; frames are in natural order."""
    files = sorted(folder.glob('[!.]*.json'), key=lambda file: natural_key(file.name))
    if not files:
        raise ValueError('is a folder without .json files')
    header, frames = {}, []
    for frame, file in enumerate(files):
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
        frames.append((frame, instances))
    return _gather(frames, header)


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key by which ``img10`` follows ``img9``."""
    parts = re.split(r'(\d+)', name)
    return [(int(p[:300]), '') if p.isdecimal() else (-1, p) for p in parts]


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


def _frames(items: list[dict]) -> Iterator[tuple[int, list]]:
    if not any('instances' in item for item in items):
        yield 0, items
        return
    for position, item in enumerate(items):
        frame = as_identity(item.get('frame_id', position), 'frame_id')
        instances = item.get('instances')
        if not isinstance(instances, list):
            raise ValueError(f'frame {frame} has no list of instances')
        yield frame, instances


def _gather(frames: Iterable[tuple[int, list]], header: dict) -> Rows:
    people = []
    for frame, instances in frames:
        for number, instance in enumerate(instances):
            where = f'frame {frame}, person {number}:'
            people.append({'frame': frame, **_person(instance, where)})
    return stack_people(
        people,
        **{key: as_single(header, key) for key in ('width', 'height', 'fps')},
        **_joints(header),
    )


def _person(instance: object, where: str) -> dict[str, object]:
    if not isinstance(instance, dict) or 'keypoints' not in instance:
        raise ValueError(f"{where} no 'keypoints'")
    keypoints = as_numbers(instance['keypoints'], f'{where} keypoints')
    if keypoints.ndim != 2 or keypoints.shape[-1] != 2 or not len(keypoints):
        hint = ' (3D keypoints?)' if keypoints.shape[-1:] == (3,) else ''
        raise ValueError(
            f'{where} keypoints are {keypoints.shape}{hint}: K pairs [x, y] are '
            'expected'
        )
    scores = np.ones(len(keypoints))
    if instance.get('keypoint_scores') is not None:
        scores = as_numbers(instance['keypoint_scores'], f'{where} keypoint_scores')
    if scores.shape != (len(keypoints),):
        raise ValueError(
            f'{where} keypoint_scores are {scores.shape} for {len(keypoints)} keypoints'
        )
    return {
        'keypoints': keypoints,
        'scores': scores,
        'box': _box(instance.get('bbox'), where),
        'track': track_of(instance, where),
    }


def _box(value: object, where: str) -> np.ndarray | None:
    if value is None:
        return None
    # MMPose's split_instances writes the box inside another list.
    box = as_numbers(value, f'{where} bbox').ravel()
    if len(box) not in (4, 5):
        raise ValueError(
            f'{where} bbox has {len(box)} numbers: x1, y1, x2, y2 expected'
        )
    return box[:4]


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


def track_of(person: dict, where: str) -> int | None:
    """Return the track ID of an instance, or None."""
    for key in _TRACK_KEYS:
        if person.get(key) is not None:
            return as_identity(person[key], f'{where} {key}')
    return None


def as_single(header: dict, key: str) -> float | None:
    """Return a number of a header, or None."""
    if header.get(key) is None:
        return None
    value = as_numbers(header[key], key)
    if value.size != 1:
        raise ValueError(f'{key} must be one number')
    return value.item()


def stack_people(people: list[dict], **header: object) -> Rows:
    """Stack people, one dict each, into rows.

    Args:
        people (list[dict]): ``frame``, ``keypoints`` (K, 2), ``scores`` (K,), ``box``
            (4,) or None, ``track`` int or None.
        **header (object): The remaining fields of `Rows`.
    """
    if not people:
        raise ValueError('holds no people')
    counts = sorted({len(person['keypoints']) for person in people})
    if len(counts) > 1:
        raise ValueError(f'people have {counts[0]} and {counts[-1]} keypoints')
    tracked = sum(person['track'] is not None for person in people)
    if tracked not in (0, len(people)):
        raise ValueError(f'only {tracked} of {len(people)} people have a track_id')
    boxes = [person['box'] for person in people]
    if all(box is None for box in boxes):
        boxes = None
    else:
        boxes = np.array([np.full(4, np.nan) if b is None else b for b in boxes])
    return Rows(
        keypoints=np.array([person['keypoints'] for person in people]),
        scores=np.array([person['scores'] for person in people]),
        frame=np.array([person['frame'] for person in people]),
        track=np.array([person['track'] for person in people]) if tracked else None,
        bboxes=boxes,
        **header,
    )
