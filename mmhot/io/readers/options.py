"""Options of files of 2D keypoints and of 3D poses: what they may lack."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from mmhot.options import Option, Options, read_numbers
from mmhot.structures.pose_arrays import GIVEN_AXES


def read_image_size(value: Any) -> tuple[int, int]:
    """Read an image size: (width, height), or text such as '1920x1080'."""
    width, height = read_numbers(value, int, 'x')
    if min(width, height) < 1:
        raise ValueError
    return width, height


@dataclass(frozen=True, kw_only=True)
class SingleOption(Options):
    """Option of files whose people have no track IDs."""

    title = 'keypoint files'

    single: Annotated[
        Literal['largest'] | None,
        'take only the largest person of each frame, as one track',
    ] = None


@dataclass(frozen=True, kw_only=True)
class FileOptions(Options):
    """Options of files of 2D keypoints or 3D poses."""

    title = 'keypoint files'

    skeleton: Annotated[
        str | None,
        'joint order of the inputs, such as coco-17 or h36m-17 (default: from the file '
        'or the number of joints)',
        Option(metavar='NAME'),
    ] = None
    image_size: Annotated[
        tuple[int, int] | None,
        'image size in pixels, if the inputs do not state it',
        Option(read=read_image_size, expected='WxH, such as 1920x1080', metavar='WxH'),
    ] = None
    fps: Annotated[
        float | None,
        'frame rate of the inputs, if they do not state it',
        Option(low=0.1, high=1000),
    ] = None


@dataclass(frozen=True, kw_only=True)
class KeypointFileOptions(FileOptions, SingleOption):
    """Options of files of 2D keypoints."""


@dataclass(frozen=True, kw_only=True)
class PoseFileOptions(FileOptions):
    """Options of files of 3D poses."""

    given_axes: Annotated[
        str | None,
        'axes of the inputs: camera (x right, y down, z away), z-up (x right, y away), '
        'y-up, or world (z up); -left: left-handed (default: those of the format, or '
        'as people stand)',
        Option(choices=GIVEN_AXES),
    ] = None
