"""``mmhot infer --live``: 3D poses of a stream while it runs."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from datetime import UTC, datetime

import mmhot
from mmhot.apis.export import results_folder, show_progress
from mmhot.cli.errors import print_line

_FORMATS = ('jsonl', 'none')
_ONLY_LIVE = {
    'lookahead': None,
    'duration': None,
    'reconnect': None,
    'live_format': None,
    'show': False,
}
_RECONNECT = 60.0


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of streams."""
    group = parser.add_argument_group(
        'streams', 'a webcam (0), rtsp://... or http://..., see docs/streaming.md'
    )
    group.add_argument(
        '--live',
        action='store_true',
        help='lift while it runs: leave frames out rather than fall behind, and '
        'append poses to OUT_DIR/NAME.jsonl; video files are played',
    )
    group.add_argument(
        '--lookahead',
        type=int,
        metavar='FRAMES',
        help='how many frames later poses are given: more accurate (default: 4)',
    )
    group.add_argument(
        '--duration', type=float, metavar='SECONDS', help='stop after (default: never)'
    )
    group.add_argument(
        '--reconnect',
        type=float,
        metavar='SECONDS',
        help='how long a lost stream is tried again (default: 60)',
    )
    group.add_argument(
        '--live-format',
        choices=_FORMATS,
        help='what is printed: the lines of the file, or none (default: jsonl)',
    )
    group.add_argument(
        '--show', action='store_true', help='show film and poses in a window'
    )


def wants_live(args: argparse.Namespace) -> bool:
    """Whether a stream is to be lifted; options that do not go together are refused."""
    if not args.live:
        for name, default in _ONLY_LIVE.items():
            if getattr(args, name) != default:
                raise ValueError(f'--{name.replace("_", "-")} goes with --live only')
        return False
    if len(args.inputs) > 1:
        raise ValueError(f'--live takes one stream, got {" ".join(args.inputs)}')
    if args.formats != ('npz',):
        raise ValueError('--formats does not go with --live, which writes .jsonl')
    if args.resume or args.runner != 'local':
        raise ValueError('--resume and --runner do not go with --live')
    if args.axes == 'world' or args.height is not None or args.static_camera:
        raise ValueError(
            '--height, --static-camera and --axes world need a whole clip: they do not '
            'go with --live'
        )
    for name in ('duration', 'reconnect'):
        value = getattr(args, name)
        if value is not None and not value >= 0:
            raise ValueError(f'--{name} must be at least 0 seconds, got {value:g}')
    return True


def run_live(args: argparse.Namespace, build: Callable) -> int:
    """Lift a stream until it ends or somebody stops it.

    Args:
        args (argparse.Namespace): Of ``mmhot infer``.
        build (Callable): Loads the models and gives a
            :class:`mmhot.video.pipeline.VideoLifter`.

    Returns:
        int: Exit code: 1 if the stream was lost for good.
    """
    from mmhot.video.streams import open_stream

    # what is printed may be read by programs
    args.say = _say_nothing if args.quiet else _say
    stream = open_stream(args.inputs[0])
    with results_folder(args.out_dir):
        stream.open()  # nobody wants to wait for models before hearing that it is not
        stream.close()
        with redirect_stdout(sys.stderr):  # models like to talk
            pipeline = build()
        with ExitStack() as opened:
            return _run(_Session(args, stream, pipeline, opened))


class _Session:
    """Everything that one run is about."""

    def __init__(self, args, stream, pipeline, opened: ExitStack) -> None:
        from mmhot.io.writers.json_lines import JsonLines
        from mmhot.video.capture import Capture, LatencyHistogram
        from mmhot.video.live import LiveLifter

        self.args = args
        self.say = args.say
        self.window = None
        if args.show:
            from mmhot.visualization.live import LiveWindow

            self.window = LiveWindow(f'mmhot: {stream.name}')
        self.live = LiveLifter(
            pipeline.pose_estimator,
            pipeline.lifter,
            args.fps or stream.fps,
            args.lookahead,
            kpt_thr=args.kpt_thr,
            smooth_2d=args.smooth_2d,
            smooth_3d=args.smooth_3d,
            mapping=args.mapping,
            fov=args.fov,
            intrinsics=args.intrinsics,
            keep_images=args.show,
        )
        self.lines = opened.enter_context(
            JsonLines(args.out_dir / f'{stream.name}.jsonl')
        )
        reconnect = _RECONNECT if args.reconnect is None else args.reconnect
        self.capture = Capture(stream, reconnect=reconnect, duration=args.duration)
        self.prints = not args.quiet and args.live_format != 'none'
        self.size: tuple[int, int] | None = None
        self.lifted = 0
        self.latencies = LatencyHistogram()

    def write(self, kind: str, **content: object) -> None:
        """Append a line to the file, and print it if wanted."""
        line = self.lines.write({'type': kind, **content})
        if self.prints:
            print_line(line)


def _run(session: _Session) -> int:
    """Go through the stream."""
    live, capture = session.live, session.capture
    session.say(
        f'{capture.stream.label}: {live.fps:g} frames/s, poses {live.lookahead} frames '
        f'({1000 * live.latency:.0f} ms) behind, and what the models take; to '
        f'{session.lines.path}, until Ctrl-C'
    )
    title = f'{capture.stream.name}: live'
    with (
        _stop_by_signals(capture.stop),
        capture,
        show_progress(title, session.args.quiet) as progress,
    ):
        for poses in live(_told(session)):
            _give(session, poses)
            progress(session.lifted, 0)
    summary = {
        'frames_seen': capture.seen,
        'frames_lifted': session.lifted,
        'frames_dropped': capture.dropped,
        'reconnects': capture.reconnects,
        'latency_ms_mean': session.latencies.mean,
        'latency_ms_95': session.latencies.quantile(0.95),
        'ended': capture.ended,
    }
    session.write('summary', **summary)
    if capture.ended:
        print_line(f'mmhot infer: {capture.ended}', sys.stderr)
    session.say(
        f'{capture.stream.name}: {capture.seen} frames seen, {session.lifted} lifted, '
        f'{capture.dropped} dropped, {capture.reconnects} reconnects, latency '
        f'{summary["latency_ms_mean"]:.0f} ms, 95 % within '
        f'{summary["latency_ms_95"]:.0f} ms'
    )
    return int(capture.ended is not None)


def _told(session: _Session) -> Iterator:
    """Pass a stream's items on, and tell what happens to it."""
    from mmhot.video.capture import Interruption

    last, stopped = None, False
    for item in session.capture:
        if isinstance(item, Interruption):
            stopped = True
            session.say(f'{session.capture.stream.label}: {item.reason}; waiting')
            since = None if last is None else round(last.time, 4)
            session.write('gap', time=since, reason=item.reason)
        else:
            if stopped and last is not None:
                seconds = item.arrived - last.arrived
                session.say(
                    f'{session.capture.stream.label}: goes on after {seconds:.1f} s'
                )
            last, stopped = item, False
            _introduce(session, item.image.shape[1::-1])
        yield item


def _introduce(session: _Session, size: tuple[int, int]) -> None:
    """Say in the file what its lines mean, before the first and where that changes."""
    if size == session.size:
        return
    session.size = size
    live = session.live
    session.write(
        'header',
        mmhot=mmhot.__version__,
        stream=session.capture.stream.label,
        started=datetime.now(UTC).isoformat(timespec='milliseconds'),
        width=size[0],
        height=size[1],
        fps=live.fps,
        lookahead_frames=live.lookahead,
        lookahead_ms=round(1000 * live.latency, 1),
        axes=session.args.axes,
        unit='m',
        **live.facts(size),
    )


def _give(session: _Session, poses) -> None:
    """Write, print and show the poses of a frame."""
    latency = time.monotonic() - poses.frame.arrived
    session.lifted += 1
    session.latencies.add(1000 * latency)
    session.write(
        'frame',
        frame_id=poses.frame.index,
        time=round(poses.frame.time, 4),
        latency_ms=round(1000 * latency, 1),
        instances=[_as_instance(each, session.args.axes) for each in poses.people],
    )
    if session.window is not None and not session.window(poses):
        session.capture.stop()


def _as_instance(person, axes: str) -> dict:
    """One person as plain values; meters to 0.1 mm, pixels to 0.01."""
    pose, root = person.keypoints_3d, person.root_3d
    if axes == 'z-up':
        pose, root = (points[..., [0, 2, 1]] * (1, 1, -1) for points in (pose, root))
    known = bool((root == root).all())
    return {
        'track_id': person.track,
        'keypoints_3d': pose.astype(float).round(4).tolist(),
        'root_3d': root.astype(float).round(4).tolist() if known else None,
        'keypoints_2d': person.keypoints_2d.astype(float).round(2).tolist(),
        'scores': person.scores.astype(float).round(3).tolist(),
        'broken': person.broken,
    }


@contextmanager
def _stop_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C, or SIGTERM, end things in good order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}

    def end(number: int, _) -> None:
        signal.signal(number, before[number])  # the next one is meant
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print_line(text, sys.stderr)


def _say_nothing(text: str) -> None:
    """Stand in for :func:`_say` with ``--quiet``."""
