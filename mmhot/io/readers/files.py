"""Readers of people in files, 2D or 3D: the table of formats."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmhot.errors import ArgumentError, naming, require_signature, user_code
from mmhot.io.arrays import BLANK, SIGNATURES, has_any, load_arrays, load_json, start_of
from mmhot.io.lifted import LIVE, clip_of_arrays, clip_of_json, read_lifted
from mmhot.io.pickles import load_objects
from mmhot.io.readers import deeplabcut, sleap, tables, ultralytics, videopose3d
from mmhot.io.readers.coco import is_coco, read_coco
from mmhot.io.readers.documents import columns_of, read_document, read_files
from mmhot.io.readers.frame_numbers import natural_key
from mmhot.structures.clips_2d import Clip2D, check_clip
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.rows import Rows

_CLIP_KEYS = {'keypoints_3d', 'parents', 'axes'}  # keys that only files of mmhot have
# Bytes of an unreadable file that are searched for names of SMPL.
_SEARCHED = 1 << 20
# Names of SMPL's parameters in files of AMASS, WHAM and GVHMR.
_SMPL = re.compile(b'betas|mocap_framerate|body_pose|pose_world|global_orient|smpl')
_SMPL_MESSAGE = (
    'has parameters of SMPL, not joints: save the 24 joints of the body model, '
    "(T, 24, 3), as .npy, and give {skeleton='smpl-24'}"
)
_BVH_MESSAGE = (
    'has rotations (.bvh), not positions: convert it by python -m '
    'tools.dataset_converters.convert_mocap FILE.bvh FILE.npz, and give FILE.npz with '
    '{skeleton=h36m-17}, {given_axes=z-up} and {fps=50}'
)
_FOLDER_SUFFIXES = ('.json', '.npz', '.npy', '.pkl')  # files that a folder may have

Reader = Callable[[Path, int], Rows | Clip2D | Clip3D]


def reader_of(path: Path) -> Reader | None:
    """Choose the reader of a file by its first bytes; None for unknown formats.

    Returns:
        Callable | None: Function of the path and of the preferred coordinates, 2 or 3.
    """
    start = start_of(path)
    for name, (first, ending, function) in REGISTERED.items():
        if start.startswith(first) and path.name.lower().endswith(ending):
            return partial(_read_registered, name, function)
    text = tables.decoded(start).encode() if start.startswith(tables.WIDE) else start
    text = text.lstrip(BLANK)
    read = next((read for starts, read in _READERS if text.startswith(starts)), None)
    if read is None and tables.find_header(text.decode('utf-8', 'replace')):
        return _of_path(tables.read_table)
    return read


def register_reader(
    name: str,
    function: Callable[[Path], Clip2D | Clip3D],
    *,
    start: bytes = b'',
    ending: str = '',
) -> None:
    """Add a reader of files of 2D keypoints or 3D poses.

    It has priority over mmhot's own readers.

    Args:
        name (str): Name of the format, for messages.
        function (Callable): Function that reads a path and returns a
            :class:`mmhot.Clip2D` or :class:`mmhot.Clip3D`, for example by their
            ``from_arrays``.
        start (bytes): First bytes of the files of this format.
        ending (str): End of their names, such as ``'.pose'``. At least one of ``start``
            and ``ending`` must be given; files must match both.

    Raises:
        ValueError: If the name is taken, the function cannot be called with a path, or
            neither ``start`` nor ``ending`` is given.

    Example::

        def read_pose(path):
            points = np.loadtxt(path).reshape(-1, 17, 2)
            return mmhot.Clip2D.from_arrays(points, (1920, 1080), fps=30)

        mmhot.register_reader('pose', read_pose, ending='.pose')
    """
    if not (start or ending) or name in REGISTERED:
        raise ValueError(
            f'{name}: a reader needs a name that is not taken, and start or ending, '
            'which show that a file has its format'
        )
    with user_code(f'the reader {name!r}'):
        require_signature(function, 'path')
        b''.startswith(start)  # raises TypeError unless both are of the right type
        ''.endswith(ending)
    REGISTERED[name] = start, ending.lower(), function


REGISTERED: dict[str, tuple[bytes, str, Callable[[Path], Clip2D | Clip3D]]] = {}
"""Users' readers by name: first bytes, end of the file name, and function."""


def _read_registered(
    name: str, function: Callable[[Path], Clip2D | Clip3D], path: Path, size: int
) -> Clip2D | Clip3D:
    with user_code(f'the reader {name!r}'):
        clip = function(path)
        return clip.checked() if isinstance(clip, Clip3D) else check_clip(clip)


def read_rows(source: object, path: Path, size: int) -> Rows | Clip2D | Clip3D:
    """Read people from a file, a folder with a file for each image, or memory.

    Args:
        source (object): Path of a file or folder, or results in memory.
        path (Path): The same path, or a name for results in memory.
        size (int): Coordinates of the points to read, 2 or 3, if people have both.

    Returns:
        Rows | Clip2D | Clip3D: Rows, with values that are not checked; or a clip, from
        files of mmhot and from users' readers.

    Raises:
        ValueError: If the format is unknown, or the file is damaged.
        OSError: If the file does not exist or cannot be read.
    """
    if not isinstance(source, str | Path):
        return (
            source if isinstance(source, Clip3D) else read_document(source, path, size)
        )
    if path.is_dir():
        if labels := ultralytics.label_files(path):
            return ultralytics.read_labels(labels, path)
        return _read_folder(path, size)
    if read := reader_of(path):
        try:
            return read(path, size)
        except ValueError as error:
            with path.open('rb') as file:
                if read is _read_objects and _SMPL.search(file.read(_SEARCHED)):
                    raise ArgumentError(_SMPL_MESSAGE) from error
            raise
    if not path.stat().st_size:
        raise ValueError('is empty')
    if start_of(path).startswith(b'HIERARCHY'):
        raise ArgumentError(_BVH_MESSAGE)
    raise ValueError(
        'has no known format of 2D keypoints or 3D poses (docs/input-formats.md lists '
        'them); videos and images are for mmhot infer'
    )


def _read_objects(path: Path, size: int) -> Rows | Clip3D:
    """Read ``.npz``, ``.npy`` or a pickle."""
    is_archive = start_of(path).startswith(SIGNATURES)
    columns = (
        load_arrays(path, lambda x: x if {*x} >= _CLIP_KEYS else columns_of(x))
        if is_archive
        else {}
    )
    if columns.keys() >= _CLIP_KEYS:
        return clip_of_arrays(columns)
    content: Any = columns or load_objects(path)
    if has_any(content, ('positions_2d',)):
        return videopose3d.read_custom(content)
    if is_archive and not columns:
        if len(content) != 1:
            raise ValueError(
                'has no array keypoints (T, K, 2) or keypoints_3d (T, K, 3)'
            )
        [content] = content.values()
    return read_document(content, path, size)


def _read_json(path: Path, size: int) -> Rows | Clip3D:
    document = load_json(path)
    if isinstance(document, dict) and has_any(document.get('meta_info'), _CLIP_KEYS):
        return clip_of_json(document)
    if is_coco(document):
        return read_coco(document, path)
    return read_document(document, path, size)


def _read_folder(folder: Path, size: int) -> Rows:
    """Read a folder with one file for each image; their names number the frames."""
    files = [x for x in folder.glob('[!.]*') if x.suffix.lower() in _FOLDER_SUFFIXES]
    if not files:
        raise ValueError(
            f'is a folder without {", ".join(_FOLDER_SUFFIXES)} files; images are for '
            'mmhot infer'
        )
    documents = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        read = load_json if file.suffix.lower() == '.json' else load_objects
        with naming(file):
            documents[file.name] = read(file)
    return read_files(documents, folder, size)


def _of_path(read: Callable[[Path], Rows | Clip3D]) -> Reader:
    """Make a reader of files with only 2D or only 3D points from a function."""
    return lambda path, size: read(path)


_READERS: tuple[tuple[bytes | tuple[bytes, ...], Reader], ...] = (
    ((*SIGNATURES, b'\x93NUMPY', b'\x80'), _read_objects),
    (LIVE, _of_path(read_lifted)),
    ((b'[', b'{'), _read_json),
    (b'PathFileType', _of_path(tables.read_trc)),
    ((b'NO_OF_FRAMES', b'FILE_VERSION'), _of_path(tables.read_tsv)),
    (b'\x02P', _of_path(tables.read_c3d)),
    ((b'scorer,', b'"scorer",'), _of_path(deeplabcut.read_csv)),
    ((b'track,frame_idx,', b'"track","frame_idx",'), _of_path(sleap.read_csv)),
    (b'\x89HDF', _of_path(sleap.read_hdf5)),
)
"""First bytes of files, after white space, and their reader."""
