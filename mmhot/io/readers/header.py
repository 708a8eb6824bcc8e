"""What a clip's keypoints mean: picture size, frame rate and joint order.

An option wins over what the file says, with a warning where they differ; what neither
says is an error that names the option.
"""

import logging
from pathlib import Path

from mmhot.io.readers.rows import Rows
from mmhot.skeletons.joints import SKELETONS, get_skeleton

_LOGGER = logging.getLogger(__name__)

# Joint orders that files without names are taken for.
_BY_COUNT = ('coco-17', 'coco-wholebody-133', 'halpe-26', 'mediapipe-33')
_OPTIONS = {'width': '--image-size WxH', 'height': '--image-size WxH', 'fps': '--fps F'}
_LIMITS = {
    'width': (1, 100_000, int),
    'height': (1, 100_000, int),
    'fps': (1, 1000, float),
}


def check_options(
    skeleton: str | None,
    image_size: tuple[int, int] | None,
    fps: float | None,
    single: str | None,
) -> None:
    """Check the arguments of `read_keypoints` before any file is opened."""
    if skeleton is not None:
        get_skeleton(skeleton)
    if image_size is not None:
        if len(image_size) != 2:
            raise ValueError(f'--image-size must be width and height: {image_size}')
        width, height = image_size
        _check_number('width', width, '--image-size')
        _check_number('height', height, '--image-size')
    if fps is not None:
        _check_number('fps', fps, '--fps')
    if single not in (None, 'largest'):
        raise ValueError(f"--single must be 'largest', got {single!r}")


def _check_number(name: str, value: float, option: str = '') -> float | int:
    low, high, kind = _LIMITS[name]
    # Written so that NaN fails.
    if not low <= value <= high or kind(value) != value:
        prefix = f'{option}: ' if option else ''
        whole = 'whole ' if kind is int else ''
        raise ValueError(
            f'{prefix}{name} must be a {whole}number within {low}..{high}, got {value}'
        )
    return kind(value)


def settle_header(
    path: Path, rows: Rows, image_size: tuple[int, int] | None, fps: float | None
) -> tuple[int, int, float]:
    """Settle on size and rate: an option, or else what the file says.

    Args:
        path (Path): For the warning.
        rows (Rows): What the file says.
        image_size (tuple[int, int] | None): The option.
        fps (float | None): The option.

    Returns:
        tuple[int, int, float]: Width, height, frames per second.
    """
    width, height = image_size or (None, None)
    given = {'width': width, 'height': height, 'fps': fps}
    settled, lacking = {}, {}
    for name, option in _OPTIONS.items():
        stated = getattr(rows, name)
        if given[name] is None and stated is None:
            lacking[name] = option
        elif given[name] is None:
            settled[name] = _check_number(name, stated)
        else:
            settled[name] = _LIMITS[name][-1](given[name])
            if stated is not None and stated != given[name]:
                _LOGGER.warning(
                    '%s says %s %s; %s from the options is used instead',
                    *(path, name, stated, given[name]),
                )
    if lacking:
        options = ' '.join(dict.fromkeys(lacking.values()))
        raise ValueError(f'does not say {", ".join(lacking)}: give {options}')
    return settled['width'], settled['height'], settled['fps']


def settle_skeleton(path: Path, rows: Rows, wanted: str | None) -> str:
    """Settle on a joint order: the option, the file's names, or the joint count.

    Args:
        path (Path): For the warning.
        rows (Rows): Says how many joints there are, perhaps which.
        wanted (str | None): The option.

    Returns:
        str: Name of a skeleton with that many joints.
    """
    count = rows.keypoints.shape[1]
    if wanted is None:
        name = _stated_skeleton(rows) or _skeleton_with(count)
    else:
        name = get_skeleton(wanted).name
        _warn_of_other_skeleton(path, rows, name)
    expected = get_skeleton(name).num_keypoints
    if count != expected:
        raise ValueError(f'has {count} keypoints a person, but {name} has {expected}')
    return name


def _stated_skeleton(rows: Rows) -> str | None:
    if rows.skeleton is not None:
        return get_skeleton(rows.skeleton).name
    if rows.joint_names is None:
        return None
    if len(rows.joint_names) != rows.keypoints.shape[1]:
        raise ValueError(
            f'names {len(rows.joint_names)} joints but has {rows.keypoints.shape[1]} '
            'keypoints a person'
        )
    names = [_plain(name) for name in rows.joint_names]
    for skeleton in SKELETONS.values():
        if names == [_plain(joint) for joint in skeleton.joints]:
            return skeleton.name
    raise ValueError(
        f'names its joints {", ".join(rows.joint_names)[:60]}..., which is no skeleton '
        'known here: give --skeleton if the order fits one'
    )


def _plain(joint: str) -> str:
    return '_'.join(joint.lower().replace('-', ' ').replace('_', ' ').split())


def _warn_of_other_skeleton(path: Path, rows: Rows, wanted: str) -> None:
    try:
        stated = _stated_skeleton(rows)
    except ValueError as error:
        _LOGGER.warning('%s: %s; %s is used', path, error, wanted)
        return
    if stated not in (None, wanted):
        _LOGGER.warning('%s says %s; %s is used instead', path, stated, wanted)


def _skeleton_with(count: int) -> str:
    for name in _BY_COUNT:
        if get_skeleton(name).num_keypoints == count:
            return name
    known = ', '.join(f'{get_skeleton(n).num_keypoints} ({n})' for n in _BY_COUNT)
    raise ValueError(f'has {count} keypoints a person; known are {known}')
