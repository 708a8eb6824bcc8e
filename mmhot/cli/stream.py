"""Lift a webcam, an address or a video in real time, and append the poses to a file.

Example:
  mmhot stream 0 --out-dir live

Poses are written to OUT_DIR/NAME.jsonl, one line for each frame (docs/streaming.md).
Frames are dropped to keep up; video files are played.
"""

import argparse
import signal
import threading
from types import FrameType

from mmhot.cli.errors import OneLineParser
from mmhot.cli.options import add_options
from mmhot.cli.signals import handling


def add_arguments(parser: OneLineParser) -> None:
    """Declare the options."""
    parser.usage = '%(prog)s SOURCE [OPTION ...]'
    parser.add_argument(
        'source', metavar='SOURCE', help='a webcam (0), rtsp://..., http://..., a video'
    )
    from mmhot.chain.calls import STREAM_COMMAND

    add_options(parser, *STREAM_COMMAND.kinds)


def run(args: argparse.Namespace) -> int:
    """Lift a stream; the exit code is 1 if it was lost for good."""
    from mmhot.apis.stream import lift_stream

    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        # Another Ctrl-C ends the program at once.
        signal.signal(number, signal.default_int_handler)
        stop.set()

    with handling(end, 'SIGINT', 'SIGTERM'):
        lost = lift_stream(args.source, args.values, args.report, stop)
    if lost:
        args.complain(lost)
    return int(lost is not None)
