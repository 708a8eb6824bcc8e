"""Options of lifting and export: defaults, help texts and checks.

Each call of the Python interface has one dataclass. The command line, the page of
``mmhot ui`` and Ray's workers use the same ones: ``mmhot.cli.options`` generates an
option from every field.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmhot.apis.option_fields import (
    Argument,
    Options,
    option,
    read_formats,
    read_image_size,
    read_intrinsics,
    read_joints,
    read_keep,
)
from mmhot.io.writers.table import BVH_PROFILE_NAMES, WRITERS
from mmhot.skeletons.mappings import MAPPINGS
from mmhot.weights.backends import BACKENDS
from mmhot.weights.index import ACCURACIES, LIVE_LIFTER

AXES = ('camera', 'z-up', 'world')
SMOOTHING = ('none', 'butterworth', 'savgol', 'one-euro')


@dataclass(frozen=True, kw_only=True)
class LifterOptions(Options):
    """Options of every lifter: joints, kept frames, lens, device and back end."""

    mapping: str | None = option(
        None,
        'how Human3.6M joints that the keypoints lack are approximated (default: as '
        'the lifter was trained)',
        choices=tuple(MAPPINGS),
    )
    swap_repair: bool = option(
        True,
        'leave left and right as detected, where limbs or people seem to be swapped',
        flag='--no-swap-repair',
    )
    joints: Any = option(
        17,
        'joints of the results: 17, those of Human3.6M, or 24, with toes, heels, hands '
        'and nose (default: 17)',
        convert=read_joints,
        metavar='N',
    )
    keep: Any = option(
        None,
        'frames that an hourglass model keeps of a window, for each of its pruners '
        '(default: as trained)',
        convert=read_keep,
        metavar='N[,N]',
    )
    fov: float | None = option(
        None,
        'horizontal angle of view of the lens (default: assume 47, for landscape '
        'format)',
        low=1,
        high=170,
        unit='degrees',
        metavar='DEGREES',
    )
    intrinsics: Any = option(
        None,
        'calibration of the lens, .json, .yml or .npz: camera matrix and distortion, '
        'in place of --fov (see docs/output-formats.md)',
        convert=read_intrinsics,
        metavar='FILE',
    )
    device: str = option(
        'auto', 'auto (the GPU if there is one), cpu, cuda or cuda:N', metavar='NAME'
    )
    accuracy: str = option(
        'best',
        'best: windows overlap by two thirds, bones keep their lengths, and the '
        'shipped lifter for clips is averaged with a second one; fast: none of these '
        '(as streams)',
        choices=ACCURACIES,
    )
    backend: str = option(
        'auto',
        'what runs the models: torch, onnx (ONNX Runtime: shipped and exported models) '
        'or auto: torch if installed, but onnx for exported models and, on a CPU, '
        'shipped lifters',
        choices=BACKENDS,
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.fov is not None and self.intrinsics is not None:
            raise ValueError('fov and intrinsics both describe the lens: give one')


@dataclass(frozen=True, kw_only=True)
class LiftOptions(LifterOptions):
    """Options of :func:`mmhot.lift`: the lifter, and what a keypoint file lacks."""

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
        metavar='WxH',
    )
    fps: float | None = option(
        None,
        'frames per second, where the inputs do not state it',
        low=0,
        high=1000,
        exclusive=True,
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
        None,
        'windows per batch (default: 64, or fewer if the model is large)',
        low=1,
        metavar='N',
    )


@dataclass(frozen=True, kw_only=True)
class InferOptions(LifterOptions):
    """Options of :func:`mmhot.infer`: detector, 2D model, lifter and smoothing."""

    pose2d: str | None = option(
        None,
        "2D model: an .onnx or .zip file, a config or alias of MMPose's, mediapipe, or "
        'auto: the best one that is there or may be downloaded (default: mediapipe if '
        'it and its model file are there, else the shipped gtpt-t)',
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
        'mediapipe or whole_image (default: mediapipe with mediapipe, pose-verified '
        'with gtpt-t, RTMO itself, else human)',
        metavar='MODEL',
    )
    det_weights: str | None = option(None, 'checkpoint of the detector', metavar='FILE')
    det_every: int | None = option(
        None,
        'detect in every Nth frame and track people in between (default: 1; with '
        'pose-verified once per second)',
        low=1,
        metavar='N',
    )
    batch_size: int = option(
        8, 'frames per batch, if all frames are detected', low=1, metavar='N'
    )
    flip_2d: bool = option(
        False,
        'average the 2D keypoints of videos with those of mirrored images: twice the '
        'time, hardly more accurate',
    )
    target_fps: float | None = option(
        None,
        'frames per second to reach: settings are chosen by timing the first two '
        'seconds of each video, and in streams while they run (default: the most '
        'accurate usual ones; see `mmhot tune`)',
        low=0,
        high=1000,
        exclusive=True,
        metavar='N',
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
        'keypoints of lower confidence count as missing; those of files all count',
        low=0,
        high=1,
        metavar='SCORE',
    )
    smooth_2d: str = option(
        'none', 'filter of 2D keypoints over time', choices=SMOOTHING
    )
    smooth_3d: str = option('none', 'filter of 3D poses over time', choices=SMOOTHING)
    reidentify: bool = option(
        True,
        'give people a new track ID when they return after two seconds',
        flag='--no-reid',
    )
    camera: str | None = option(
        None,
        'the camera is static, or rotating: pans, tilts and zooms on a tripod; auto: '
        'either; all frames then share axes, and standing feet stay in place (default: '
        'each frame has its own axes, unless --static-camera is given)',
        choices=('static', 'rotating', 'auto'),
    )
    fps: float | None = option(
        None,
        'frames per second of keypoint files, and of image folders, which make it one '
        'video',
        low=0,
        high=1000,
        exclusive=True,
    )
    max_megapixels: float = option(
        64.0,
        'largest image or frame that is read',
        low=0,
        high=1000,
        exclusive=True,
        unit='megapixels',
        metavar='N',
    )


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """Options of the files that are written: formats, axes, scale and floor."""

    formats: Any = option(
        ('npz',),
        lambda: f'file formats, of {",".join(WRITERS)} (default: npz)',
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
        unit='meters',
        metavar='METERS',
    )
    static_camera: bool = option(
        False,
        'the camera does not move: estimate its tilt and the floor, and keep standing '
        'feet in place',
    )
    foot_lock: bool = option(
        True,
        'with --static-camera: leave standing feet as lifted',
        flag='--no-foot-lock',
    )
    bvh_profile: str = option(
        'default', 'names, axes and rate of .bvh', choices=BVH_PROFILE_NAMES
    )
    html_frames: bool = option(
        False, 'show the frames of the video behind the 2D keypoints of .html'
    )

    def __post_init__(self) -> None:
        """Check the values, and that the packages of the formats are installed."""
        super().__post_init__()
        for name in self.formats:
            WRITERS[name].import_requirement(name)


@dataclass(frozen=True, kw_only=True)
class OutputOptions(ExportOptions):
    """Options of the commands that write files."""

    out_dir: Path = field(
        metadata={'argument': Argument('folder for the results', metavar='FOLDER')}
    )


@dataclass(frozen=True, kw_only=True)
class LiftRunOptions(LiftOptions, OutputOptions):
    """Options of ``mmhot lift``."""


@dataclass(frozen=True, kw_only=True)
class InferRunOptions(InferOptions, OutputOptions):
    """Options of ``mmhot infer``."""

    no_cache: bool = option(
        False, 'detect people again, and keep no intermediate results'
    )
    resume: bool = option(
        False, 'skip inputs that were finished with the same models and options'
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.static_camera and self.camera not in (None, 'static'):
            raise ValueError(f'static_camera contradicts camera={self.camera!r}')
        if self.resume and self.no_cache:
            raise ValueError('resume does not go with no_cache, which keeps nothing')
