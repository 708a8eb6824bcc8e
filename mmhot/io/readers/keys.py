"""Keys of people in the files of programs."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Key(NamedTuple):
    """Content of a key, in the dict of a person or of arrays of people.

    Fields have the names of :class:`mmhot.structures.rows.Rows`, but its points are
    ``points_2d``, ``points_3d``, or ``points`` if they may have 2 or 3 coordinates.
    """

    field: str
    stated: Mapping[str, Any] = {}  # further fields that the program implies
    num_points: int | None = None  # points that are read, from the first one; None: all


def spell(key: object) -> str:
    """Return the letters and digits of a key in lower case, as programs vary in them.

    >>> spell('Pose_Keypoints 2D')
    'posekeypoints2d'
    """
    return re.sub(r'[\W_]', '', str(key)).lower()
