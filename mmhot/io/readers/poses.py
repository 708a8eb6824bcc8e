"""Reader of 3D poses in any supported format, with image size, rate and axes."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmhot.errors import ArgumentError, choose, escape, naming, refuse_stated
from mmhot.io.readers.files import read_rows
from mmhot.structures.clips_2d import Clip2D, clip_name
from mmhot.structures.clips_3d import Clip3D, clip_3d
from mmhot.structures.conventions import log_reading
from mmhot.structures.rows import Rows


def read_poses(
    source: str | Path | np.ndarray | Iterable[object],
    *,
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    axes: str | None = None,
) -> Clip3D:
    """Read the 3D poses of a clip; the content decides which format it is.

    Arguments override what the source states, but files of mmhot cannot be overridden.

    Args:
        source (str | Path | np.ndarray | Iterable): A file or folder; an array
            (T, K, 3) as for :meth:`mmhot.Clip3D.from_arrays`, also with scores, or a
            list with one array for each frame; or a list with one result of SAM 3D Body
            or MediaPipe for each frame.
        skeleton (str | None): Joint order, a name of :mod:`mmhot.skeletons.joints`.
        image_size (tuple[int, int] | None): Width and height in pixels.
        fps (float | None): Frames per second.
        axes (str | None): Axes of the positions, such as 'y-up', see
            :meth:`mmhot.Clip3D.from_arrays`. By default the usual axes of the format,
            or axes in which people stand.

    Returns:
        Clip3D: Poses in meters; track IDs are -1 where they are unknown.

    Raises:
        ValueError: If the file or an argument is invalid, or nothing states the rate.
        OSError: If the file does not exist or cannot be read.

    Example::

        clip = read_poses('sam_3d_body.json', fps=30)
    """
    file = Path(source) if isinstance(source, str | Path) else Path('poses')
    with naming(file):
        rows = read_rows(source, file, 3)
        if isinstance(rows, Clip2D):
            raise ValueError(
                'has 2D keypoints, but 3D poses are needed: '
                '2D keypoints are for mmhot lift'
            )
        if isinstance(rows, Clip3D):
            refuse_stated(
                skeleton=skeleton, image_size=image_size, fps=fps, given_axes=axes
            )
            form = f'{len(rows.joint_names)} joints, meters, {rows.axes} axes'
            log_reading(str(file), rows.described(form).read_as, ())
            # The name becomes part of file names.
            return replace(rows, name=escape(Path(rows.name).name, '_') or 'clip')
        name = clip_name(file)
        fps = choose(name, 'fps', rows.fps, fps)
        if fps is None:
            raise ArgumentError('does not state its frame rate: give {fps}')
        stated = (rows.width, rows.height) if rows.width and rows.height else None
        size = stated if image_size is None else image_size
        pixels = rows.keypoints_2d
        if pixels is not None and rows.is_normalized:
            rows.keypoints_2d = None if size is None else pixels * size
        elif pixels is not None and size is None:
            size = _image_size(rows)
        return clip_3d(rows, name, fps, skeleton, size, axes)


def _image_size(rows: Rows) -> tuple[int, int]:
    """Estimate the image size in pixels: twice the center of the projection.

    It is the median over all joints of the pixel minus its offset from the center.
    """
    if rows.root_3d is None or rows.focal_length is None or rows.keypoints_2d is None:
        raise ArgumentError('does not state the image size: give {image_size}')
    places = rows.points[..., :3] + rows.root_3d[..., None, :]
    center = rows.keypoints_2d - rows.focal_length * places[..., :2] / places[..., 2:]
    width, height = 2 * np.nanmedian(center.reshape(-1, 2), axis=0)
    return max(round(width), 1), max(round(height), 1)
