"""``infer``, ``lift``, ``refine``, ``steps``: 3D from videos, keypoints or poses."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np

from mmhot.apis.keywords import InferOptions, LiftOptions, RefineOptions
from mmhot.chain.calls import INFER, LIFT, REFINE
from mmhot.chain.frames.part import PartOptions, take_frames, take_part
from mmhot.chain.frames.sources import FrameArrays, FrameSource
from mmhot.chain.keypoints.people import ChoosePeople
from mmhot.chain.options import (
    KeypointFileOptions,
    OutputOptions,
    PoseFileOptions,
    RateOption,
)
from mmhot.chain.outcome import Outcome, describe_error, processing
from mmhot.chain.plan import LiftPlan, PosePlan, VideoPlan
from mmhot.chain.run import Runner, Stage, StageTimes
from mmhot.chain.write import result_files
from mmhot.errors import ArgumentError, is_debugging, refuse_lists_of_paths
from mmhot.io.readers.keypoints import has_keypoints, read_keypoints
from mmhot.io.readers.poses import read_poses
from mmhot.io.results import results_folder
from mmhot.options import Values, options_of
from mmhot.progress import Bars, Report, no_bar, stage_bars, text_bar
from mmhot.structures.clips_2d import Clip2D, check_clip
from mmhot.structures.clips_3d import Clip, Clip3D


def infer(
    source: str | Path | np.ndarray | Iterable[np.ndarray],
    *,
    cache: str | Path | None = None,
    progress: bool = False,
    **options: Unpack[InferOptions],
) -> Clip3D:
    """Detect, track and lift the people of a video or an image, as ``mmhot infer``.

    Args:
        source (str | Path | np.ndarray | Iterable): Video, image, image folder, address
            of a video, or frames: an array (T, H, W, 3) or any iterable of images, BGR
            uint8 (H, W, 3), with ``fps``.
        cache (str | Path, optional): Folder in which 2D keypoints are kept, so that the
            next call with the same video starts from them.
        progress (bool): Whether to show progress bars. Defaults to False.
        **options: Options of ``mmhot infer --help`` with underscores, such as ``fov``
            (horizontal angle of view, degrees), ``camera='static'``, ``height``
            (meters), ``start`` and ``end`` (seconds), ``people``, ``joints=24`` and
            ``device='cpu'``; ``docs/api.md`` has all. Options of result files are
            arguments of :meth:`mmhot.Clip3D.save`.

    Returns:
        Clip3D: One row for each person and frame: ``keypoints_3d`` (N, 17, 3) around
        the root and ``root_3d`` (N, 3), in meters and camera axes (x right, y down, z
        away), with ``frame`` and ``track`` (N,).

    Raises:
        FileNotFoundError: If the input does not exist.
        ValueError: If an option or the input is wrong, or no person is found.
        TypeError: If an option does not exist; names the nearest one.

    Example::

        clip = mmhot.infer('walk.mp4', fov=60, camera='static')
        clip.save('walk.bvh')
    """
    values = Values(options, INFER.kinds)
    bars = text_bar if progress else no_bar
    frames = _open_frames(source, values)
    folder = None if cache is None else Path(cache)
    plan = VideoPlan(values, Report(bars=bars), folder)
    with stage_bars(bars, frames.name) as count:
        runner = Runner(count=count)
        keypoints, footage = runner.see(plan, frames)
        poses = runner.lift(plan, keypoints, footage)
    if poses is None:
        missing = plan.estimate.no_person_found(runner.times.num_frames)
        raise ArgumentError('%s: %s', frames.path, missing)
    return poses


def lift(
    keypoints: str | Path | Clip2D | np.ndarray | Iterable[object],
    *,
    progress: bool = False,
    **options: Unpack[LiftOptions],
) -> Clip3D:
    """Lift the 2D keypoints of a clip, as ``mmhot lift``.

    Args:
        keypoints (str | Path | Clip2D | np.ndarray | Iterable): A file of keypoints; an
            array in pixels, (T, K, 2), (T, K, 3) with scores, or (T, P, K, 2) for
            several people; a clip, see :meth:`mmhot.Clip2D.from_arrays`; or one result
            of Ultralytics, or ``KeyPoints`` of supervision, for each frame.
        progress (bool): Whether to show a progress bar. Defaults to False.
        **options: Options of ``mmhot lift --help`` with underscores, such as ``fps``,
            ``image_size`` ((width, height) in pixels), ``skeleton='coco-17'``, ``fov``
            (degrees), ``static_camera`` and ``joints=24``; ``docs/api.md`` has all. A
            ``Clip2D`` states its ``skeleton``, ``image_size`` and ``fps`` itself, and
            ``single`` is for files and results only.

    Returns:
        Clip3D: One row for each person and frame, as :func:`infer` returns it.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the keypoints are wrong, or no keypoint is left.
        TypeError: If an option does not exist; names the nearest one.

    Example::

        clip = mmhot.lift('demo/skating_2d_coco17.npz', static_camera=True)
        clip = mmhot.lift(keypoints, image_size=(1920, 1080), fps=30)  # (T, 17, 2)
    """
    values = Values(options, LIFT.kinds)
    plan = LiftPlan(values)  # its lifter may bring a skeleton of the file
    clip = _read_keypoints(keypoints, values)
    return _lift(plan, text_bar if progress else no_bar, clip, StageTimes())


def refine(
    source: str | Path | Clip3D | np.ndarray | Iterable[object],
    **options: Unpack[RefineOptions],
) -> Clip3D:
    """Refine the 3D poses of another tool to a motion, as ``mmhot refine``.

    People are followed, gaps are filled, noise is filtered, and bones get constant
    lengths. If all frames share axes, standing feet stay in place.

    Args:
        source (str | Path | Clip3D | np.ndarray | Iterable): A file or folder; an array
            of joints in meters, (T, K, 3); a clip, see
            :meth:`mmhot.Clip3D.from_arrays`; or one result of SAM 3D Body or MediaPipe
            for each frame.
        **options: Options of ``mmhot refine --help`` with underscores, such as ``fps``,
            ``given_axes='y-up'``, ``static_camera`` and ``smooth_3d='none'``;
            ``docs/api.md`` has all. A ``Clip3D`` states its ``skeleton``,
            ``image_size``, ``fps`` and ``given_axes`` itself.

    Returns:
        Clip3D: 3D poses in camera axes, or in world axes if the source has level axes.
        Steps that have processed a clip before do not run again.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the source is wrong.
        TypeError: If an option does not exist; names the nearest one.

    Example::

        clip = mmhot.refine('sam3d.json', fps=30, static_camera=True)
        clip = mmhot.refine(poses, fps=30, given_axes='y-up')  # (T, 17, 3)
    """
    values = Values(options, REFINE.kinds)
    plan = PosePlan(values)
    clip = _read_poses(source, values)
    return Runner().refine(plan, clip)


@overload
def steps(source: Clip3D, **options: Unpack[RefineOptions]) -> Iterator[Stage]: ...
@overload
def steps(source: Clip2D, **options: Unpack[LiftOptions]) -> Iterator[Stage]: ...
@overload
def steps(
    source: str | Path | np.ndarray | Iterable[np.ndarray],
    **options: Unpack[InferOptions],
) -> Iterator[Stage]: ...
@overload
def steps(source: str | Path, **options: Unpack[LiftOptions]) -> Iterator[Stage]: ...
def steps(
    source: str | Path | np.ndarray | Iterable[np.ndarray] | Clip2D | Clip3D,
    **options: Any,
) -> Iterator[Stage]:
    """Yield the clip after each step of :func:`infer`, :func:`lift` or :func:`refine`.

    Args:
        source (str | Path | np.ndarray | Iterable | Clip2D | Clip3D): A source of
            ``infer``, such as a video or frames (T, H, W, 3); keypoints of ``lift``, as
            a clip or file; or poses of ``refine``, as a clip.
        **options: Options of that function.

    Yields:
        tuple[str, Clip2D | Clip3D]: Name of a step, and a copy of the clip after it.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the source is wrong.

    Example::

        for name, clip in mmhot.steps('demo/skating_2d_coco17.npz', joints=24):
            print(name, clip.track_ids)
    """
    for name, clip in _stages(source, options):
        yield name, deepcopy(clip)


def _stages(
    source: str | Path | np.ndarray | Iterable[np.ndarray] | Clip2D | Clip3D,
    options: Mapping[str, object],
) -> Iterator[Stage]:
    """Run the steps that a source needs; frames are BGR uint8 (T, H, W, 3)."""
    runner = Runner()
    if isinstance(source, Clip3D):
        values = Values(options, REFINE.kinds)
        yield from runner.refine_by_step(PosePlan(values), _read_poses(source, values))
    elif isinstance(source, Clip2D) or (
        isinstance(source, str | Path) and has_keypoints(Path(source))
    ):
        values = Values(options, LIFT.kinds)
        lifting = LiftPlan(values)  # its lifter may bring a skeleton of the file
        yield from runner.lift_by_step(lifting, _read_keypoints(source, values))
    else:
        values = Values(options, INFER.kinds)
        frames = _open_frames(source, values)
        plan = VideoPlan(values)
        keypoints, footage = runner.see(plan, frames)
        yield plan.track.name, keypoints
        yield from runner.lift_by_step(plan, keypoints, footage)


def _open_frames(
    source: str | Path | Iterable[np.ndarray], values: Values
) -> FrameSource:
    """Open the chosen part of a video, image or frames, BGR uint8 (T, H, W, 3)."""
    from mmhot.chain.frames.inputs import open_clip

    fps = values.of(RateOption).fps
    refuse_lists_of_paths('source', source)
    if isinstance(source, str | Path):
        return take_frames(open_clip(str(source), fps), values.of(PartOptions))
    return take_frames(FrameArrays(source, fps), values.of(PartOptions))


def _read_keypoints(
    source: str | Path | Clip2D | Iterable[object], values: Values
) -> Clip2D:
    """Read the chosen part of keypoints; refuse options that cannot act on them."""
    options = values.of(KeypointFileOptions)
    if isinstance(source, Clip2D):
        reason = 'is for files of keypoints, not for a Clip2D'
        options.refuse(options_of(KeypointFileOptions), reason)
        return take_part(check_clip(source), values.of(PartOptions))
    given = options.option_values()
    if options.single is None and values.of(ChoosePeople).people == 'largest':
        given['single'] = 'untracked'  # the largest of each frame if IDs are missing
    return take_part(read_keypoints(source, **given), values.of(PartOptions))


def _read_poses(
    source: str | Path | Clip3D | Iterable[object], values: Values
) -> Clip3D:
    """Read the chosen part of poses; refuse options that cannot act on them."""
    options = values.of(PoseFileOptions)
    if isinstance(source, Clip3D):
        options.refuse(options_of(PoseFileOptions), 'is stated by a Clip3D')
        return take_part(source, values.of(PartOptions))
    given = options.option_values()
    given['axes'] = given.pop('given_axes')
    return take_part(read_poses(source, **given), values.of(PartOptions))


def _lift(plan: LiftPlan, bars: Bars, clip: Clip2D, times: StageTimes) -> Clip3D:
    """Lift keypoints; raise ValueError if none is left."""
    with stage_bars(bars, clip.name) as count:
        poses = Runner(times, count).lift(plan, clip)
    if poses is None:
        raise ValueError(f'{clip.source or clip.name}: no keypoint is left to lift')
    return poses


def lift_files(
    paths: Sequence[Path], values: Values, report: Report = Report()
) -> Iterator[Outcome]:
    """Lift files of 2D keypoints, and write the results.

    Yields:
        Outcome: The outcome of a file; errors do not stop the others.
    """
    plan = LiftPlan(values, report)
    lift_clip = partial(_lift, plan, report.bars)
    return _process(paths, values, report, _read_keypoints, lift_clip)


def refine_files(
    paths: Sequence[Path], values: Values, report: Report = Report()
) -> Iterator[Outcome]:
    """Refine files of 3D poses, and write the results.

    Arguments and results are as for :func:`lift_files`.
    """
    plan = PosePlan(values, report)
    return _process(
        paths,
        values,
        report,
        _read_poses,
        lambda clip, times: Runner(times).refine(plan, clip),
    )


def _process(
    paths: Sequence[Path],
    values: Values,
    report: Report,
    read: Callable[[Path, Values], Clip],
    run: Callable[[Clip, StageTimes], Clip3D],
) -> Iterator[Outcome]:
    """Read all files, then process and write their clips; each may fail alone."""
    options = values.of(OutputOptions)
    clips: list[Clip] = []
    targets = []
    for path in paths:
        try:
            clip = read(path, values)
        except (OSError, ValueError) as error:
            if len(paths) == 1 or is_debugging():
                raise
            yield Outcome(path.name, error=describe_error(error))
            continue
        clips.append(clip)
        people = [track for track in clip.track_ids if track >= 0]
        files = result_files(options.out_dir, clip.name, options.formats, people)
        targets.append((path, files))
    with results_folder(options.out_dir, targets, [*paths, *values.files]):
        for clip in clips:
            outcome = Outcome(clip.name)
            with processing(outcome, options, report):
                outcome.write(run(clip, outcome.times), values, report)
            yield outcome
