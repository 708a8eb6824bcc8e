"""Options of further commands: export, the page."""

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from mmhot.options import DeviceOptions, Options, option, read_numbers


@dataclass(frozen=True, kw_only=True)
class OnnxOptions(Options):
    """Options of :func:`mmhot.apis.onnx_export.export_onnx`."""

    out: Path = option('folder to create', MISSING, metavar='DIR')
    keep: Any = option(
        'frames that each pruner of a lifter keeps, or keep rates of a GTPT, such as '
        '1,0.5,0.2,0.1 (default: as trained)',
        convert=read_numbers,
        expected='numbers such as 1,0.5',
        metavar='N[,N]',
    )
    opset: int = option(
        "version of ONNX's operators, for older runtimes", 23, low=18, high=23
    )
    inputs: str | None = option(
        'real inputs of the comparison: a video or images of people, or 2D keypoints '
        'for a lifter (default: the demo of the repository)',
        metavar='PATH',
    )


@dataclass(frozen=True, kw_only=True)
class PageOptions(DeviceOptions):
    """Options of ``mmhot ui``."""

    host: str = option(
        'where to listen (default: 127.0.0.1, for this machine only; 0.0.0.0: for the '
        'whole network)',
        '127.0.0.1',
        metavar='ADDRESS',
    )
    port: int | None = option(
        'port to listen at (default: the first free from 7860)', low=1, high=65535
    )
    pose2d: str | None = option('2D model, as for `mmhot infer`', metavar='MODEL')
    det_model: str | None = option('detector, as for `mmhot infer`', metavar='MODEL')
    pose3d: str | None = option('lifter, as for `mmhot infer`', metavar='MODEL')
    max_upload: int = option(
        'largest file that may be uploaded', 1000, low=1, metavar='MEGABYTES'
    )
    max_minutes: int = option('time limit of a run', 60, low=1, metavar='MINUTES')
    max_memory: int = option(
        'memory limit of a run, in gigabytes, on machines without a GPU',
        16,
        low=4,
        metavar='GIGABYTES',
    )
    open: bool = option('open it in the browser', False)
