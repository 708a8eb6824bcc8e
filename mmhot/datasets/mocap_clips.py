"""Motion capture: clips of 17 joints in one ``.npz``, see ``docs/data.md``."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mmhot.errors import require_file


def read_mocap_clips(path: Path) -> dict[str, np.ndarray]:
    """Read clips.

    Args:
        path (Path): The ``.npz`` file.

    Returns:
        dict[str, np.ndarray]: By key, joints of Human3.6M in meters, z up, float32
        (T, 17, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not what it should be; one line that says what.
    """
    require_file(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            clips = {key: archive[key].astype(np.float32) for key in archive.files}
    except (ValueError, BadZipFile, EOFError, OSError, TypeError) as error:
        raise ValueError(f'{path} is no readable .npz of clips: {error}') from error
    for key, joints in clips.items():
        if joints.ndim != 3 or joints.shape[1:] != (17, 3) or not len(joints):
            raise ValueError(
                f'{path}: clip {key} must be (T, 17, 3), got {joints.shape}'
            )
        if not np.isfinite(joints).all():
            raise ValueError(f'{path}: clip {key} has values that are not finite')
    return clips
