"""Reader of 3D poses: of SAM 3D Body, MediaPipe, EasyMocap, arrays, our own files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError, escape, naming
from mmhot.geometry.keypoint_arrays import check_image_size, choose
from mmhot.io.readers.files import read_rows
from mmhot.io.readers.people import read_people
from mmhot.structures.clips import Clip3D, clip_3d, clip_name
from mmhot.structures.rows import LARGEST_FRAME, Rows


def read_poses(
    source: str | Path | np.ndarray | Iterable[object],
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    axes: str | None = None,
) -> Clip3D:
    """Read the 3D poses of a clip; the content decides which format it is.

    Args:
        source (str | Path | np.ndarray | Iterable): A file or folder; an array
            (:meth:`mmhot.Clip3D.from_arrays`), whose joints may have scores, or one of
            each frame; or one result of SAM 3D Body or MediaPipe for each frame.
        skeleton (str, optional): Joint order. By default the one with as many joints.
        image_size (tuple[int, int], optional): Width and height in pixels.
        fps (float, optional): Frames per second.
        axes (str, optional): One of ``GIVEN_AXES``. By default those of the format, or
            'camera', or 'z-up' if trunks point along z or y.

    Returns:
        Clip3D: Track IDs are -1 where they are unknown. Files of mmhot are returned as
        they are.

    Raises:
        ValueError: If the source or an argument is invalid.
        OSError: If a file does not exist or cannot be read.
    """
    given = dict(skeleton=skeleton, image_size=image_size, fps=fps, given_axes=axes)
    path = Path(source) if isinstance(source, str | Path) else None
    if path is None:
        if isinstance(source, Iterable) and not hasattr(source, '__len__'):
            source = [*source]
        return _build(read_people(source, Path('poses'), 3), 'poses', given)
    with naming(path):
        content = read_rows(path, 3)
        if not isinstance(content, Clip3D):
            return _build(content, clip_name(path), given)
        for option, value in given.items():
            if value is not None:
                raise ArgumentError(f'{{{option}}} is stated by the file')
        return _check_own(content)


def _build(rows: Rows, name: str, given: Mapping[str, Any]) -> Clip3D:
    """Make a clip of rows; arguments override what the source states."""
    fps = choose(name, 'fps', rows.fps, given['fps'])
    if fps is None:
        raise ArgumentError('does not state its rate: give {fps}')
    size = given['image_size']
    if size is None and rows.width and rows.height:
        size = check_image_size((rows.width, rows.height))
    pixels = rows.keypoints_2d
    if pixels is not None and rows.is_normalized:
        rows.keypoints_2d = None if size is None else pixels * size
    elif pixels is not None and size is None:
        size = _image_size(rows)
    return clip_3d(rows, name, fps, given['skeleton'], size, given['given_axes'])


def _check_own(clip: Clip3D) -> Clip3D:
    """Check a file of our own, which anyone may have changed.

    Raises:
        ValueError: If a value is none that mmhot writes; names it.
    """
    clip.checked()
    check_image_size((clip.width, clip.height))
    names, parents = clip.joint_names, np.array(clip.parents)
    is_right = {
        'name': Path(clip.name).name == clip.name and clip.name.strip('.') != '',
        'axes': clip.axes in ('camera', 'z-up', 'world'),
        'frame': ((clip.frame >= 0) & (clip.frame <= LARGEST_FRAME)).all(),
        # joints lead to a root, and have no other names twice
        'joint_names': len(set(names)) == len(parents) > 0,
        'parents': _is_tree(clip.parents),
    }
    for name, is_usual in is_right.items():
        if not is_usual:
            raise ValueError(f'{name!r} has a value that mmhot does not write')
    return replace(clip, name=escape(clip.name, '_'))


def _is_tree(parents: Sequence[int]) -> bool:
    """Return whether each joint leads to a root, -1, by the indices of parents."""
    found = np.arange(len(parents))
    table = np.append(parents, -1)  # the parent of -1 is itself
    if not ((table >= -1) & (table < len(parents))).all():
        return False
    for _ in parents:
        found = table[found]
    return bool((found == -1).all())


def _image_size(rows: Rows) -> tuple[int, int]:
    """Return the image size, twice the point that the camera looks at."""
    if rows.root_3d is None or rows.focal_length is None or rows.keypoints_2d is None:
        raise ArgumentError('does not state the image size: give {image_size}')
    places = rows.points[..., :3] + rows.root_3d[..., None, :]
    center = rows.keypoints_2d - rows.focal_length * places[..., :2] / places[..., 2:]
    width, height = 2 * np.nanmedian(center.reshape(-1, 2), axis=0)
    return max(round(width), 1), max(round(height), 1)
