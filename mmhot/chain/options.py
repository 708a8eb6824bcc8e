"""Options of inputs and outputs: files, many inputs, connections."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from mmhot.chain.formats import FORMATS, OTHER_FORMATS, writer_options
from mmhot.chain.keypoints.people import SingleOption
from mmhot.chain.poses.sizes import HeightOption
from mmhot.errors import ArgumentError, import_extra
from mmhot.io.writers.export import WriterOptions
from mmhot.options import (
    Option,
    Options,
    Values,
    options_of,
    read_names,
    split_numbers,
)
from mmhot.structures.pose_arrays import GIVEN_AXES

_Axes = Annotated[
    Literal['camera', 'z-up', 'world'],
    'camera: x right, y down, z away; z-up: x right, y away, z up; world: level, z up '
    'from the floor',
]


def read_image_size(value: str | Iterable[int]) -> tuple[int, int]:
    """Read an image size in pixels: (width, height), or text.

    >>> read_image_size('1920x1080')
    (1920, 1080)
    """
    width, height = split_numbers(value, int, 'x')
    if min(width, height) < 1:
        raise ValueError
    return width, height


@dataclass(frozen=True, kw_only=True)
class RateOption(Options):
    """Frame rate of images and raw streams, which do not state it."""

    title = 'time and people'

    fps: Annotated[
        float | None,
        'frame rate of image folders (which then form one video) and raw streams; of '
        'slow-motion videos, the rate at which they were recorded',
        Option(low=0.1, high=1000),
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
        'y-up, or world (z up); -left: left-handed (default: the axes of the format, '
        'or as people stand)',
        Option(choices=GIVEN_AXES),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ExportOptions(WriterOptions, HeightOption):
    """Options of output files: formats, axes and scale."""

    formats: Annotated[
        tuple[str, ...],
        f'output formats, with commas: {", ".join(FORMATS)} (default: npz,html)',
        Option(
            read=partial(read_names, 'formats', choices=FORMATS, hints=OTHER_FORMATS),
            metavar='LIST',
        ),
    ] = ('npz', 'html')
    axes: _Axes = 'camera'

    def __post_init__(self) -> None:
        """Check the values, and that the packages of the formats are installed."""
        for name in self.formats:
            needed = FORMATS[name].requires
            if needed is not None:
                import_extra(needed[0], f'the format {name}', needed[1])
        if self.formats == ('coco.json',):
            reason = 'acts on 3D poses, but coco.json has 2D keypoints'
            self.refuse({'axes', 'height'}, reason)
        if self.axes != 'world' and all(FORMATS[x].world for x in self.formats):
            names = ', '.join(self.formats)
            reason = f'must be world for {names}, where people stand on a floor'
            self.refuse({'axes'}, reason)

    def check_beside(self, values: Values) -> None:
        """Raise ArgumentError for an option that acts on no chosen format."""
        for kind in writer_options():
            names = [name for name, form in FORMATS.items() if kind in form.options]
            if not {*names} & {*self.formats}:
                one = 'the format' if len(names) == 1 else 'one of the formats'
                needed = f'needs {one} {", ".join(names)}'
                values.of(kind).refuse(options_of(kind), needed)


@dataclass(frozen=True, kw_only=True)
class FolderOption(WriterOptions):
    """Option of the commands that write files."""

    hint = "files are written afterwards, by clip.save('FOLDER/NAME.bvh')"

    out_dir: Annotated[
        Path, 'folder for the results', Option(metavar='FOLDER', decides=False)
    ] = Path('results')


@dataclass(frozen=True, kw_only=True)
class OutputOptions(ExportOptions, FolderOption):
    """Options of the commands that write files of clips."""


@dataclass(frozen=True, kw_only=True)
class StreamOutputOptions(FolderOption):
    """Options of the file of a stream."""

    axes: _Axes = 'camera'


@dataclass(frozen=True, kw_only=True)
class BatchOptions(Options):
    """Options of many inputs and repeated runs."""

    title = 'many inputs'

    no_cache: Annotated[
        bool,
        'detect people again, and keep no intermediate results',
        Option(decides=False),
    ] = False
    resume: Annotated[
        bool,
        'skip inputs that were finished with the same models and options',
        Option(decides=False),
    ] = False
    runner: Annotated[
        Literal['local', 'ray'],
        'local: one input after the other; ray: several at once',
        Option(decides=False),
    ] = 'local'
    num_workers: Annotated[
        int | None,
        'inputs processed at once by Ray (default: as CPUs and GPUs allow)',
        Option(low=1, decides=False),
    ] = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.resume and self.no_cache:
            raise ArgumentError('{resume} needs the cache, which {no_cache} turns off')
        if self.num_workers is not None and self.runner != 'ray':
            raise ArgumentError("{num_workers} needs {runner='ray'}")


@dataclass(frozen=True, kw_only=True)
class ConnectionOptions(Options):
    """Options of the connection to a stream."""

    title = 'streams'

    duration: Annotated[
        float | None,
        'stop after this time (default: never)',
        Option(low=0, metavar='SECONDS'),
    ] = None
    reconnect: Annotated[
        float,
        'how long to keep reconnecting to a lost stream',
        Option(low=0, metavar='SECONDS'),
    ] = 60.0
