"""Lifting of a live stream to a JSON Lines file: header, frames, gaps, summary."""

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime, timezone

import numpy as np

import mmhot
from mmhot.apis.lifting import open_pose_estimator, open_video_lifter
from mmhot.apis.options import InferRunOptions, LiveOptions
from mmhot.apis.progress import Bars, Show, no_bar
from mmhot.io.results import check_targets, results_folder
from mmhot.io.writers.json_lines import JsonLines
from mmhot.video import streams
from mmhot.video.capture import Capture, Interruption
from mmhot.video.frames import Frame, FrameSource
from mmhot.video.live import LiveLifter, LivePerson, LivePoses
from mmhot.video.pipeline import VideoLifter

# Latencies of the last frames that the summary describes: an hour at 25 per second.
_MOST_LATENCIES = 90_000


def lift_stream(
    source: str,
    options: InferRunOptions,
    live: LiveOptions,
    say: Callable[[str], None] = lambda line: None,
    print_document: Callable[[str], None] = lambda line: None,
    bars: Bars = no_bar,
) -> str | None:
    """Lift a stream until it ends or is stopped.

    Poses are appended to ``OUT_DIR/NAME.jsonl``, see ``docs/streaming.md``.

    Args:
        source (str): Webcam, address of a stream, or video file.
        options (InferRunOptions): Models, lens, axes and folder.
        live (LiveOptions): Look-ahead, duration, connection, window.
        say (Callable): Receives lines for the user.
        print_document (Callable): Receives each line of the file.
        bars (Bars): Opens a progress bar.

    Returns:
        str | None: Why the stream was lost for good; None if it ended or was stopped.

    Raises:
        ValueError: If the stream cannot be opened or an option is wrong.
    """
    check_live(options)
    stream = streams.open_stream(source)
    path = options.out_dir / f'{stream.name}.jsonl'
    with results_folder(options.out_dir):
        check_targets([(source, [path])], [source, *options.files])
        if not stream.finite:
            stream.open()  # fails before the models are loaded
            stream.close()
        with redirect_stdout(sys.stderr):  # some models print
            pipeline = open_video_lifter(options, accuracy='fast')
            say(f'lifter: {pipeline.lifter.name}')
            pipeline.pose_estimator = models = open_pose_estimator(options)
            say(f'boxes: {models.detector.name}, 2D keypoints: {models.estimator.name}')
        session = _StreamRun(options, live, stream, pipeline, say, print_document)
        with (
            JsonLines(path) as lines,
            bars(f'{stream.name}: live') as progress,
            _stopped_by_signals(session.stop),
        ):
            return session.run(lines, progress)


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call a function on the first Ctrl-C or SIGTERM; later ones act as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}

    def end(number: int, _) -> None:
        signal.signal(number, before[number])
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_live(options: InferRunOptions) -> None:
    """Refuse options that need a whole clip.

    Raises:
        ValueError: If one is set.
    """
    if options.resume:
        raise ValueError('resume cannot be combined with live streams')
    if options.joints != 17:
        raise ValueError(f'live streams have 17 joints, got joints={options.joints}')
    is_rotating = options.camera == 'rotating'
    if options.axes == 'world' or options.height is not None or is_rotating:
        raise ValueError(
            'height and cameras that turn need a whole clip, as does '
            "axes='world': they do not go with live streams"
        )


class _StreamRun:
    """State of one stream that is lifted."""

    def __init__(
        self,
        options: InferRunOptions,
        live: LiveOptions,
        stream: FrameSource,
        pipeline: VideoLifter,
        say: Callable[[str], None],
        print_document: Callable[[str], None],
    ) -> None:
        self._say, self._print = say, print_document
        self._window = None
        if live.show:
            from mmhot.visualization.live import LiveWindow

            self._window = LiveWindow(f'mmhot: {stream.name}')
        self._lifter = LiveLifter(
            pipeline.pose_estimator,
            pipeline.lifter,
            options.fps or stream.fps,
            live.lookahead,
            kpt_thr=options.kpt_thr,
            smooth_3d=options.smooth_3d,
            fov=options.fov,
            intrinsics=options.intrinsics,
            foot_lock=options.camera == 'static' and 'feet' not in options.without,
            keep_images=live.show,
        )
        self._axes, self._stream = options.axes, stream
        self._lines: JsonLines | None = None
        self._capture = Capture(
            stream, reconnect=live.reconnect, duration=live.duration
        )
        self._size: tuple[int, int] | None = None
        self._num_lifted = 0
        self._latencies = deque[float](maxlen=_MOST_LATENCIES)

    def stop(self) -> None:
        """End the stream after the current frame."""
        self._capture.stop()

    def run(self, lines: JsonLines, progress: Show) -> str | None:
        """Lift the stream to a file; returns why it was lost for good."""
        self._lines = lines
        live, capture, label = self._lifter, self._capture, self._stream.label
        self._say(
            f'{label}: {live.fps:g} frames/s, poses {live.lookahead} frames '
            f'({1000 * live.latency:.0f} ms) behind, plus the time of the models; to '
            f'{self._lines.path}, until Ctrl-C'
        )
        with capture:
            for poses in live(self._reported_frames()):
                self._write_poses(poses)
                progress(self._num_lifted, 0)
        latencies = np.array(self._latencies or [0.0])
        summary = {
            'frames_seen': capture.seen,
            'frames_lifted': self._num_lifted,
            'frames_dropped': capture.dropped,
            'reconnects': capture.reconnects,
            'latency_ms_mean': round(latencies.mean(), 1),
            'latency_ms_95': round(np.quantile(latencies, 0.95)),
            'ended': capture.ended,
        }
        self._write('summary', **summary)
        self._say(
            f'{self._stream.name}: {capture.seen} frames seen, {self._num_lifted} '
            f'lifted, {capture.dropped} dropped, {capture.reconnects} reconnects, '
            f'latency {latencies.mean():.0f} ms, 95 % within '
            f'{summary["latency_ms_95"]} ms'
        )
        return capture.ended

    def _write(self, kind: str, **content: object) -> None:
        """Append a line to the file and print it."""
        self._print(self._lines.write({'type': kind, **content}))

    def _reported_frames(self) -> Iterator[Frame | Interruption]:
        """Pass on the items of the stream; report gaps and new image sizes."""
        label = self._stream.label
        last, is_interrupted, said = None, False, False
        for item in self._capture:
            if isinstance(item, Interruption):
                is_interrupted = True
                self._say(f'{label}: {item.reason}; waiting')
                since = None if last is None else round(last.time, 4)
                self._write('gap', time=since, reason=item.reason)
            else:
                if is_interrupted and last is not None:
                    seconds = item.arrived - last.arrived
                    self._say(f'{label}: continues after {seconds:.1f} s')
                last, is_interrupted = item, False
                self._write_header(item.image.shape[1::-1])
            yield item
            if self._capture.dropped and not said:
                said = True
                self._say(
                    f'{label}: frames arrive faster than they are processed: older '
                    "ones are dropped (speed='fast' or another detector may help)"
                )

    def _write_header(self, size: tuple[int, int]) -> None:
        """Describe the following lines, at the start and after a change of size."""
        if size == self._size:
            return
        self._size, live = size, self._lifter
        self._write(
            'header',
            mmhot=mmhot.__version__,
            stream=self._stream.label,
            started=datetime.now(timezone.utc).isoformat(timespec='milliseconds'),
            width=size[0],
            height=size[1],
            fps=live.fps,
            lookahead_frames=live.lookahead,
            lookahead_ms=round(1000 * live.latency, 1),
            axes=self._axes,
            unit='m',
            **live.facts(size),
        )

    def _write_poses(self, poses: LivePoses) -> None:
        """Write, print and show the poses of a frame."""
        latency = time.monotonic() - poses.frame.arrived
        self._num_lifted += 1
        self._latencies.append(1000 * latency)
        self._write(
            'frame',
            frame_id=poses.frame.index,
            time=round(poses.frame.time, 4),
            latency_ms=round(1000 * latency, 1),
            instances=[_as_instance(person, self._axes) for person in poses.people],
        )
        if self._window is not None and not self._window(poses):
            self.stop()


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
