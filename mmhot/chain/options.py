"""Options of the chain from frames to 3D poses, and of the files that it writes."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmhot.chain.steps import LIFTING, REFINING, STEPS, list_steps
from mmhot.compat.installation import import_extra
from mmhot.errors import ArgumentError
from mmhot.frames.options import PartOptions
from mmhot.options import (
    Options,
    RuntimeOptions,
    option,
    read_names,
    read_numbers,
    read_sizes,
)
from mmhot.pose2d.options import Pose2DOptions
from mmhot.structures.formats import (
    BVH_PROFILE_NAMES,
    GIVEN_AXES,
    OTHER_FORMATS,
    WRITERS,
)
from mmhot.weights.index import LIVE_LIFTER

if TYPE_CHECKING:  # importing them takes time
    from mmhot.structures.lens import Lens

SMOOTHING = ('none', 'spline', 'butterworth', 'savgol', 'one-euro')


def read_keep(value: Any) -> int | list[int]:
    """Read kept frames: a number, a list, or text such as '13,5'."""
    counts = read_numbers(value, int)
    return counts[0] if len(counts) == 1 else counts


def read_people(value: Any) -> str | tuple[int, ...]:
    """Read the choice of people: a word, track IDs, or text such as '0,2'."""
    if isinstance(value, str) and value in ('all', 'largest', 'longest'):
        return value
    ids = read_numbers(value, int)
    if not ids or min(ids) < 0:
        raise ValueError
    return tuple(dict.fromkeys(ids))


def read_heights(value: Any) -> tuple[float, ...]:
    """Read body heights in meters: a number, a sequence, or text such as '1.8,1.2'."""
    with suppress(TypeError, ValueError):
        heights = read_numbers(value)
        wrong = [height for height in heights if not 0.3 <= height <= 3]
        if heights and not wrong:
            return tuple(heights)
        value = wrong[0] if wrong else value
    raise ArgumentError(
        '{height} must be from 0.3 to 3 meters, or one height for each person, such as '
        '1.80,1.20; got %s',
        value,
    )


def read_image_size(value: Any) -> tuple[int, int]:
    """Read an image size: (width, height), or text such as '1920x1080'."""
    width, height = read_sizes(value)
    return width, height


def read_intrinsics(value: 'Lens | str | Path') -> 'Lens':
    """Read the calibration file unless a lens is given."""
    if not isinstance(value, str | Path):
        from mmhot.structures.lens import Lens

        if isinstance(value, Lens):
            return value
        text = '{intrinsics} must be a calibration file or a mmhot.structures.lens.Lens'
        raise ArgumentError(f'{text}, got %s', type(value).__name__)
    from mmhot.io.readers.lens import read_lens

    try:
        return read_lens(value)
    except (ValueError, OSError) as error:
        raise ArgumentError('{intrinsics}: %s', error) from error


# Options of 2D models that lifters have, too.
_OF_LIFTERS = {'device', 'backend', 'speed'}
# Options that need a step.
_SETTINGS = {
    'joints': 'joints',
    'kpt_thr': 'confidence',
    'smooth_3d': 'smoothing',
    'camera': 'camera',
    'static_camera': 'camera',
}


def _without(steps: Sequence[str], default: str) -> Any:
    """Declare the option ``without`` for some steps and those of users."""

    def read(value: Any) -> tuple[str, ...]:
        left_out = [name for name in STEPS if name not in steps]
        known = [name for name in list_steps() if name not in left_out]
        return read_names('without', value, known)

    names = ', '.join(steps)
    text = f'steps to skip: {names}{default}'
    return option(text, (), convert=read, metavar='LIST')


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions(PartOptions):
    """Options that choose a part of a clip and some of its people."""

    people: Any = option(
        'people to lift: all, largest, longest, or track IDs such as 0,2; if the input '
        'has no IDs, largest is the largest person in each frame',
        'all',
        convert=read_people,
        expected='all, largest, longest, or track IDs such as 0,2',
        metavar='LIST',
    )


@dataclass(frozen=True, kw_only=True)
class StepOptions(Options):
    """Options of the steps between 2D keypoints and the poses that are returned."""

    title = 'steps and camera'

    without: Any = _without(LIFTING, ' (docs/motion.md)')
    joints: int = option(
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and nose",
        17,
        choices=(17, 24),
    )
    kpt_thr: float | None = option(
        'minimum confidence of keypoints; lower ones count as missing (default: 0.35; '
        'keypoint files: none)',
        low=0,
        high=1,
    )
    smooth_3d: str = option('filter of 3D poses over time', 'none', choices=SMOOTHING)
    fov: float | None = option(
        'horizontal angle of view (default: from the file or a pan, otherwise assumed: '
        '60 for landscape videos)',
        low=1,
        high=170,
        metavar='DEGREES',
    )
    intrinsics: Any = option(
        'camera calibration (.json, .yml or .npz), instead of --fov',
        convert=read_intrinsics,
        metavar='FILE',
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.fov is not None and self.intrinsics is not None:
            raise ArgumentError('{fov} cannot be combined with {intrinsics}: give one')
        for name, step in _SETTINGS.items():
            if step in self.without and self.is_given(name):
                raise ArgumentError(
                    f'{{{name}}} needs the step %r, which is left out', step
                )

    @property
    def camera_mode(self) -> str:
        """What is known of the camera: one of the choices of ``camera``."""
        usual = 'static' if getattr(self, 'static_camera', False) else 'moving'
        return getattr(self, 'camera', usual)


@dataclass(frozen=True, kw_only=True)
class VideoStepOptions(StepOptions):
    """Options of the steps for videos, whose frames show how the camera moves."""

    camera: str = option(
        'camera motion: static, rotating (pan, tilt and zoom on a tripod), moving, or '
        'auto (detected). Unless the camera moves, all frames share axes, and standing '
        'feet stay in place',
        'auto',
        choices=('auto', 'static', 'rotating', 'moving'),
    )


@dataclass(frozen=True, kw_only=True)
class KeepOption(RuntimeOptions):
    """Options of all lifters."""

    title = 'lifter'

    keep: Any = option(
        'frames of a window that each pruner of the lifter keeps (default: as trained)',
        convert=read_keep,
        expected='a number of frames such as 27, or a list such as 13,5',
        metavar='N[,N]',
    )


@dataclass(frozen=True, kw_only=True)
class StaticCameraOption(Options):
    """Option of all that handles keypoints or poses without their video."""

    title = 'results'

    static_camera: bool = option(
        'the camera does not move: estimate its tilt and the floor, and keep standing '
        'feet in place',
        False,
    )


@dataclass(frozen=True, kw_only=True)
class KeypointFileOptions(Options):
    """Options of files of 2D keypoints: what they may lack, and which people count."""

    title = 'keypoint files'

    skeleton: str | None = option(
        'joint order of the inputs, such as coco-17 or h36m-17 (default: from the file '
        'or the number of joints)',
        metavar='NAME',
    )
    image_size: Any = option(
        'image size in pixels, if the inputs do not state it',
        convert=read_image_size,
        expected='WxH, such as 1920x1080',
        metavar='WxH',
    )
    fps: float | None = option(
        'frame rate of keypoint files that do not state it, of image folders (which '
        'then form one video), and at which slow-motion videos were recorded',
        low=0.1,
        high=1000,
    )
    single: str | None = option(
        'take only the largest person of each frame, as one track', choices=('largest',)
    )

    def of_files(self) -> dict[str, Any]:
        """Return the arguments of :func:`mmhot.read_keypoints`."""
        given = {x.name: getattr(self, x.name) for x in fields(KeypointFileOptions)}
        if self.single is None and getattr(self, 'people', 'all') == 'largest':
            given['single'] = 'untracked'
        return given


@dataclass(frozen=True, kw_only=True)
class LiftOptions(
    StepOptions, KeepOption, StaticCameraOption, KeypointFileOptions, ChoiceOptions
):
    """Options of :func:`mmhot.lift`: the lifter, and what a keypoint file lacks."""

    title = 'lifter'

    without: Any = _without(
        [x for x in LIFTING if x != 'returning'], ' (docs/motion.md)'
    )
    model: str | None = option(
        'lifter: a name from `mmhot list`, a folder from `mmhot export`, or a config '
        '(file or mmhot::PATH; a program that is run) (default: the shipped one)',
        metavar='MODEL',
    )
    checkpoint: str | None = option(
        'weights of the lifter; nothing in the file is run', metavar='FILE'
    )
    flip_test: bool = option(
        'average with the mirrored prediction; without, lifting is twice as fast and '
        'less accurate',
        True,
        flag='--no-flip',
        flag_help='do not average with the mirrored prediction: twice as fast, less '
        'accurate',
    )
    batch_size: int | None = option(
        'windows per batch (default: 64, or fewer if the model is large)', low=1
    )

    def lifter_settings(self) -> dict[str, Any]:
        """Return the arguments of :class:`mmhot.Lifter`."""
        names = ('model', 'checkpoint', 'device', 'flip_test', 'batch_size', 'keep')
        return {name: getattr(self, name) for name in (*names, 'backend')}


@dataclass(frozen=True, kw_only=True)
class InferOptions(
    VideoStepOptions, KeepOption, KeypointFileOptions, Pose2DOptions, ChoiceOptions
):
    """Options of :func:`mmhot.infer`: 2D models, lifter, steps and camera."""

    title = 'lifter'

    pose3d: str | None = option(
        'lifter: a name from `mmhot list`, a folder from `mmhot export`, or a config '
        f'(a program that is run) (default: shipped; with --live {LIVE_LIFTER})',
        metavar='MODEL',
        decides=False,
    )
    pose3d_weights: str | None = option(
        'checkpoint of the lifter', metavar='FILE', decides=False
    )

    def lifter_settings(self) -> dict[str, Any]:
        """Return the arguments of :class:`mmhot.Lifter`."""
        from mmhot.pose2d.speed import SPEEDS

        speed, keep = SPEEDS[self.speed], self.keep
        if self.pose3d is None and self.pose3d_weights is None and keep is None:
            keep = speed.keep
        return dict(
            model=self.pose3d,
            checkpoint=self.pose3d_weights,
            device=self.device,
            flip_test=speed.flip_3d,
            keep=keep,
            backend=self.backend,
        )


@dataclass(frozen=True, kw_only=True)
class RefineOptions(
    StepOptions, StaticCameraOption, KeypointFileOptions, ChoiceOptions
):
    """Options of :func:`mmhot.refine`: the steps, and what a file of poses lacks."""

    title = 'poses'

    without: Any = _without(REFINING, '')
    joints: Any = option(
        "joints of the results: Human3.6M's 17, or 24 with toes, heels, hands and nose "
        'and, beside them, fingers (default: 24 where the inputs have them)',
        convert=int,
        choices=(17, 24),
        expected='17 or 24',
    )
    kpt_thr: float | None = option(
        'minimum confidence of joints; lower ones count as missing (default: none)',
        low=0,
        high=1,
    )
    smooth_3d: str = option(
        'filter of 3D poses over time; spline: as strong as the noise of each joint',
        'spline',
        choices=SMOOTHING,
    )
    fov: float | None = option(
        'horizontal angle of view, with which poses without positions are placed by '
        'their 2D keypoints (default: 60 for landscape images)',
        low=1,
        high=170,
        metavar='DEGREES',
    )
    given_axes: str | None = option(
        'axes of the inputs: camera (x right, y down, z away), z-up (x right, y away), '
        "y-up, or world (z up) (default: camera; EasyMocap's files: world)",
        choices=GIVEN_AXES,
    )


OF_FILES = tuple(each.name for each in fields(KeypointFileOptions))
"""Names of the options of keypoint files."""


def check_inputs(options: InferOptions, inputs: Iterable[Any]) -> None:
    """Refuse options that act on none of the inputs of ``find_inputs``."""
    kinds = {each.has_keypoints for each in inputs}
    if kinds == {True}:
        names = {x.name for x in fields(Pose2DOptions)} - _OF_LIFTERS
        options.refuse(names, 'is for videos and images: the inputs are 2D keypoints')
    if kinds == {False}:
        names = {*OF_FILES} - {'fps'}
        options.refuse(names, 'is for files of 2D keypoints, which no input is')


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """Options of the files that are written: formats, axes, scale and floor."""

    title = 'results'

    formats: Any = option(
        f'output formats, with commas: {", ".join(WRITERS)} (default: npz,html)',
        ('npz', 'html'),
        convert=lambda value: read_names('formats', value, WRITERS, OTHER_FORMATS),
        metavar='LIST',
    )
    axes: str = option(
        'camera: x right, y down, z away; z-up: x right, y away, z up; world: z up '
        'from the floor',
        'camera',
        choices=('camera', 'z-up', 'world'),
    )
    height: Any = option(
        'body height, which sets the scale; one value per track ID for several people, '
        'such as 1.80,1.20',
        convert=read_heights,
        metavar='METERS',
    )
    bvh_profile: str = option(
        'joints, rest pose and rate of .bvh: lafan1 is for robots (GMR)',
        'default',
        choices=BVH_PROFILE_NAMES,
    )
    out_fps: float | None = option(
        'frame rate of .bvh, .glb, .mot and .trc, such as 24 for Blender (default: of '
        'the video; 30 in the profile lafan1)',
        low=1,
        high=1000,
    )
    origin: str = option(
        'origin of .bvh, .glb and .mot on the floor: where the first person starts, or '
        'below the camera',
        'person',
        choices=('person', 'camera'),
    )
    html_frames: bool = option(
        'show the video in .html even if it is long, with fewer frames', False
    )
    draw: str = option(
        'angles: write the angles of knees, hips, elbows and shoulders into .mp4',
        'poses',
        choices=('poses', 'angles'),
    )
    no_video: bool = option('leave the video out of .html, .mp4, .png and .rrd', False)
    blur_heads: bool = option(
        'blur the heads of all detected people in .html, .mp4, .png and .rrd', False
    )

    def __post_init__(self) -> None:
        """Check the values, and that the packages of the formats are installed."""
        super().__post_init__()
        if not self.formats:
            names = ','.join(WRITERS)
            raise ArgumentError('{formats} must be among %s; got none', names)
        for name in self.formats:
            needed = WRITERS[name].requires
            if needed is not None:
                import_extra(needed[0], f'the format {name}', needed[1])
        writers = [WRITERS[name] for name in self.formats]
        video = 'no_video', 'blur_heads'
        takes = {name: x.options + video * x.footage for name, x in WRITERS.items()}
        for own in {each: 0 for names in takes.values() for each in names}:
            acting = [name for name, names in takes.items() if own in names]
            if self.is_given(own) and not {*acting} & {*self.formats}:
                kind = 'the format' if len(acting) == 1 else 'one of the formats'
                raise ArgumentError(f'{{{own}}} needs {kind} %s', ', '.join(acting))
        if self.no_video:
            others = {*OF_THE_VIDEO} - {'no_video'}
            self.refuse(others, 'needs the video, which is left out')
        if self.formats == ('coco.json',):
            of = 'is of 3D poses, not of the keypoints in coco.json'
            self.refuse({'axes', 'height'}, of)
        if self.axes == 'z-up' and all(writer.world for writer in writers):
            names = ', '.join(self.formats)
            raise ArgumentError(
                '{axes} must be world for %s, which stand on a floor', names
            )


OF_THE_VIDEO = ('html_frames', 'no_video', 'blur_heads')
"""Names of options of the video in results."""


@dataclass(frozen=True, kw_only=True)
class SaveOptions(ExportOptions, StaticCameraOption):
    """Options of :meth:`mmhot.Clip3D.save`."""

    without: Any = _without(['feet'], ', with ``static_camera``')


@dataclass(frozen=True, kw_only=True)
class OutputOptions(ExportOptions):
    """Options of the commands that write files."""

    out_dir: Path = option(
        'folder for the results', 'results', metavar='FOLDER', decides=False
    )


@dataclass(frozen=True, kw_only=True)
class LiftRunOptions(LiftOptions, OutputOptions):
    """Options of ``mmhot lift``."""


@dataclass(frozen=True, kw_only=True)
class RefineRunOptions(RefineOptions, OutputOptions):
    """Options of ``mmhot refine``."""


@dataclass(frozen=True, kw_only=True)
class InferRunOptions(InferOptions, OutputOptions):
    """Options of ``mmhot infer``."""

    title = 'repeated runs'

    no_cache: bool = option(
        'detect people again, and keep no intermediate results', False, decides=False
    )
    resume: bool = option(
        'skip inputs that were finished with the same models and options',
        False,
        decides=False,
    )

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.resume and self.no_cache:
            raise ArgumentError('{resume} needs the cache, which {no_cache} turns off')


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
        'how long to keep reconnecting to a lost stream', 60.0, low=0, metavar='SECONDS'
    )
