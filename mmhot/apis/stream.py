"""Lifting of a stream: poses in Python, or a file of JSON Lines."""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from io import RawIOBase
from itertools import takewhile
from pathlib import Path
from typing import Unpack

import numpy as np

from mmhot.apis.keywords import StreamOptions
from mmhot.chain.calls import STREAM
from mmhot.chain.frames import streams
from mmhot.chain.frames.capture import Capture
from mmhot.chain.frames.sources import Frame, FrameArrays, FrameSource
from mmhot.chain.keypoints.lens import SetLens
from mmhot.chain.live import LiveChain, LivePoses
from mmhot.chain.live_people import LivePerson, PeoplePlacer, PlaceOptions
from mmhot.chain.options import ConnectionOptions, RateOption, StreamOutputOptions
from mmhot.chain.plan import LivePlan
from mmhot.chain.pose2d.options import RuntimeOptions
from mmhot.chain.poses.smoothing import SmoothStream
from mmhot.errors import ArgumentError, choose, refuse_lists_of_paths
from mmhot.io.arrays import to_json
from mmhot.io.results import results_folder
from mmhot.options import Values
from mmhot.progress import Line, Report
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.conventions import describe_frames
from mmhot.structures.lens import camera_intrinsics, ideal_camera
from mmhot.version import __version__

_LOGGER = logging.getLogger(__name__)


def stream(
    source: int | str | Path | Iterable[np.ndarray], **options: Unpack[StreamOptions]
) -> Iterator[LivePoses]:
    """Lift a stream frame by frame, a few frames behind it.

    From webcams and addresses, always the newest frame is lifted; frames that arrive
    meanwhile are dropped, and a lost connection is opened again. From files and
    images, all frames are lifted.

    Args:
        source (int | str | Path | Iterable): Number of a webcam, address, video file,
            or images, BGR uint8 (H, W, 3), with ``fps``.
        **options: Options of ``mmhot stream --help`` with underscores, such as
            ``lookahead`` (frames), ``tilt`` (degrees), ``height`` (meters) and
            ``duration`` (seconds); ``docs/api.md`` has all.

    Returns:
        Iterator[LivePoses]: Frames, each with ``time`` in seconds and ``people``, see
        :class:`mmhot.chain.live_people.LivePerson`.

    Raises:
        ConnectionError: If a stream is lost for good.
        ValueError: If an option is wrong or needs a whole clip.
        TypeError: If an option does not exist; names the nearest one.

    Example::

        for poses in mmhot.stream(0):
            for person in poses.people:
                print(poses.time, person.track, person.keypoints_3d)
    """
    values = Values(options, STREAM.kinds)
    refuse_lists_of_paths('source', source)
    frames: FrameSource
    if isinstance(source, int | str | Path):
        frames = streams.open_stream(str(source))
    else:
        frames = FrameArrays(source, values.of(RateOption).fps)
    chain = _open_chain(values, frames, Report(say=_LOGGER.info))
    return _lift_all(frames, chain, values.of(ConnectionOptions))


def _lift_all(
    frames: FrameSource, chain: LiveChain, options: ConnectionOptions
) -> Iterator[LivePoses]:
    """Yield the poses of all frames, until the stream ends or its time is over."""
    if frames.finite:
        end = options.duration or np.inf
        early: Iterator[Frame] = takewhile(lambda frame: frame.time < end, frames)
        yield from chain(early)
        return
    capture = Capture(frames, options.reconnect, options.duration)
    yield from chain(capture)
    if capture.ended:
        raise ConnectionError(capture.ended)


def lift_stream(
    source: str,
    values: Values,
    report: Report = Report(),
    stop: threading.Event | None = None,
) -> str | None:
    """Lift a stream until it ends or is stopped, as ``mmhot stream``.

    Poses are appended to ``OUT_DIR/NAME.jsonl``, see ``docs/streaming.md``.

    Args:
        source (str): Webcam, address or video file.
        values (Values): Options.
        report (Report): Receives lines and progress.
        stop (threading.Event, optional): Stops the stream when it is set.

    Returns:
        str | None: Why the stream was lost for good; None if it ended or was stopped.

    Raises:
        ValueError: If an option needs world axes and others are chosen, or the source
            or its file cannot be opened.
    """
    output = values.of(StreamOutputOptions)
    connection = values.of(ConnectionOptions)
    if output.axes != 'world':
        reason = ArgumentError("needs {axes='world'}")
        values.of(PlaceOptions).refuse(('tilt', 'origin'), reason)
    frames = streams.open_stream(source)
    path = output.out_dir / f'{frames.name}.jsonl'
    read: list[str | Path] = [source, *values.files]
    with results_folder(output.out_dir, [(source, [path])], read):
        chain = _open_chain(values, frames, report)
        lifter = chain.lifter
        duration = connection.duration
        end = 'until it ends' if frames.finite else 'until Ctrl-C'
        report.say(
            f'{frames.label}: {chain.fps:g} frames/s, poses '
            f'{describe_frames(lifter.lookahead)} ({1000 * lifter.latency:.0f} ms) '
            'behind, plus the time of the models; to '
            f'{path}, {f"for {duration:g} s" if duration else end}'
        )
        capture = Capture(frames, connection.reconnect, duration, stop)
        bars = report.bars(f'{frames.name}: live')
        remedy = "{speed='fastest'} or another detector"
        if values.of(RuntimeOptions).speed == 'fastest':
            remedy = 'another detector'
        with path.open('ab', buffering=0) as file, bars as progress:
            log = StreamLog(file, chain, values)
            for poses in chain(_logged(capture, log, report.say, remedy)):
                log.write_frame(poses)
                progress(log.num_lifted, 0)
            log.write_summary(capture)
    report.say(f'{frames.name}: {capture.seen} frames seen, {log.num_lifted} lifted')
    return capture.ended


def _logged(
    capture: Capture, log: 'StreamLog', say: Callable[[str], None], remedy: str
) -> Iterator[Frame | str]:
    """Pass on the frames of a stream; log its gaps, and warn of dropped frames."""
    label = capture.stream.label
    is_said = False
    for item in capture:
        if isinstance(item, str):
            say(f'{label}: {item}; waiting')
            yield item  # the frames that wait for later ones are written
            log.write_gap(item)
        else:
            log.see(item)
            yield item
        if capture.dropped and not is_said:
            is_said = True
            _LOGGER.warning(
                ArgumentError(
                    '%s: frames arrive faster than they are processed, so that older '
                    f'ones are dropped ({remedy} may help)',
                    label,
                )
            )


class StreamLog:
    """File of a stream: a header for each image size, frames, gaps, and a summary.

    Each is a line of JSON, see ``docs/streaming.md``.

    Args:
        file (RawIOBase): The file, open for appending.
        chain (LiveChain): The models, which the header describes.
        values (Values): Options.

    Attributes:
        num_lifted (int): Number of frames that were written.
    """

    def __init__(self, file: RawIOBase, chain: LiveChain, values: Values) -> None:
        self.num_lifted = 0
        self._file = file
        self._chain = chain
        self._values = values
        self._axes = values.of(StreamOutputOptions).axes
        self._size = (0, 0)  # width and height of the last header, pixels
        self._started = ''  # when the first frame came, ISO 8601
        self._time: float | None = None  # time of the last frame, seconds

    def see(self, frame: Frame) -> None:
        """Note the time of a frame, for headers and gaps."""
        if not self._started:
            self._started = datetime.now(UTC).isoformat(timespec='milliseconds')
        self._time = round(frame.time, 4)

    def write_gap(self, reason: str) -> None:
        """Append an interruption after the last frame."""
        self._write('gap', time=self._time, reason=reason)

    def write_frame(self, poses: LivePoses) -> None:
        """Append the poses of a frame, after a header if its image size is new."""
        height, width = poses.frame.image.shape[:2]
        if self._size != (width, height):
            self._size = (width, height)
            header = _header(self._chain, self._values, self._axes, self._size)
            self._write('header', **header, started=self._started)
        self.num_lifted += 1
        self._write(
            'frame',
            frame_id=poses.frame.index,
            time=round(poses.frame.time, 4),
            latency_ms=round(1000 * poses.latency, 1),
            tilt=poses.tilt and round(poses.tilt, 1),
            instances=[_as_instance(person, self._axes) for person in poses.people],
        )

    def write_summary(self, capture: Capture) -> None:
        """Append the numbers of frames, and why the stream ended."""
        self._write(
            'summary',
            frames_seen=capture.seen,
            frames_lifted=self.num_lifted,
            ended=capture.ended,
        )

    def _write(self, kind: str, **content: object) -> None:
        """Append plain values as a line."""
        line = f'{to_json({"type": kind, **content})}\n'
        self._file.write(line.encode('utf-8', 'backslashreplace'))


def _open_chain(values: Values, frames: FrameSource, report: Report) -> LiveChain:
    """Open the models of a stream."""
    # Only files state their rate; cameras may report a wrong one.
    stated = frames.fps if frames.finite and not frames.in_memory else None
    fps = choose(frames.label, 'fps', stated, values.of(RateOption).fps) or frames.fps
    said: list[Line] = []  # lines that wait until stdout is restored
    with redirect_stdout(sys.stderr):  # some models print
        plan = LivePlan(values, replace(report, say=said.append))
        placer = PeoplePlacer(values.of(PlaceOptions), report.say)
        chain = LiveChain(plan, frames, fps, placer)
    for line in (f'lifter: {chain.lifter.lifter.name}', *said):
        report.say(line)
    if plan.left_out:
        _LOGGER.warning(
            'steps that need the whole clip (live is not True) are left out: %s',
            ', '.join(plan.left_out),
        )
    return chain


def _header(
    chain: LiveChain, values: Values, axes: str, size: tuple[int, int]
) -> dict[str, object]:
    """Describe a stream with images of a size (width, height), for its header."""
    skeleton = get_skeleton('h36m-17')
    models = chain.plan.models
    place = chain.placer.options
    lens = values.of(SetLens).lens_of(*size)
    focal, _ = camera_intrinsics(ideal_camera(*size, lens))
    return {
        'mmhot': __version__,
        'stream': chain.frames.label,
        'fps': chain.fps,
        'lookahead_frames': chain.lifter.lookahead,
        'lookahead_ms': round(1000 * chain.lifter.latency, 1),
        'unit': 'm',
        'model': chain.lifter.lifter.name,
        'pose2d': models.estimator.name,
        'detector': models.detector.name,
        'joint_names': list(skeleton.joints),
        'parents': list(skeleton.parents),
        'smooth_3d': values.of(SmoothStream).smooth_3d,
        'axes': axes,
        'tilt': place.tilt,
        'origin': place.origin,
        'body_height': place.height,
        'width': size[0],
        'height': size[1],
        'focal_length': float(focal[0]),
        'focal_assumed': lens is None,
        'intrinsics': [] if lens is None else list(lens.parameters),
    }


def _as_instance(person: LivePerson, axes: str) -> dict:
    """Convert a person to plain values, rounded to 0.1 mm and 0.01 pixels."""
    pose = person.keypoints_3d
    root = person.root_3d
    is_placed = bool(np.isfinite(root).all())
    if axes == 'z-up':
        pose = pose[:, [0, 2, 1]] * (1, 1, -1)
        root = root[[0, 2, 1]] * (1, 1, -1)
    elif axes == 'world':
        root = person.places[0]
        pose = person.places - root
    return {
        'track_id': person.track,
        'keypoints_3d': pose.astype(float).round(4).tolist(),
        'root_3d': root.astype(float).round(4).tolist() if is_placed else None,
        'keypoints_2d': person.keypoints_2d.astype(float).round(2).tolist(),
        'scores': person.scores.astype(float).round(3).tolist(),
        'broken': person.broken,
    }
