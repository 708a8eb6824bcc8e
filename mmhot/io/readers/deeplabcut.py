"""DeepLabCut 2 and 3: ``.csv`` of predictions or labels, one or several animals.

``analyze_videos(..., save_as_csv=True)`` writes a row for each frame below four lines,
or three if there is one animal. Labels have the path of an image in place of the frame
and no likelihood::

    scorer,DLC_resnet50,DLC_resnet50,DLC_resnet50
    individuals,ann,ann,ann
    bodyparts,nose,nose,nose
    coords,x,y,likelihood
    0,612.0,110.5,0.93
"""

from pathlib import Path

import numpy as np

from mmhot.io.readers.frame_numbers import frames_of
from mmhot.io.readers.tables import cells_of, numbers_of
from mmhot.structures.rows import Rows, rows_of_tracks

_HEADER = ('scorer', 'individuals', 'bodyparts', 'coords')


def read_csv(path: Path) -> Rows:
    """Read the individuals that have the same joints as the first one.

    Returns:
        Rows: One row per individual and frame, without missing individuals.
    """
    lines = [line for line in cells_of(path) if any(line[1:])]
    header = {line[0]: line for line in lines[:4] if line[0] in _HEADER}
    lines = lines[len(header) :]
    axes = ('x', 'y', 'likelihood') if 'likelihood' in header['coords'] else ('x', 'y')
    individuals = header.get('individuals', header['scorer'])
    heads = zip(individuals, header['bodyparts'], header['coords'], strict=True)
    column_of = {head: n for n, head in enumerate(heads) if head[2] in axes}
    first, *_ = column_of
    joints = [x for name, x, axis in column_of if (name, axis) == (first[0], 'x')]
    # Others are the unique body parts of the table, such as corners of the arena.
    people = [x for x, joint, axis in column_of if (joint, axis) == (joints[0], 'x')]
    columns = [column_of[x, y, z] for x in people for y in joints for z in axes]
    values = numbers_of(lines, columns)
    values = values.reshape(len(lines), len(people), len(joints), len(axes))
    # Labels have the path of an image in several columns.
    images = [line[min(column_of.values()) - 1] for line in lines]
    frames = np.array(frames_of(images, path))
    return rows_of_tracks(values.swapaxes(0, 1), frames, joints)
