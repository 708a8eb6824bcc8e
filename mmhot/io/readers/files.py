"""Readers of people in files, 2D or 3D: the table of formats."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from mmhot.errors import ArgumentError, require_file
from mmhot.io.arrays import BLANK, SIGNATURES, load_arrays, load_json, start_of
from mmhot.io.lifted import (
    LIVE,
    clip_of_arrays,
    clip_of_json,
    is_lifted,
    read_lifted,
)
from mmhot.io.pickles import load_objects
from mmhot.io.readers.animal_tracking import (
    DEEPLABCUT,
    HDF5,
    SLEAP,
    read_deeplabcut,
    read_sleap,
    read_sleap_csv,
)
from mmhot.io.readers.coco import is_coco, read_coco
from mmhot.io.readers.frame_numbers import natural_key
from mmhot.io.readers.people import columns_of, read_files, read_people
from mmhot.io.readers.tables import (
    C3D,
    TRC,
    is_table,
    read_c3d,
    read_table,
    read_trc,
)
from mmhot.io.readers.yolo_labels import label_files, read_labels
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.rows import Rows

_EXPORT_COCO = (
    'export keypoints as COCO ("COCO Keypoints 1.0" in CVAT, "COCO" in Label Studio)'
)
_LABEL_STUDIO = re.compile(b'"(keypointlabels|lead_time|inner_id)"')
# Names of parameters in files of AMASS, WHAM and GVHMR.
_SMPL = re.compile(b'betas|mocap_framerate|body_pose|pose_world|global_orient|smpl')
_OF_CLIPS = {'keypoints_3d', 'parents', 'axes'}
_OF_VIDEOS = 'positions_2d'
_OF_FOLDERS = ('.json', '.npz', '.npy', '.pkl')

Reader = Callable[[Path, int], Rows | Clip3D]


def reader_of(start: bytes) -> Reader | None:
    """Return the reader of files that begin so; None of unknown ones."""
    text = start.lstrip(BLANK)
    for starts, read in _READERS:
        if text.startswith(starts):
            return read
    # videos and images have zeros, which the csv of Python 3.10 refuses
    return _read_table if b'\0' not in text and is_table(text) else None


def read_rows(source: Any, path: Path, size: int) -> Rows | Clip3D:
    """Read people of a file, of a folder of one file for each image, or of objects.

    The path is that of the source, or a name of objects; ``size`` is the number of
    coordinates, 2 or 3, of people who have points of both. Values are not checked; a
    file of mmhot is returned as clip.
    """
    if not isinstance(source, str | Path):
        return read_people(source, path, size)
    if path.is_dir():
        labels = label_files(path)
        return read_labels(labels, path) if labels else _read_folder(path, size)
    start = start_of(path)
    read = reader_of(start)
    if read is not None:
        return read(path, size)
    if not start:
        raise ValueError('is empty')
    hint = 'videos and images are for mmhot infer'
    if b'\0' not in start:
        hint = 'docs/migration.md converts keypoints of other tools'
    raise ValueError(
        'is not a file of 2D keypoints or 3D poses that docs/output-formats.md or '
        f'docs/migration.md lists; {hint}'
    )


def _names_to_load(names: list[str]) -> list[str]:
    """Return all names of a clip of mmhot, else those of known columns."""
    return names if {*names} >= _OF_CLIPS else columns_of(names)


def _read_objects(path: Path, size: int) -> Rows | Clip3D:
    """Read ``.npz``, ``.npy`` or a pickle."""
    try:
        return _read_arrays(path, size)
    except ValueError as error:
        if _holds(path, _SMPL):
            raise ArgumentError(
                'has parameters of SMPL, not joints: save the 24 joints of the body '
                "model, (T, 24, 3), as .npy, and give {skeleton='smpl-24'}"
            ) from error
        raise


def _read_arrays(path: Path, size: int) -> Rows | Clip3D:
    is_archive = start_of(path).startswith(SIGNATURES)
    columns = load_arrays(path, _names_to_load) if is_archive else {}
    if columns.keys() >= _OF_CLIPS:
        return clip_of_arrays(columns)
    if columns:
        return read_people(columns, path, size)
    content = load_objects(path)
    if not isinstance(content, dict):
        return read_people(content, path, size)
    if _OF_VIDEOS in content:
        return _read_videos(content)
    if is_archive:
        if len(content) != 1:
            raise ValueError('has no array keypoints (T, K, 2) or keypoints_3d')
        [content] = content.values()
    return read_people(content, path, size)


def _read_videos(content: dict[str, Any]) -> Rows:
    """Read VideoPose3D's ``data_2d_custom``, of one video and one person."""
    videos = content[_OF_VIDEOS]
    if not isinstance(videos, dict) or len(videos) != 1:
        listed = ', '.join(map(str, videos)) if isinstance(videos, dict) else 'none'
        raise ValueError(f'must have one video, has {listed:.100}: prepare each alone')
    [(name, cameras)] = videos.items()
    [people] = cameras.values()
    if len(people) != 1:
        raise ValueError(f'must have one person, has {len(people)}')
    size = content.get('metadata', {}).get('video_metadata', {}).get(name, {})
    return Rows(people[0], width=size.get('w'), height=size.get('h'))


def _read_json(path: Path, size: int) -> Rows | Clip3D:
    document = load_json(path)
    if is_lifted(document):
        return clip_of_json(document)
    if is_coco(document):
        return read_coco(document, path)
    try:
        return read_people(document, path, size)
    except ValueError as error:
        if _holds(path, _LABEL_STUDIO):
            raise ValueError(f'is JSON of Label Studio: {_EXPORT_COCO}') from error
        raise


def _read_table(path: Path, size: int) -> Rows:
    return read_table(path)


def _holds(path: Path, words: re.Pattern[bytes]) -> bool:
    """Return whether some words are in the first megabyte of a file."""
    with path.open('rb') as file:
        return words.search(file.read(1 << 20)) is not None


def _refuse_xml(path: Path, size: int) -> NoReturn:
    raise ValueError(f'is XML or HTML: {_EXPORT_COCO}')


def _read_folder(folder: Path, size: int) -> Rows:
    """Read a folder of one file per image, which their names number."""
    files = [x for x in folder.glob('[!.]*') if x.suffix.lower() in _OF_FOLDERS]
    if not files:
        text = f'is a folder without {", ".join(_OF_FOLDERS)} files'
        raise ValueError(f'{text}; images are for mmhot infer')
    documents = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        read = load_json if file.suffix.lower() == '.json' else load_objects
        try:
            documents[file.name] = read(require_file(file))
        except ValueError as error:
            reason = str(error).removeprefix(f'{file}: ')
            raise ValueError(f'{file.name} {reason}') from error
    return read_files(documents, folder, size)


_READERS: tuple[tuple[bytes | tuple[bytes, ...], Reader], ...] = (
    ((*SIGNATURES, b'\x93NUMPY', b'\x80'), _read_objects),
    (HDF5, lambda path, size: read_sleap(path)),
    (DEEPLABCUT, lambda path, size: read_deeplabcut(path)),
    (SLEAP, lambda path, size: read_sleap_csv(path)),
    (LIVE, lambda path, size: read_lifted(path)),
    ((b'[', b'{'), _read_json),
    (b'<', _refuse_xml),
    (TRC, lambda path, size: read_trc(path)),
    (C3D, lambda path, size: read_c3d(path)),
)
"""Readers of files by their first bytes."""
