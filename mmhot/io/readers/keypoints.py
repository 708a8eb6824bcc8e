"""Reader of 2D keypoints in any supported format, with image size, rate and skeleton.

Arguments override what the file states, with a warning if they differ. A value that
neither states is an error.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmhot.errors import (
    ArgumentError,
    choose,
    ignored_warnings,
    naming,
    refuse_stated,
)
from mmhot.geometry.keypoint_arrays import largest_rows
from mmhot.io.readers.files import read_rows, reader_of
from mmhot.io.readers.ultralytics import label_files
from mmhot.structures.clips_2d import Clip2D, clip_2d, clip_name
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.rows import CheckedRows, Rows


def read_keypoints(
    path: str | Path | Iterable[object],
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    single: Literal['largest', 'untracked'] | None = None,
) -> Clip2D:
    """Read the 2D keypoints of a clip; the content decides which format it is.

    ``docs/input-formats.md`` describes the formats.

    Args:
        path (str | Path | Iterable): A file or folder; results of other packages, one
            for each frame (:mod:`mmhot.io.readers.documents`); or an array as in
            :meth:`mmhot.Clip2D.from_arrays`.
        skeleton (str | None): Joint order, a name of :mod:`mmhot.skeletons.joints`. By
            default the one that the file states, or the default order of as many
            joints.
        image_size (tuple[int, int] | None): Width and height in pixels.
        fps (float | None): Frames per second.
        single (str | None): ``'largest'`` keeps the largest person of each frame, as
            one track; ``'untracked'`` does so if there are no track IDs.

    Returns:
        Clip2D: At least one track with at least one keypoint.

    Raises:
        ValueError: If the file or an argument is invalid.
        OSError: If the file does not exist or cannot be read.

    Example::

        clip = mmhot.read_keypoints('demo/skating_2d_coco17.npz')
        mmhot.lift(clip).save('skating.bvh')
    """
    if single not in (None, 'largest', 'untracked'):
        raise ArgumentError("{single} must be 'largest' or 'untracked', got %r", single)
    source = Path(path) if isinstance(path, str | Path) else None
    file = source or Path('clip')
    with naming(file):
        stated = read_rows(path, file, 2)
        if isinstance(stated, Clip3D):
            raise ValueError(
                'has 3D poses, but 2D keypoints are needed: '
                '3D poses are for mmhot refine'
            )
        if isinstance(stated, Clip2D):
            refuse_stated(skeleton=skeleton, image_size=image_size, fps=fps)
            return replace(stated, name=clip_name(file), source=source)
        rows = stated.checked(2, str(file))
        width, height, rate = _size_and_rate(rows, file, image_size, fps)
        if rows.is_normalized:
            rows.points = rows.points * [width, height]
            if rows.bboxes is not None:
                rows.bboxes = rows.bboxes * [width, height, width, height]
        rows, chosen = rows.with_joints(str(file), skeleton)
        if single == 'largest' or (single and rows.track[0] < 0):
            rows = _largest_people(rows)
        return clip_2d(rows, clip_name(file), chosen, (width, height), rate, source)


def _size_and_rate(
    rows: Rows, file: Path, image_size: tuple[int, int] | None, fps: float | None
) -> Iterable[Any]:
    """Return width, height and rate, from the arguments or else from the file."""
    names = dict(width='{image_size}', height='{image_size}', fps='{fps}')
    arguments = *(image_size or (None, None)), fps
    header = {
        name: choose(file, name, getattr(rows, name), argument)
        for name, argument in zip(names, arguments, strict=True)
    }
    if missing := [name for name, value in header.items() if value is None]:
        text = ' and '.join(dict.fromkeys(names[name] for name in missing))
        raise ArgumentError(f'does not state %s: give {text}', ', '.join(missing))
    return header.values()


def _largest_people(rows: CheckedRows) -> CheckedRows:
    """Return the largest person of each frame, as one track."""
    with ignored_warnings():  # NumPy warns of people without keypoints
        sides = np.nanmax(rows.points, 1) - np.nanmin(rows.points, 1)
    size = np.nan_to_num(sides.prod(-1), nan=-1)
    rows = rows.take(largest_rows(rows.frame, size))
    rows.track[:] = 0
    return rows


def has_keypoints(path: Path) -> bool:
    """Return whether a file, or a folder of files, has 2D keypoints."""
    if path.is_dir():
        return any(path.glob('*.json')) or bool(label_files(path))
    return path.is_file() and reader_of(path) is not None
