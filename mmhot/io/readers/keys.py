"""Keys of people in the files of programs."""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Key(NamedTuple):
    """Meaning of a key in the dict of a person, or of arrays of people.

    Fields have the names of :class:`mmhot.structures.rows.Rows`, but its points are
    ``points_2d``, ``points_3d``, or ``points`` if they may have 2 or 3 coordinates.
    """

    field: str
    stated: Mapping[str, object] = {}  # further fields that the program implies
    num_points: int | None = None  # points to read, from the first one; None for all


def spell(key: object) -> str:
    """Return a key's letters and digits in lower case: spellings of programs vary.

    >>> spell('Pose_Keypoints 2D')
    'posekeypoints2d'
    """
    return re.sub(r'[\W_]', '', str(key)).lower()
