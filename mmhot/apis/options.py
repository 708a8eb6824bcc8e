"""Options of all calls and commands: defaults, help texts, conversions and checks.

Each call of the Python interface has one dataclass. The command line and Ray's workers
use the same ones: ``mmhot.cli.options`` generates an option from every field.
"""

import operator
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, dataclass, field, fields
from inspect import Parameter, getdoc, signature
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from mmhot.compat.installation import import_extra
from mmhot.errors import did_you_mean, require_choice
from mmhot.motion.processors import PROCESSORS, list_processors
from mmhot.structures.formats import BVH_PROFILE_NAMES, WRITERS
from mmhot.weights.index import LIVE_LIFTER
from mmhot.weights.names import BACKENDS

if TYPE_CHECKING:  # importing them takes time
    from mmhot.structures.lens import Lens

T = TypeVar('T', bound='Options')
Function = TypeVar('Function', bound=Callable[..., Any])
SMOOTHING = ('none', 'butterworth', 'savgol', 'one-euro')
_NAME = 'a name or file'
_KINDS = {int: 'a whole number', float: 'a number', str: _NAME, Path: _NAME}


@dataclass(frozen=True)
class Argument:
    """Documentation and check of one option.

    Args:
        help (str): Help text.
        choices (tuple): Allowed values; empty for any.
        low (float): Least value.
        high (float): Greatest value.
        convert (Callable, optional): Converts and checks a value that is no plain
            number, text or bool.
        expected (str): What the value must be, for messages. Without it ``convert``
            has its own.
        metavar (str): Placeholder in the help text; the unit of a number.
        flag (str): Command-line option, where it is not the name of the field.
    """

    help: str
    choices: tuple = ()
    low: float = -inf
    high: float = inf
    convert: Callable[[Any], Any] | None = None
    expected: str = ''
    metavar: str = 'N'
    flag: str = ''

    def check(self, name: str, kind: type, given: Any) -> Any:
        """Convert and check a value; messages begin with ``name``."""
        expected = self.expected or _KINDS.get(kind)
        try:
            value = self.convert(given) if self.convert else _to(kind, given)
        except (TypeError, ValueError) as error:
            if expected is None:
                raise
            raise ValueError(f'{name} must be {expected}, got {given!r}') from error
        low, high = self.low, self.high
        if kind in (int, float) and not low <= value <= high:
            wanted = f'at least {low:g}' if high == inf else f'from {low:g} to {high:g}'
            unit = '' if self.metavar == 'N' else f' {self.metavar.lower()}'
            raise ValueError(f'{name} must be {wanted}{unit}, got {value:g}')
        if self.choices:
            require_choice(name, value, self.choices)
        return value


def option(help: str, default: Any = None, **argument: Any) -> Any:
    """Declare a field with an :class:`Argument`; MISSING makes it required."""
    return field(default=default, metadata={'argument': Argument(help, **argument)})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all option dataclasses: converts and checks every field.

    None stands for the default. Numbers and choices may be given as text.

    Attributes:
        files (list[Path]): Existing files that the values name.
        title (str): Section of the command line's help for the fields of a class.
        python_only (tuple[str]): Fields without an option on the command line.

    Raises:
        ValueError: If a value is wrong; the message names the argument.
    """

    title = ''
    python_only = ()

    def __post_init__(self) -> None:
        """Convert and check the values."""
        files = []
        for each in fields(self):
            value = getattr(self, each.name)
            # isfile is False for names that are too long
            if isinstance(value, str | Path) and os.path.isfile(value):
                files.append(Path(value))
            value = each.default if value is None else value
            if value is not None:
                value = each.metadata['argument'].check(each.name, kind_of(each), value)
            object.__setattr__(self, each.name, value)
        object.__setattr__(self, 'files', files)

    @classmethod
    def of(cls: type[T], **values: object) -> T:
        """Build from a function's keyword arguments; hint at the nearest name."""
        known = [each.name for each in fields(cls)]
        for name in values:
            if name not in known:
                hint = did_you_mean(name, known)
                raise TypeError(f'unexpected keyword argument {name!r}{hint}')
        return cls(**values)


def takes(options: type[Options]) -> Callable[[Function], Function]:
    """Show the fields of options, in place of ``**options``, in a function's help."""

    def show(function: Function) -> Function:
        plain = signature(function)
        given = [x for x in plain.parameters.values() if x.kind is not x.VAR_KEYWORD]
        lines = [getdoc(function), '', 'Options:']
        for each in fields(options):
            known = dict(default=each.default, annotation=each.type)
            given.append(Parameter(each.name, Parameter.KEYWORD_ONLY, **known))
            text = each.metadata['argument'].help  # names options of the command line
            text = re.sub(r'--[a-z\d-]+', lambda x: x[0][2:].replace('-', '_'), text)
            lines.append(f'    {each.name}: {text}')
        function.__signature__ = plain.replace(parameters=given)
        function.__doc__ = '\n'.join([*lines, ''])
        return function

    return show


def kind_of(each: Field) -> type:
    """Return the type of an option's value, without ``| None``."""
    return (get_args(each.type) or (each.type,))[0]


def _to(kind: type, value: Any) -> Any:
    """Convert text or a value to a plain type, without rounding."""
    if kind in (str, Path) and not isinstance(value, str | Path):
        raise TypeError
    if kind is int and not isinstance(value, str):
        return operator.index(value)
    return kind(value)


def read_numbers(value: Any, kind: type = float, sign: str = ',') -> list:
    """Read numbers: a sequence, or text such as '1,0.5'."""
    parts = value.split(sign) if isinstance(value, str) else value
    return [_to(kind, part) for part in parts]


def read_keep(value: Any) -> int | list[int]:
    """Read kept frames: a number, a list, or text such as '13,5'."""
    if not isinstance(value, str | list | tuple):
        return operator.index(value)
    counts = read_numbers(value, int)
    return counts[0] if len(counts) == 1 else counts


def read_sizes(value: Any) -> tuple[int, ...]:
    """Read sizes from 1: a sequence, or text such as '1920x1080'."""
    sizes = read_numbers(value, int, 'x')
    if min(sizes, default=1) < 1:
        raise ValueError
    return tuple(sizes)


def read_image_size(value: Any) -> tuple[int, int]:
    """Read an image size: (width, height), or text such as '1920x1080'."""
    width, height = read_sizes(value)
    return width, height


def read_bbox(value: Any) -> list[float]:
    """Read a bounding box that has an area."""
    left, top, right, bottom = read_numbers(value)
    if right <= left or bottom <= top:
        raise ValueError
    return [left, top, right, bottom]


def read_intrinsics(value: 'Lens | str | Path') -> 'Lens':
    """Read the calibration file unless a lens is given."""
    if not isinstance(value, str | Path):
        return value
    from mmhot.io.readers.lens import read_lens

    try:
        return read_lens(value)
    except (ValueError, OSError) as error:
        raise type(error)(f'intrinsics: {error}') from error


def read_names(name: str, value: Any, known: Iterable[str]) -> tuple[str, ...]:
    """Read the names of an option: a list, or text such as 'npz,mp4'."""
    parts = value.split(',') if isinstance(value, str) else value
    names = tuple(dict.fromkeys(part.strip() for part in parts))
    for each in names:
        if each not in known:
            raise ValueError(f'{name} must be among {",".join(known)}; got {each!r}')
    return names


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(Options):
    """Option of all that runs a model."""

    device: str = option(
        'auto (the GPU if there is one), cpu, cuda or cuda:N', 'auto', metavar='NAME'
    )


@dataclass(frozen=True, kw_only=True)
class ProcessorOptions(Options):
    """Option of all that runs processors."""

    title = 'lifter and lens'

    without: Any = option(
        f'steps to leave out, of {", ".join(PROCESSORS)}, see docs/motion.md',
        (),
        convert=lambda value: read_names('without', value, list_processors()),
        metavar='LIST',
    )


@dataclass(frozen=True, kw_only=True)
class LifterOptions(ProcessorOptions, DeviceOptions):
    """Options of every lifter: joints, kept frames, lens and back end."""

    joints: int = option(
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and nose",
        17,
        choices=(17, 24),
    )
    keep: Any = option(
        'frames of a window that each pruner of the lifter keeps (default: as trained)',
        convert=read_keep,
        expected='a number of frames such as 27, or a list such as 13,5',
        metavar='N[,N]',
    )
    fov: float | None = option(
        'horizontal angle of view (default: found from a pan, otherwise 47 for '
        'landscape images)',
        low=1,
        high=170,
        metavar='DEGREES',
    )
    intrinsics: Any = option(
        'calibration of the lens in place of --fov, .json, .yml or .npz',
        convert=read_intrinsics,
        metavar='FILE',
    )
    backend: str = option(
        'runtime of the models: torch, onnx (ONNX Runtime, for shipped and exported '
        'models), or auto: torch if installed, but onnx for exported models and, on a '
        'CPU, shipped lifters',
        'auto',
        choices=BACKENDS,
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.fov is not None and self.intrinsics is not None:
            raise ValueError('fov cannot be combined with `intrinsics`: give one')


@dataclass(frozen=True, kw_only=True)
class LiftOptions(LifterOptions):
    """Options of :func:`mmhot.lift`: the lifter, and what a keypoint file lacks."""

    title = 'model and inputs'

    model: str | None = option(
        'a model of `mmhot list` by name or alias, a folder of `mmhot export`, or a '
        'config, a program that is run: a file or mmhot::PATH (default: the shipped '
        'one for clips)',
        metavar='MODEL',
    )
    checkpoint: str | None = option(
        'weights, where not the shipped ones; nothing in them is run', metavar='FILE'
    )
    skeleton: str | None = option(
        'joint order of the inputs, such as coco-17 or h36m-17 (default: as the file '
        'states, or else the one with as many joints)',
        metavar='NAME',
    )
    image_size: Any = option(
        'image size in pixels, where the inputs do not state it',
        convert=read_image_size,
        expected='WxH, such as 1920x1080',
        metavar='WxH',
    )
    fps: float | None = option(
        'frames per second, where the inputs do not state it', low=1, high=1000
    )
    single: str | None = option(
        'take only the largest person of each frame, as one track', choices=('largest',)
    )
    flip_test: bool = option(
        'do not average with the mirrored prediction: twice as fast, less accurate',
        True,
        flag='--no-flip',
    )
    batch_size: int | None = option(
        'windows per batch (default: 64, or fewer if the model is large)', low=1
    )


@dataclass(frozen=True, kw_only=True)
class InferOptions(LifterOptions):
    """Options of :func:`mmhot.infer`: detector, 2D model, lifter and smoothing."""

    title = 'models, tracking, filters and camera'

    pose2d: str | None = option(
        '2D model: movenet, rtmpose-m or rtmo-s (downloaded once), an .onnx or .zip '
        "file, a config (a program that is run) or alias of MMPose's, or auto: "
        'RTMPose-m if it was downloaded (default: the shipped gtpt-t)',
        metavar='MODEL',
    )
    pose2d_weights: str | None = option('checkpoint of the 2D model', metavar='FILE')
    pose2d_skeleton: str | None = option(
        'joint order of the 2D model, where an .onnx file does not state it (default: '
        'assumed from the number of joints, with a warning)',
        metavar='NAME',
    )
    det_model: str | None = option(
        'detector of people: an .onnx or .zip file, a config (a program) or alias of '
        "MMDetection's, pose-verified (a small detector, checked by the 2D model), "
        'or whole_image (default: pose-verified with gtpt-t, RTMO itself, else human)',
        metavar='MODEL',
    )
    det_weights: str | None = option('checkpoint of the detector', metavar='FILE')
    det_every: int | None = option(
        'detect in every Nth frame and track people in between (default: 1; with '
        'pose-verified once per second)',
        low=1,
    )
    batch_size: int = option('frames per batch, if all frames are detected', 8, low=1)
    speed: str = option(
        'fast and fastest prune and interpolate more, without the flip test of the '
        'lifter: three quarters and two thirds of the time, less accurate',
        'default',
        choices=('default', 'fast', 'fastest'),
    )
    pose3d: str | None = option(
        'lifter: shipped weights by name, a folder of `mmhot export`, or a config, a '
        f'program (default: the shipped one for clips; with --live {LIVE_LIFTER})',
        metavar='MODEL',
    )
    pose3d_weights: str | None = option('checkpoint of the lifter', metavar='FILE')
    kpt_thr: float = option(
        'minimum confidence of detected keypoints; lower ones count as missing',
        0.35,
        low=0,
        high=1,
    )
    smooth_3d: str = option('filter of 3D poses over time', 'none', choices=SMOOTHING)
    camera: str = option(
        'motion of the camera: static, rotating (pan, tilt and zoom on a tripod), '
        'moving, or auto: as the frames show. Unless it moves, all frames share axes, '
        'and standing feet stay in place',
        'auto',
        choices=('auto', 'static', 'rotating', 'moving'),
    )
    fps: float | None = option(
        'frames per second of keypoint files and of image folders, whose images then '
        'form one video',
        low=0.1,
        high=1000,
    )


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ProcessorOptions):
    """Options of the files that are written: formats, axes, scale and floor."""

    title = 'results'

    formats: Any = option(
        f'file formats, of {", ".join(WRITERS)} (default: npz,html)',
        ('npz', 'html'),
        convert=lambda value: read_names('formats', value, WRITERS),
        metavar='LIST',
    )
    axes: str = option(
        'camera: x right, y down, z away; z-up: x right, y away, z up; world: z up '
        'from the floor',
        'camera',
        choices=('camera', 'z-up', 'world'),
    )
    height: float | None = option(
        'body height of the person, which sets the scale',
        low=0.3,
        high=3,
        metavar='METERS',
    )
    static_camera: bool = option(
        'the camera does not move: estimate its tilt and the floor, and keep standing '
        'feet in place',
        False,
    )
    bvh_profile: str = option(
        'names of the joints of .bvh', 'default', choices=BVH_PROFILE_NAMES
    )
    html_frames: bool = option(
        'show the video in the .html of long videos, too, with fewer frames', False
    )

    def __post_init__(self) -> None:
        """Check the values, and that the packages of the formats are installed."""
        super().__post_init__()
        if not self.formats:
            raise ValueError(f'formats must be among {",".join(WRITERS)}; got none')
        for name in self.formats:
            if WRITERS[name].requires is not None:
                module, extra = WRITERS[name].requires
                import_extra(module, f'the format {name}', extra)


@dataclass(frozen=True, kw_only=True)
class OutputOptions(ExportOptions):
    """Options of the commands that write files."""

    out_dir: Path = option('folder for the results', 'results', metavar='FOLDER')


@dataclass(frozen=True, kw_only=True)
class LiftRunOptions(LiftOptions, OutputOptions):
    """Options of ``mmhot lift``."""


@dataclass(frozen=True, kw_only=True)
class InferRunOptions(InferOptions, OutputOptions):
    """Options of ``mmhot infer``; ``camera`` replaces ``static_camera``."""

    title = 'repeated runs'
    python_only = ('static_camera',)

    no_cache: bool = option(
        'detect people again, and keep no intermediate results', False
    )
    resume: bool = option(
        'skip inputs that were finished with the same models and options', False
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.resume and self.no_cache:
            raise ValueError('resume needs the cache, which no_cache turns off')


@dataclass(frozen=True, kw_only=True)
class LiveOptions(Options):
    """Options of ``mmhot infer --live``."""

    lookahead: int | None = option(
        'delay of the poses in frames; more is more accurate (default: 4)',
        metavar='FRAMES',
    )
    duration: float | None = option(
        'stop after this time (default: never)', low=0, metavar='SECONDS'
    )
    reconnect: float = option(
        'time for which a lost stream is reconnected to', 60.0, low=0, metavar='SECONDS'
    )


@dataclass(frozen=True, kw_only=True)
class RayOptions(Options):
    """Options of ``mmhot infer --runner ray``."""

    address: str | None = option(
        'running Ray cluster, or auto (default: start one on this machine)',
        metavar='HOST:PORT',
    )
    num_workers: int | None = option(
        'inputs processed at once (default: as CPUs and GPUs allow)', low=1
    )
    cpus_per_worker: float = option('CPU cores of each worker', 1.0, low=0.01)
    gpus_per_worker: float | None = option(
        'GPUs of each worker, 0.5 for two on one (default: 1 where there are any)',
        low=0,
    )
    retries: int = option('further attempts at an input whose worker died', 2, low=0)


@dataclass(frozen=True, kw_only=True)
class OnnxOptions(Options):
    """Options of :func:`mmhot.apis.onnx_export.export_onnx`."""

    out: Path = option('folder to create', MISSING, metavar='DIR')
    keep: Any = option(
        'frames that each pruner of a lifter keeps, or keep rates of a GTPT, such as '
        '1,0.5,0.2,0.1 (default: as trained)',
        convert=read_numbers,
        expected='numbers such as 1,0.5',
        metavar='N[,N]',
    )
    inputs: str | None = option(
        'real inputs of the comparison: a video or images of people, or 2D keypoints '
        'for a lifter (default: the demo of the repository)',
        metavar='PATH',
    )


@dataclass(frozen=True, kw_only=True)
class CostOptions(DeviceOptions):
    """Options of :func:`mmhot.apis.inspection.measure_cost`."""

    shape: tuple = option(
        'shape of one input, such as 3 256 192 (default: from the config)',
        (),
        convert=read_sizes,
        expected='whole numbers from 1',
    )
    batch: int = option('inputs per timed batch', 1, low=1)
    no_time: bool = option('do not measure time', False)


@dataclass(frozen=True, kw_only=True)
class PruningOptions(DeviceOptions):
    """Options of :func:`mmhot.apis.inspection.show_pruning`."""

    bbox: Any = option(
        'bounding box of the person in pixels (default: the whole image)',
        convert=read_bbox,
        expected='left,top,right,bottom in pixels',
        metavar='X1,Y1,X2,Y2',
    )
    keep_rates: Any = option(
        'kept share of patches in each stage, such as 1,0.7,0.3,0.1 (default: as in '
        'the config)',
        convert=read_numbers,
        expected='numbers such as 1,0.5',
        metavar='LIST',
    )


@dataclass(frozen=True, kw_only=True)
class PageOptions(DeviceOptions):
    """Options of ``mmhot ui``."""

    host: str = option(
        'where to listen (default: 127.0.0.1, for this machine only; 0.0.0.0: for the '
        'whole network)',
        '127.0.0.1',
        metavar='ADDRESS',
    )
    port: int | None = option(
        'port to listen at (default: the first free from 7860)', low=1, high=65535
    )
    pose2d: str | None = option('2D model, as for `mmhot infer`', metavar='MODEL')
    det_model: str | None = option('detector, as for `mmhot infer`', metavar='MODEL')
    pose3d: str | None = option('lifter, as for `mmhot infer`', metavar='MODEL')
    max_upload: int = option(
        'largest file that may be uploaded', 1000, low=1, metavar='MEGABYTES'
    )
    open: bool = option('open it in the browser', False)
