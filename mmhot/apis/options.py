"""Options of lifting, export, streams and Ray: defaults, help texts and checks.

Each call of the Python interface has one dataclass. The command line and Ray's workers
use the same ones: ``mmhot.cli.options`` generates an option from every field.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmhot.apis.option_fields import (
    DeviceOptions,
    Options,
    option,
    read_formats,
    read_image_size,
    read_intrinsics,
    read_keep,
)
from mmhot.compat.installation import import_extra
from mmhot.motion.processors import PROCESSORS, read_names
from mmhot.structures.formats import BVH_PROFILE_NAMES, WRITERS
from mmhot.weights.backends import BACKENDS
from mmhot.weights.index import LIVE_LIFTER

AXES = ('camera', 'z-up', 'world')
SMOOTHING = ('none', 'butterworth', 'savgol', 'one-euro')


@dataclass(frozen=True, kw_only=True)
class ProcessorOptions(Options):
    """Option of all that runs processors."""

    title = 'lifter and lens'

    without: Any = option(
        (),
        f'processing steps to leave out, of {",".join(PROCESSORS)}, see docs/motion.md',
        convert=read_names,
        metavar='LIST',
    )


@dataclass(frozen=True, kw_only=True)
class LifterOptions(ProcessorOptions, DeviceOptions):
    """Options of every lifter: joints, kept frames, lens and back end."""

    title = 'lifter and lens'

    joints: int = option(
        17,
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and nose",
        choices=(17, 24),
    )
    keep: Any = option(
        None,
        'frames of a window that each pruner of the lifter keeps (default: as trained)',
        convert=read_keep,
        expected='a number of frames such as 27, or a list such as 13,5',
        metavar='N[,N]',
    )
    fov: float | None = option(
        None,
        'horizontal angle of view (default: found from a pan, otherwise 47 for '
        'landscape images)',
        low=1,
        high=170,
        metavar='DEGREES',
    )
    intrinsics: Any = option(
        None,
        'calibration of the lens in place of --fov, .json, .yml or .npz',
        convert=read_intrinsics,
        metavar='FILE',
    )
    backend: str = option(
        'auto',
        'runtime of the models: torch, onnx (ONNX Runtime, for shipped and exported '
        'models), or auto: torch if installed, but onnx for exported models and, on a '
        'CPU, shipped lifters',
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
        None,
        'a model of `mmhot list` by name or alias, a folder of `mmhot export`, or a '
        'config: a file or mmhot::PATH (default: the shipped one for clips)',
        metavar='MODEL',
    )
    checkpoint: str | None = option(
        None, 'weights, where not the shipped ones', metavar='FILE'
    )
    skeleton: str | None = option(
        None,
        'joint order of the inputs, such as coco-17 or h36m-17 (default: as the file '
        'states, or else the one with as many joints)',
        metavar='NAME',
    )
    image_size: Any = option(
        None,
        'image size in pixels, where the inputs do not state it',
        convert=read_image_size,
        expected='WxH, such as 1920x1080',
        metavar='WxH',
    )
    fps: float | None = option(
        None, 'frames per second, where the inputs do not state it', low=1, high=1000
    )
    single: str | None = option(
        None,
        'take only the largest person of each frame, as one track',
        choices=('largest',),
    )
    flip_test: bool = option(
        True,
        'do not average with the mirrored prediction: twice as fast, less accurate',
        flag='--no-flip',
    )
    batch_size: int | None = option(
        None, 'windows per batch (default: 64, or fewer if the model is large)', low=1
    )


@dataclass(frozen=True, kw_only=True)
class InferOptions(LifterOptions):
    """Options of :func:`mmhot.infer`: detector, 2D model, lifter and smoothing."""

    title = 'models, tracking, filters and camera'

    pose2d: str | None = option(
        None,
        "2D model: an .onnx or .zip file, a config or alias of MMPose's, or auto: "
        'RTMPose-m if it was downloaded (default: the shipped gtpt-t)',
        metavar='MODEL',
    )
    pose2d_weights: str | None = option(
        None, 'checkpoint of the 2D model', metavar='FILE'
    )
    pose2d_skeleton: str | None = option(
        None,
        'joint order of the 2D model, where an .onnx file does not state it (default: '
        'assumed from the number of joints, with a warning)',
        metavar='NAME',
    )
    det_model: str | None = option(
        None,
        'detector of people: an .onnx or .zip file, a config or alias of '
        "MMDetection's, pose-verified (a small detector, checked by the 2D model), "
        'or whole_image (default: pose-verified with gtpt-t, RTMO itself, else human)',
        metavar='MODEL',
    )
    det_weights: str | None = option(None, 'checkpoint of the detector', metavar='FILE')
    det_every: int | None = option(
        None,
        'detect in every Nth frame and track people in between (default: 1; with '
        'pose-verified once per second)',
        low=1,
    )
    batch_size: int = option(8, 'frames per batch, if all frames are detected', low=1)
    speed: str = option(
        'default',
        'fast and fastest prune and interpolate more, without the flip test of the '
        'lifter: three quarters and two thirds of the time, less accurate',
        choices=('default', 'fast', 'fastest'),
    )
    pose3d: str | None = option(
        None,
        'lifter: shipped weights by name, a folder of `mmhot export`, or a config '
        f'(default: the shipped one for clips; with --live {LIVE_LIFTER})',
        metavar='MODEL',
    )
    pose3d_weights: str | None = option(
        None, 'checkpoint of the lifter', metavar='FILE'
    )
    kpt_thr: float = option(
        0.2,
        'minimum confidence of detected keypoints; lower ones count as missing',
        low=0,
        high=1,
    )
    smooth_3d: str = option('none', 'filter of 3D poses over time', choices=SMOOTHING)
    camera: str = option(
        'auto',
        'motion of the camera: static, rotating (pan, tilt and zoom on a tripod), '
        'moving, or auto: as the frames show. Unless it moves, all frames share axes, '
        'and standing feet stay in place',
        choices=('auto', 'static', 'rotating', 'moving'),
    )
    fps: float | None = option(
        None,
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
        ('npz', 'html'),
        f'file formats, of {",".join(WRITERS)} (default: npz,html)',
        convert=read_formats,
        metavar='LIST',
    )
    axes: str = option(
        'camera',
        'camera: x right, y down, z away; z-up: x right, y away, z up; world: z up '
        'from the floor',
        choices=AXES,
    )
    height: float | None = option(
        None,
        'body height of the person, which sets the scale',
        low=0.3,
        high=3,
        metavar='METERS',
    )
    static_camera: bool = option(
        False,
        'the camera does not move: estimate its tilt and the floor, and keep standing '
        'feet in place',
    )
    bvh_profile: str = option(
        'default', 'names of the joints of .bvh', choices=BVH_PROFILE_NAMES
    )
    html_frames: bool = option(
        False, 'show the video in the .html of long videos, too, with fewer frames'
    )

    def __post_init__(self) -> None:
        """Check the values, and that the packages of the formats are installed."""
        super().__post_init__()
        for name in self.formats:
            if WRITERS[name].requires is not None:
                module, extra = WRITERS[name].requires
                import_extra(module, f'the format {name}', extra)


@dataclass(frozen=True, kw_only=True)
class OutputOptions(ExportOptions):
    """Options of the commands that write files."""

    out_dir: Path = option('results', 'folder for the results', metavar='FOLDER')


@dataclass(frozen=True, kw_only=True)
class LiftRunOptions(LiftOptions, OutputOptions):
    """Options of ``mmhot lift``."""


@dataclass(frozen=True, kw_only=True)
class InferRunOptions(InferOptions, OutputOptions):
    """Options of ``mmhot infer``; ``camera`` replaces ``static_camera``."""

    title = 'repeated runs'
    python_only = ('static_camera',)

    no_cache: bool = option(
        False, 'detect people again, and keep no intermediate results'
    )
    resume: bool = option(
        False, 'skip inputs that were finished with the same models and options'
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
        None,
        'delay of the poses in frames; more is more accurate (default: 4)',
        metavar='FRAMES',
    )
    duration: float | None = option(
        None, 'stop after this time (default: never)', low=0, metavar='SECONDS'
    )
    reconnect: float = option(
        60.0,
        'time for which a lost stream is reconnected to',
        low=0,
        metavar='SECONDS',
    )
    show: bool = option(False, 'show video and poses in a window')


@dataclass(frozen=True, kw_only=True)
class RayOptions(Options):
    """Options of ``mmhot infer --runner ray``."""

    address: str | None = option(
        None,
        'running Ray cluster, or auto (default: start one on this machine)',
        metavar='HOST:PORT',
    )
    num_workers: int | None = option(
        None, 'inputs processed at once (default: as CPUs and GPUs allow)', low=1
    )
    cpus_per_worker: float = option(1.0, 'CPU cores of each worker', low=0.01)
    gpus_per_worker: float | None = option(
        None,
        'GPUs of each worker, 0.5 for two on one (default: 1 where there are any)',
        low=0,
    )
    retries: int = option(2, 'further attempts at an input whose worker died', low=0)
