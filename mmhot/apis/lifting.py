"""Lifting of videos, images and 2D keypoints to 3D in one call."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from mmhot.apis.export import export
from mmhot.apis.options import InferOptions, LiftOptions, LiftRunOptions, takes
from mmhot.apis.processing import processors_of
from mmhot.apis.progress import Bars, Show, no_bar, stage_bars, text_bar
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.predictions import as_predictions
from mmhot.io.results import result_files, results_folder
from mmhot.lifting.lifter import Lifter
from mmhot.motion.camera_path import static_path
from mmhot.motion.chain import lift_clip
from mmhot.structures.clips import Clip2D, Clip3D, check_clip
from mmhot.structures.lens import resolve_intrinsics
from mmhot.video.frames import FrameSource
from mmhot.video.inputs import find_inputs
from mmhot.video.models import pose_source
from mmhot.video.pipeline import StageTimes, VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.speed import SPEEDS
from mmhot.weights.names import NAMED_FILES

_LOGGER = logging.getLogger(__name__)
# Options of files, which may lack what they state.
_OF_FILES = ('skeleton', 'image_size', 'fps', 'single')
_MORE_ACCURATE = (
    ' (trained on rendered people only, finds 3 of 4 joints on photos; more accurate, '
    'once downloaded: --pose2d movenet, 13 MB, or human, RTMPose-m, 150 MB)'
)


@takes(InferOptions)
def infer(
    source: str | Path,
    *,
    cache: str | Path | None = None,
    progress: bool = False,
    **options: object,
) -> Clip3D:
    """Detect, track and lift the people of a video or an image, as ``mmhot infer``.

    Args:
        source (str | Path): Video, image, image folder, address of a video, or file of
            2D keypoints.
        cache (str | Path, optional): Folder in which 2D keypoints and tracks are kept
            for the next call.
        progress (bool): Whether to show progress bars. Defaults to False.
        **options (object): Those of :class:`mmhot.apis.options.InferOptions`.

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
    chosen = InferOptions.of(**options)
    inputs = find_inputs([str(source)], chosen.fps)
    if len(inputs) != 1:
        raise ValueError(f'source must be one clip, got {len(inputs)} in {source}')
    pipeline = open_video_lifter(chosen, Path(cache) if cache else None)
    if not inputs[0].has_keypoints:
        bars = text_bar if progress else no_bar
        pipeline.pose_estimator = open_pose_estimator(chosen, bars=bars)
    clip, times = inputs[0].open(), StageTimes()
    with stage_bars(text_bar if progress else no_bar, inputs[0].name) as show:
        lifted = lift_source(pipeline, clip, show, times)
    if lifted is None:
        raise ValueError(f'{source}: no person was found in {times.num_frames} frames')
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
        **options (object): Those of :class:`mmhot.apis.options.LiftOptions`, of which
            ``skeleton``, ``image_size`` and ``fps`` are not for clips, and ``single``
            is for files and results.

    Returns:
        Clip3D: 3D poses in camera axes.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an option or the file is wrong.
    """
    chosen = LiftOptions.of(**options)
    lifter, found = _open_lifter(chosen), as_predictions(keypoints)
    if isinstance(keypoints, str | Path) or found is not None:
        clip = _read_clip(keypoints if found is None else found, chosen)
    else:
        clip = _check_keypoints(keypoints, chosen)
    with (text_bar if progress else no_bar)(f'{clip.name}: lifting') as show:
        return _lift_clip(lifter, clip, chosen, show)


def _check_keypoints(keypoints: Clip2D | np.ndarray, options: LiftOptions) -> Clip2D:
    is_clip = isinstance(keypoints, Clip2D)
    for name in _OF_FILES if is_clip else ('single',):
        if getattr(options, name) is not None:
            what = 'a Clip2D' if is_clip else 'an array'
            raise ValueError(f'{name} is for files of keypoints, not for {what}')
    if is_clip:
        return check_clip(keypoints)
    if options.image_size is None or options.fps is None:
        raise ValueError('image_size and fps must be given with an array of keypoints')
    return Clip2D.from_arrays(
        keypoints, options.image_size, options.fps, skeleton=options.skeleton
    )


def _read_clip(path: str | Path | Iterable[object], options: LiftOptions) -> Clip2D:
    return read_keypoints(path, **{name: getattr(options, name) for name in _OF_FILES})


def lift_files(
    paths: Sequence[Path],
    options: LiftRunOptions,
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> list[Path]:
    """Lift files of 2D keypoints and write the results.

    All inputs are read before anything is written. ``say`` receives lines for the user.

    Raises:
        ValueError: If an input or option is wrong, or results would overwrite files.
    """
    lifter = _open_lifter(options)  # it may bring a skeleton of the files
    clips = [_read_clip(path, options) for path in paths]
    targets, written = [], []
    for path, clip in zip(paths, clips, strict=True):
        tracks = [track.track for track in clip.tracks]
        files = result_files(options.out_dir, clip.name, options.formats, tracks)
        targets.append((path, files))
    with results_folder(options.out_dir, targets, [*paths, *options.files]):
        for clip in clips:
            times = StageTimes()
            with bars(f'{clip.name}: lifting') as show, times.measure('3D'):
                lifted = _lift_clip(lifter, clip, options, show)
            written += export(lifted, options, None, say, bars)
            seconds = times.seconds['3D']
            frames, people = (len({*x.tolist()}) for x in (lifted.frame, lifted.track))
            say(
                f'{clip.name}: {frames} {"frame" if frames == 1 else "frames"}, '
                f'{people} {"person" if people == 1 else "people"}, lifted in '
                f'{seconds:.1f} s ({frames / seconds:.0f} frames per second)'
            )
    return written


def _lift_clip(
    lifter: Lifter, clip: Clip2D, options: LiftOptions, show: Show
) -> Clip3D:
    lens = resolve_intrinsics(clip.width, clip.height, options.fov, options.intrinsics)
    return lift_clip(lifter, processors_of(options, lifter), clip, lens, show)


def _open_lifter(options: LiftOptions) -> Lifter:
    return Lifter(
        options.model,
        options.checkpoint,
        options.device,
        options.flip_test,
        options.batch_size,
        keep=options.keep,
        backend=options.backend,
    )


def open_video_lifter(
    options: InferOptions, cache: Path | None = None, accuracy: str = 'best'
) -> VideoLifter:
    """Load the lifter of :func:`infer`, without 2D models.

    Intermediate results are kept in the folder ``cache``.
    """
    speed, keep = SPEEDS[options.speed], options.keep
    if options.pose3d is None and options.pose3d_weights is None and keep is None:
        keep = speed.keep
    lifter = Lifter(
        options.pose3d,
        options.pose3d_weights,
        options.device,
        speed.flip_3d,
        keep=keep,
        backend=options.backend,
        accuracy=accuracy,
    )
    return VideoLifter(
        None,
        lifter,
        kpt_thr=options.kpt_thr,
        processors=processors_of(options, lifter),
        camera=options.camera,
        fov=options.fov,
        intrinsics=options.intrinsics,
        cache=cache,
    )


def open_pose_estimator(
    options: InferOptions,
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> VideoPoseEstimator:
    """Load the detector and the 2D model of :func:`infer`, and name them."""
    speed, name = SPEEDS[options.speed], options.pose2d
    file = NAMED_FILES.get(name)
    if file and not file.path(name).exists():
        host = urlsplit(file.url).hostname
        say(f'{name}: {file.megabytes:g} MB from {host}, once ({file.license})')
        with bars(f'downloading {name}', 'MB') as show:
            file.fetch(name, show)
    detector, estimator = pose_source.open_pose_source(
        options.pose2d,
        options.pose2d_weights,
        options.det_model,
        options.det_weights,
        options.device,
        skeleton=options.pose2d_skeleton,
        backend=options.backend,
        keep_rates=speed.keep_rates,
    )
    hint = '' if options.pose2d else _MORE_ACCURATE
    say(f'boxes: {detector.name}, 2D keypoints: {estimator.name}{hint}')
    return VideoPoseEstimator(
        detector,
        estimator,
        options.det_every,
        options.batch_size,
        gaps=speed.gaps,
        det_factor=speed.det_factor,
    )


def lift_source(
    pipeline: VideoLifter,
    source: FrameSource | Clip2D,
    progress: Callable[[str, int, int], None],
    times: StageTimes,
) -> Clip3D | None:
    """Lift a video or 2D keypoints to camera axes; None if no person was found.

    What could not be read is logged. ``progress`` receives the stage, frames done and
    frames in total; ``times`` the times of the stages.
    """
    if isinstance(source, Clip2D):
        path = None
        if pipeline.camera == 'rotating':
            raise ValueError(
                f"{source.name}: camera='rotating' needs the video; of keypoint files "
                "only 'static' is supported"
            )
        if pipeline.camera == 'static':
            frames = [track.frames[-1] for track in source.tracks if len(track.frames)]
            path = static_path(int(max(frames)) + 1)
        with times.measure('3D'):
            lifted = pipeline.lift(source, lambda *done: progress('3D', *done), path)
        times.num_frames = len(set(lifted.frame.tolist()))
        return lifted
    lifted = pipeline(source, progress, times)
    warn_of_damage(source)
    return lifted


def warn_of_damage(source: FrameSource) -> None:
    """Log why reading a video ended early, and how many frames are damaged."""
    if source.ended:
        _LOGGER.warning('%s', source.ended)
    if source.num_damaged:
        _LOGGER.warning('%s: %d frames are damaged', source.path, source.num_damaged)
