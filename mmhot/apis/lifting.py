"""Lifting of videos, images and 2D keypoints, refinement of 3D poses, in one call."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmhot.chain.calls import INFER, LIFT, REFINE
from mmhot.chain.options import (
    KeypointFileOptions,
    OutputOptions,
    PoseFileOptions,
    RateOption,
)
from mmhot.chain.outcome import Outcome, processing
from mmhot.chain.pipelines import KEYPOINTS, POSES, VIDEO
from mmhot.chain.run import Chain, StageTimes, result_of
from mmhot.chain.write import result_files
from mmhot.errors import ArgumentError, explain_any, is_debugging, refuse_lists_of_paths
from mmhot.frames.part import PartOptions, take_part
from mmhot.frames.sources import FrameArrays, FrameSource
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.poses import read_poses
from mmhot.io.results import results_folder
from mmhot.keypoints.people import ChoosePeople
from mmhot.lifting.lifted import Lifted
from mmhot.options import Values, options_of
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.progress import Bars, Report, no_bar, stage_bars, text_bar
from mmhot.step import Clip
from mmhot.structures.clips_2d import Clip2D, check_clip
from mmhot.structures.clips_3d import Clip3D

if TYPE_CHECKING:  # Python 3.10 has no Unpack
    from typing_extensions import Unpack

    from mmhot.apis.keywords import InferOptions, LiftOptions, RefineOptions


def infer(
    source: str | Path | np.ndarray | Iterable[np.ndarray],
    *,
    cache: str | Path | None = None,
    progress: bool = False,
    **options: 'Unpack[InferOptions]',
) -> Clip3D:
    """Detect, track and lift the people of a video or an image, as ``mmhot infer``.

    Args:
        source (str | Path | np.ndarray | Iterable): Video, image, image folder, address
            of a video, or frames: an array (T, H, W, 3) or any iterable of images, BGR
            uint8 (H, W, 3), with ``fps``.
        cache (str | Path, optional): Folder in which 2D keypoints and tracks are kept
            for the next call.
        progress (bool): Whether to show progress bars. Defaults to False.
        **options: As ``mmhot infer --help`` lists them, with underscores, without
            those of results and of many inputs.

    Returns:
        Clip3D: 3D poses in camera axes.

    Raises:
        FileNotFoundError: If the input does not exist.
        ValueError: If an option or the input is wrong, or no person is found.

    Example::

        import mmhot
        clip = mmhot.infer('walk.mp4', fov=60)
        clip.save('walk.bvh', static_camera=True)
    """
    values, bars = Values(options, INFER), text_bar if progress else no_bar
    frames = _open_frames(source, values)
    folder = None if cache is None else Path(cache)
    chain, times = Chain(VIDEO, values, Report(bars=bars), folder), StageTimes()
    with stage_bars(bars, frames.name) as count:
        keypoints, footage = result_of(chain.see(frames, times, count))
        poses = result_of(chain.lift(keypoints, footage, times, count))
    if poses is None:
        missing = chain.find(EstimatePoses).no_person_found(times.num_frames)
        raise ArgumentError('%s: %s', frames.path, missing)
    return poses


def lift(
    keypoints: str | Path | Clip2D | np.ndarray | Iterable[object],
    *,
    progress: bool = False,
    **options: 'Unpack[LiftOptions]',
) -> Clip3D:
    """Lift the 2D keypoints of a clip, as ``mmhot lift``.

    Args:
        keypoints (str | Path | Clip2D | np.ndarray | Iterable): Keypoints, or their
            file. An array is (T, K, 2) or has more dimensions, see
            :meth:`Clip2D.from_arrays`. Or results of Ultralytics or ``KeyPoints`` of
            supervision, one of each frame.
        progress (bool): Whether to show a progress bar. Defaults to False.
        **options: As ``mmhot lift --help`` lists them, with underscores, without those
            of results. ``skeleton``, ``image_size`` and ``fps`` are not for clips, and
            ``single`` is for files and results.

    Returns:
        Clip3D: 3D poses in camera axes.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the file is wrong.

    Example::

        import mmhot
        clip = mmhot.lift('demo/skating_2d_coco17.npz', static_camera=True)
    """
    values = Values(options, LIFT)
    refuse_lists_of_paths('keypoints', keypoints)
    chain = Chain(KEYPOINTS, values)  # its lifter may bring a skeleton of the file
    clip, bars = _read_keypoints(keypoints, values), text_bar if progress else no_bar
    return _lift(chain, bars, clip, StageTimes())


def refine(
    source: str | Path | Clip3D | np.ndarray | Iterable[object],
    **options: 'Unpack[RefineOptions]',
) -> Clip3D:
    """Refine the 3D poses of another tool to a motion, as ``mmhot refine``.

    People are followed, gaps are filled, noise is filtered, bones get constant lengths
    and standing feet stay in place, if all frames share axes.

    Args:
        source (str | Path | Clip3D | np.ndarray | Iterable): A clip
            (:meth:`Clip3D.from_arrays`), a file or folder, an array of joints in
            meters, (T, K, 3), or one result of SAM 3D Body or MediaPipe for each frame.
        **options: As ``mmhot refine --help`` lists them, with underscores, without
            those of results. ``skeleton``, ``image_size``, ``fps`` and ``given_axes``
            are not for clips.

    Returns:
        Clip3D: 3D poses in camera axes, or in world axes if the source's are level.
        Steps that a clip has had do not run again.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the source is wrong.

    Example::

        import mmhot
        clip = mmhot.refine('sam3d.json', fps=30, static_camera=True)
    """
    values = Values(options, REFINE)
    clip = _read_poses(source, values)
    return result_of(Chain(POSES, values).refine(clip, StageTimes()))


def steps(
    source: str | Path | np.ndarray | Iterable[np.ndarray] | Clip2D | Clip3D,
    **options: object,
) -> Iterator[tuple[str, Clip2D | Clip3D]]:
    """Yield the clip after each step of :func:`infer`, :func:`lift` or :func:`refine`.

    Args:
        source (str | Path | np.ndarray | Iterable | Clip2D | Clip3D): What ``infer``
            takes, the keypoints of ``lift``, or the poses of ``refine``.
        **options (object): Those of the function.

    Yields:
        tuple[str, Clip2D | Clip3D]: Name of a step, and the clip after it.

    Example::

        clip = mmhot.read_keypoints('demo/skating_2d_coco17.npz')
        for name, clip in mmhot.steps(clip, joints=24):
            print(name, clip.track_ids)
    """
    times = StageTimes()
    if isinstance(source, Clip3D):
        values = Values(options, REFINE)
        poses = _read_poses(source, values)
        yield from Chain(POSES, values).refine(poses, times)
    elif isinstance(source, Clip2D):
        values = Values(options, LIFT)
        clip = _read_keypoints(source, values)
        yield from Chain(KEYPOINTS, values).lift(clip, None, times)
    else:
        values = Values(options, INFER)
        frames, chain = _open_frames(source, values), Chain(VIDEO, values)
        keypoints, footage = yield from chain.see(frames, times)
        yield from chain.lift(keypoints, footage, times)


def _open_frames(
    source: str | Path | Iterable[np.ndarray], values: Values
) -> FrameSource:
    """Open the chosen part of a video, image or frames."""
    from mmhot.frames.inputs import open_clip

    fps, part = values.of(RateOption).fps, values.of(PartOptions)
    refuse_lists_of_paths('source', source)
    if isinstance(source, str | Path):
        return take_part(open_clip(str(source), fps), part)
    return take_part(FrameArrays(source, fps), part)


def _read_keypoints(
    source: str | Path | Clip2D | Iterable[object], values: Values
) -> Clip2D:
    """Read the chosen part of keypoints; refuse options that cannot act on them."""
    part, options = values.of(PartOptions), values.of(KeypointFileOptions)
    if isinstance(source, Clip2D):
        reason = 'is for files of keypoints, not for a Clip2D'
        options.refuse(options_of(KeypointFileOptions), reason)
        return take_part(check_clip(source), part)
    given = options.option_values()
    if options.single is None and values.of(ChoosePeople).people == 'largest':
        given['single'] = 'untracked'
    return take_part(read_keypoints(source, **given), part)


def _read_poses(
    source: str | Path | Clip3D | Iterable[object], values: Values
) -> Clip3D:
    """Read the chosen part of poses; refuse options that cannot act on them."""
    part, options = values.of(PartOptions), values.of(PoseFileOptions)
    refuse_lists_of_paths('source', source)
    if isinstance(source, Clip3D):
        options.refuse(options_of(PoseFileOptions), 'is stated by a Clip3D')
        return take_part(source, part)
    given = options.option_values()
    axes = given.pop('given_axes')
    return take_part(read_poses(source, axes=axes, **given), part)


def _lift(
    chain: Chain[None, Lifted], bars: Bars, clip: Clip2D, times: StageTimes
) -> Clip3D:
    """Lift keypoints; raise ValueError if none is left."""
    with stage_bars(bars, clip.name) as count:
        poses = result_of(chain.lift(clip, None, times, count))
    if poses is None:
        raise ValueError(f'{clip.source or clip.name}: no keypoint is left to lift')
    return poses


def lift_files(
    paths: Sequence[Path], values: Values, report: Report = Report()
) -> Iterator[Outcome]:
    """Lift files of 2D keypoints, and write the results."""
    lift_clip = partial(_lift, Chain(KEYPOINTS, values, report), report.bars)
    return _process(paths, values, report, _read_keypoints, lift_clip)


def refine_files(
    paths: Sequence[Path], values: Values, report: Report = Report()
) -> Iterator[Outcome]:
    """Refine files of 3D poses, and write the results."""
    chain = Chain(POSES, values, report)

    def refine_clip(clip: Clip3D, times: StageTimes) -> Clip3D:
        return result_of(chain.refine(clip, times))

    return _process(paths, values, report, _read_poses, refine_clip)


def _process(
    paths: Sequence[Path],
    values: Values,
    report: Report,
    read: Callable[[Path, Values], Clip],
    run: Callable[[Clip, StageTimes], Clip3D],
) -> Iterator[Outcome]:
    """Read all files, then process and write their clips; each may fail alone."""
    options = values.of(OutputOptions)
    clips, targets = list[Clip](), []
    for path in paths:
        try:
            clip = read(path, values)
        except (OSError, ValueError) as error:
            if len(paths) == 1 or is_debugging():
                raise
            yield Outcome(path.name, error=explain_any(error))
            continue
        clips.append(clip)
        people = [track for track in clip.track_ids if track >= 0]
        files = result_files(options.out_dir, clip.name, options.formats, people)
        targets.append((path, files))
    with results_folder(options.out_dir, targets, [*paths, *values.files]):
        for clip in clips:
            outcome = Outcome(clip.name)
            with processing(outcome, options, report):
                outcome.write(run(clip, outcome.times), options, report)
            yield outcome
