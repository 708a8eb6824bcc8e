"""Lifting of videos, images and 2D keypoints, refinement of 3D poses, in one call."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.chain.build import build_chain
from mmhot.chain.chain import StageTimes
from mmhot.chain.options import (
    OF_FILES,
    InferOptions,
    LiftOptions,
    LiftRunOptions,
    RefineOptions,
    RefineRunOptions,
    check_inputs,
)
from mmhot.chain.outcome import Outcome, noting_errors
from mmhot.chain.progress import Bars, no_bar, stage_bars, text_bar
from mmhot.chain.write import export
from mmhot.errors import ArgumentError, refuse_open_file, require_path
from mmhot.frames.arrays import FrameArrays
from mmhot.frames.part import take_part
from mmhot.geometry.keypoint_arrays import to_numbers
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.poses import read_poses
from mmhot.io.readers.predictions import as_predictions
from mmhot.io.results import result_files, results_folder
from mmhot.motion.given_poses import is_finished
from mmhot.options import takes
from mmhot.structures.clips import Clip2D, Clip3D, check_clip


@takes(InferOptions)
def infer(
    source: str | Path | np.ndarray | Iterable[np.ndarray],
    *,
    cache: str | Path | None = None,
    progress: bool = False,
    **options: object,
) -> Clip3D:
    """Detect, track and lift the people of a video or an image, as ``mmhot infer``.

    Args:
        source (str | Path | np.ndarray | Iterable): Video, image, image folder, address
            of a video, file of 2D keypoints, or frames: an array (T, H, W, 3) or any
            iterable of images, BGR uint8 (H, W, 3), with ``fps``.
        cache (str | Path, optional): Folder in which 2D keypoints and tracks are kept
            for the next call.
        progress (bool): Whether to show progress bars. Defaults to False.
        **options (object): Those of :class:`mmhot.chain.options.InferOptions`.

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
    from mmhot.frames.inputs import ClipInput, find_inputs

    chosen = InferOptions.of(**options)
    folder = None if cache is None else require_path('cache', cache)
    refuse_open_file('source', source)
    if isinstance(source, str | Path):
        inputs = find_inputs([str(source)], **chosen.of_files())
    else:
        frames = FrameArrays(source, chosen.fps)
        inputs = [ClipInput(frames.path, frames.name, lambda: frames)]
    if len(inputs) != 1:
        raise ValueError(f'source must be one clip, got {len(inputs)} in {source}')
    check_inputs(chosen, inputs)
    bars = text_bar if progress else no_bar
    chain = build_chain(chosen, folder, bars=bars)
    clip, times = take_part(inputs[0].open(), chosen), StageTimes()
    with stage_bars(bars, inputs[0].name) as show:
        lifted = chain(clip, show, times)
    if lifted is None:
        missing = chosen.no_person_found(times.num_frames)
        raise ArgumentError('%s: %s', inputs[0].path, missing)
    return lifted


@takes(LiftOptions)
def lift(
    keypoints: str | Path | Clip2D | np.ndarray | Iterable[object],
    *,
    progress: bool = False,
    **options: object,
) -> Clip3D:
    """Lift the 2D keypoints of a clip, as ``mmhot lift``.

    Args:
        keypoints (str | Path | Clip2D | np.ndarray | Iterable): Keypoints, or their
            file. An array is (T, K, 2) or has more dimensions, see
            :meth:`Clip2D.from_arrays`. Or results of Ultralytics or ``KeyPoints`` of
            supervision, one of each frame.
        progress (bool): Whether to show a progress bar. Defaults to False.
        **options (object): Those of :class:`mmhot.chain.options.LiftOptions`, of which
            ``skeleton``, ``image_size`` and ``fps`` are not for clips, and ``single``
            is for files and results.

    Returns:
        Clip3D: 3D poses in camera axes.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the file is wrong.
    """
    chosen = LiftOptions.of(**options)
    refuse_open_file('keypoints', keypoints)
    chain, found = build_chain(chosen), as_predictions(keypoints)
    if found is not None or isinstance(keypoints, str | Path):
        source: Any = keypoints if found is None else found
        clip = read_keypoints(source, **chosen.of_files())
    else:
        clip = _check_keypoints(keypoints, chosen)
    clip = take_part(clip, chosen)
    with stage_bars(text_bar if progress else no_bar, clip.name) as show:
        return _found(chain(clip, show), clip)


@takes(RefineOptions)
def refine(
    source: str | Path | Clip3D | np.ndarray | Iterable[object],
    *,
    progress: bool = False,
    **options: object,
) -> Clip3D:
    """Refine the 3D poses of another tool to a motion, as ``mmhot refine``.

    People are followed, gaps are filled, noise is filtered, bones get constant lengths
    and standing feet stay in place, if all frames share axes.

    Args:
        source (str | Path | Clip3D | np.ndarray | Iterable): A clip
            (:meth:`Clip3D.from_arrays`), a file or folder, an array of joints in
            meters, (T, K, 3), or one result of SAM 3D Body or MediaPipe for each frame.
        progress (bool): Whether to show a progress bar. Defaults to False.
        **options (object): Those of :class:`mmhot.chain.options.RefineOptions`, of
            which ``skeleton``, ``image_size``, ``fps`` and ``given_axes`` are not for
            clips.

    Returns:
        Clip3D: 3D poses in camera axes, or in world axes if the source's are. Steps
        that a clip has had do not run again.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the source is wrong.
    """
    chosen = RefineOptions.of(**options)
    chain, clip = build_chain(chosen), _read_poses(source, chosen)
    with stage_bars(text_bar if progress else no_bar, clip.name) as show:
        return chain(clip, show)


# Options that are for poses of other tools.
_OF_POSES = ('joints', 'kpt_thr', 'people', 'single', 'fov', 'intrinsics')


def _read_poses(source: Any, options: RefineOptions) -> Clip3D:
    """Read 3D poses; refuse options that cannot act on them."""
    if isinstance(source, Clip3D):
        clip, names = source, (*OF_FILES, 'given_axes')
        options.refuse({*names} - {'single'}, 'is stated by a Clip3D')
    else:
        given = options.of_files() | {'axes': options.given_axes}
        given.pop('single')
        clip = read_poses(source, **given)
    if is_finished(clip):
        options.refuse(_OF_POSES, f'is for poses of other tools, not for {clip.name}')
    placed = np.isfinite(clip.root_3d).any() or np.isnan(clip.keypoints_2d).all()
    if placed:
        reason = 'is for poses with 2D keypoints and without positions'
        options.refuse(('fov', 'intrinsics'), reason)
    if clip.axes == 'world' or clip.camera_path is not None:
        options.refuse(('static_camera',), 'is known: all frames share axes')
    return take_part(clip, options)


def _found(lifted: Clip3D | None, clip: Clip2D | Clip3D) -> Clip3D:
    if lifted is None:
        raise ValueError(
            f'{getattr(clip, "source", None) or clip.name}: no keypoint is left to lift'
        )
    return lifted


def _check_keypoints(keypoints: object, options: LiftOptions) -> Clip2D:
    reason = 'is for files of keypoints, not for '
    if isinstance(keypoints, Clip2D):
        options.refuse(OF_FILES, f'{reason}a Clip2D')
        return check_clip(keypoints)
    options.refuse(('single',), f'{reason}an array')
    if options.image_size is None or options.fps is None:
        raise ArgumentError(
            '{image_size} and {fps} must be given with an array of keypoints'
        )
    points = to_numbers('keypoints', keypoints)
    return Clip2D.from_arrays(
        points, options.image_size, options.fps, skeleton=options.skeleton
    )


def lift_files(
    paths: Sequence[Path],
    options: LiftRunOptions | RefineRunOptions,
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> Iterator[Outcome]:
    """Lift files of 2D keypoints, or refine those of 3D poses, and write the results.

    All inputs are read before anything is written. ``say`` receives lines for the user.

    Yields:
        Outcome: Of each input; one that fails does not stop the others.

    Raises:
        ValueError: If an input or option is wrong, or results would overwrite files.
    """
    # its lifter may bring a skeleton of the files
    chain = build_chain(options, say=say)
    clips: list[Clip2D | Clip3D] = []
    for path in paths:
        if isinstance(options, LiftOptions):
            keypoints = read_keypoints(path, **options.of_files())
            clips.append(take_part(keypoints, options))
        else:
            clips.append(_read_poses(path, options))
    targets = []
    for path, clip in zip(paths, clips, strict=True):
        known = [track for track in clip.track_ids if track >= 0]
        files = result_files(options.out_dir, clip.name, options.formats, known)
        targets.append((path, files))
    with results_folder(options.out_dir, targets, [*paths, *options.files]):
        for clip in clips:
            outcome = Outcome(clip.name)
            with noting_errors(outcome):
                with stage_bars(bars, clip.name) as show:
                    lifted = _found(chain(clip, show, outcome.times), clip)
                outcome.people = len(lifted.track_ids)
                with outcome.times.measure('write'):
                    export(lifted, options, None, say, bars, written=outcome.files)
            yield outcome
