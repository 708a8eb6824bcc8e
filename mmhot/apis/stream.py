"""Lifting of a stream: poses in Python, or JSON Lines of header, frames, gaps."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from itertools import takewhile
from pathlib import Path

import numpy as np

from mmhot.chain.build import build_chain
from mmhot.chain.live import LiveLifter, LivePerson, LivePoses
from mmhot.chain.options import InferOptions, InferRunOptions, LiveOptions
from mmhot.chain.progress import Bars, no_bar
from mmhot.chain.steps import STEPS
from mmhot.errors import ArgumentError, refuse_open_file
from mmhot.frames import streams
from mmhot.frames.arrays import FrameArrays
from mmhot.frames.capture import Capture, LiveFrame
from mmhot.frames.sources import Frame, FrameSource
from mmhot.io.results import results_folder
from mmhot.io.writers.json_lines import json_lines
from mmhot.motion.confidence import DropUncertain
from mmhot.motion.smoothing import SmoothPoses
from mmhot.options import takes
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.lens import camera_intrinsics, ideal_camera
from mmhot.version import __version__
from mmhot.weights.index import LIVE_LIFTER

_LOGGER = logging.getLogger(__name__)
# Options that act on streams; others are refused.
_ACTING = {
    *('device', 'backend', 'speed', 'keep', 'fov', 'intrinsics', 'fps', 'out_dir'),
    *('pose2d', 'pose2d_weights', 'pose2d_skeleton', 'pose3d', 'pose3d_weights'),
    *('det_model', 'det_weights', 'det_every', 'kpt_thr', 'smooth_3d', 'axes'),
    *('without', 'lookahead', 'duration', 'reconnect'),
}
# Steps of streams that can be left out.
_LIVE_STEPS = (DropUncertain, SmoothPoses)


@dataclass(frozen=True, kw_only=True)
class StreamOptions(InferOptions, LiveOptions):
    """Options of :func:`mmhot.stream`."""


@takes(StreamOptions)
def stream(
    source: int | str | Path | Iterable[np.ndarray], **options: object
) -> Iterator[LivePoses]:
    """Lift a stream frame by frame, a few frames behind it.

    Of webcams and addresses the newest frame is lifted, others are dropped to keep up,
    and a lost connection is tried again. All frames of files and images are lifted.

    Args:
        source (int | str | Path | Iterable): Webcam, address, video file, or images,
            BGR uint8 (H, W, 3), with ``fps``.
        **options (object): Those of :class:`StreamOptions` that act on streams.

    Returns:
        Iterator[LivePoses]: Frames, each with ``frame``, ``time`` and ``people``.

    Raises:
        ConnectionError: If a stream is lost for good.
        ValueError: If an option is wrong or needs a whole clip.

    Example::

        for poses in mmhot.stream(0):
            for person in poses.people:
                print(poses.time, person.track, person.keypoints_3d)
    """
    chosen = StreamOptions.of(**options)
    _check(chosen)
    refuse_open_file('source', source)
    if isinstance(source, int | str | Path):
        frames: FrameSource = streams.open_stream(str(source))
    else:
        frames = FrameArrays(source, chosen.fps)
    lifter = _open_lifter(chosen, chosen, chosen.fps or frames.fps, _LOGGER.info)
    return _lift_all(frames, lifter, chosen)


def _lift_all(
    frames: FrameSource, lifter: LiveLifter, options: LiveOptions
) -> Iterator[LivePoses]:
    if frames.finite:
        end = options.duration or np.inf
        early: Iterator[Frame] = takewhile(lambda frame: frame.time < end, frames)
        yield from lifter(early)
        return
    capture = Capture(frames, options.reconnect, options.duration)
    yield from lifter(capture)
    if capture.ended:
        raise ConnectionError(capture.ended)


def lift_stream(
    source: str,
    options: InferRunOptions,
    live: LiveOptions,
    say: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
    stop: threading.Event | None = None,
) -> str | None:
    """Lift a stream until it ends or is stopped.

    Poses are appended to ``OUT_DIR/NAME.jsonl``, see ``docs/streaming.md``.

    Args:
        source (str): Webcam, address of a stream, or video file.
        options (InferRunOptions): Models, lens, axes and folder.
        live (LiveOptions): Look-ahead, duration, connection.
        say (Callable): Receives lines for the user.
        bars (Bars): Opens a progress bar.
        stop (threading.Event, optional): Ends the stream when it is set.

    Returns:
        str | None: Why the stream was lost for good; None if it ended or was stopped.
    """
    _check(options)
    frames = streams.open_stream(source)
    path = options.out_dir / f'{frames.name}.jsonl'
    read: list[str | Path] = [source, *options.files]
    with results_folder(options.out_dir, [(source, [path])], read):
        lifter = _open_lifter(options, live, options.fps or frames.fps, say)
        end = f'for {live.duration:g} s' if live.duration else 'until Ctrl-C'
        say(
            f'{frames.label}: {lifter.fps:g} frames/s, poses {lifter.lookahead} frames '
            f'({1000 * lifter.latency:.0f} ms) behind, plus the time of the models; to '
            f'{path}, {end}'
        )
        capture = Capture(frames, live.reconnect, live.duration, stop)
        num_lifted = 0
        with json_lines(path) as write, bars(f'{frames.name}: live') as progress:
            items = _reported(capture, lifter, options.axes, write, say)
            for poses in lifter(items):
                assert isinstance(poses.frame, LiveFrame)  # as captured
                latency = 1000 * (time.monotonic() - poses.frame.arrived)
                line = {
                    'type': 'frame',
                    'frame_id': poses.frame.index,
                    'time': round(poses.frame.time, 4),
                    'latency_ms': round(latency, 1),
                    'instances': [_as_instance(x, options.axes) for x in poses.people],
                }
                write(line)
                num_lifted += 1
                progress(num_lifted, 0)
            seen = {'frames_seen': capture.seen, 'frames_lifted': num_lifted}
            write({'type': 'summary', **seen, 'ended': capture.ended})
    say(f'{frames.name}: {capture.seen} frames seen, {num_lifted} lifted')
    return capture.ended


def _check(options: InferOptions) -> None:
    """Refuse options that need a whole clip."""
    own = {each.name for each in fields(options)}
    options.refuse(own - _ACTING, 'needs a whole clip: it is not for live streams')
    if getattr(options, 'axes', '') == 'world':
        raise ArgumentError(
            "{axes='world'} needs a whole clip: it is not for live streams"
        )
    live = {step.name for step in _LIVE_STEPS}
    for name in options.without:
        if name not in live:
            raise ArgumentError(
                '{without=%r}: live streams do not have this step', name
            )


def _open_lifter(
    options: InferOptions, live: LiveOptions, fps: float, say: Callable[[str], None]
) -> LiveLifter:
    if options.pose3d is None and options.pose3d_weights is None:
        options = replace(options, pose3d=LIVE_LIFTER)
    said: list[str] = []
    with redirect_stdout(sys.stderr):  # some models print
        chain = build_chain(options, say=said.append, accuracy='fast')
        lifter = chain.live(fps, live.lookahead)
    for line in (f'lifter: {lifter.lifter.name}', *said):
        say(line)
    whole = [x.name for x in chain.steps if not getattr(x, 'live', False)]
    left_out = [name for name in whole if name not in STEPS]
    if left_out:
        say(f'steps of whole clips are left out: {", ".join(left_out)}')
    return lifter


def _reported(
    capture: Capture,
    lifter: LiveLifter,
    axes: str,
    write: Callable[[dict], None],
    say: Callable[[str], None],
) -> Iterator[LiveFrame | str]:
    """Pass on the items of a stream; report gaps, image sizes, dropped frames."""
    label, since, size, is_said = capture.stream.label, None, None, False
    for item in capture:
        if isinstance(item, str):
            say(f'{label}: {item}; waiting')
            write({'type': 'gap', 'time': since, 'reason': item})
        else:
            since = round(item.time, 4)
            if size != item.image.shape[1::-1]:
                size = item.image.shape[1::-1]
                write(_header(lifter, label, size, axes))
        yield item
        if capture.dropped and not is_said:
            is_said = True
            _LOGGER.warning(
                '%s: frames arrive faster than they are processed: older ones are '
                'dropped (the speed fast or another detector may help)',
                label,
            )


def _header(lifter: LiveLifter, label: str, size: tuple[int, int], axes: str) -> dict:
    """Describe the following lines, at the start and after a change of size."""
    lens = lifter.lens.of_size(*size)
    focal, _ = camera_intrinsics(ideal_camera(*size, lens))
    skeleton = get_skeleton('h36m-17')
    return {
        'type': 'header',
        'mmhot': __version__,
        'stream': label,
        'started': datetime.now(timezone.utc).isoformat(timespec='milliseconds'),
        'width': size[0],
        'height': size[1],
        'fps': lifter.fps,
        'lookahead_frames': lifter.lookahead,
        'lookahead_ms': round(1000 * lifter.latency, 1),
        'axes': axes,
        'unit': 'm',
        'model': lifter.lifter.name,
        'pose2d': lifter.pose_estimator.estimator.name,
        'detector': lifter.pose_estimator.detector.name,
        'joint_names': list(skeleton.joints),
        'parents': list(skeleton.parents),
        'focal_length': float(focal[0]),
        'focal_assumed': lens is None,
        'intrinsics': [] if lens is None else list(lens.parameters),
        'smooth_3d': lifter.smooth_3d,
        # of older versions
        'smooth_2d': 'none',
        'foot_lock': False,
    }


def _as_instance(person: LivePerson, axes: str) -> dict:
    """Convert a person to plain values; meters to 0.1 mm, pixels to 0.01."""
    pose, root = person.keypoints_3d, person.root_3d
    if axes == 'z-up':
        pose, root = (points[..., [0, 2, 1]] * (1, 1, -1) for points in (pose, root))
    is_placed = bool((root == root).all())
    return {
        'track_id': person.track,
        'keypoints_3d': pose.astype(float).round(4).tolist(),
        'root_3d': root.astype(float).round(4).tolist() if is_placed else None,
        'keypoints_2d': person.keypoints_2d.astype(float).round(2).tolist(),
        'scores': person.scores.astype(float).round(3).tolist(),
        'broken': person.broken,
    }
