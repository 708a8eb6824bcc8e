"""Options of further commands: export, the page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mmhot.options import DeviceOptions, Option, Options, read_numbers


@dataclass(frozen=True, kw_only=True)
class OnnxOptions(Options):
    """Options of :func:`mmhot.apis.onnx_export.export_onnx`."""

    out: Annotated[Path, 'folder to create', Option(metavar='DIR')]
    keep: Annotated[
        list[float] | None,
        'frames that each pruner of a lifter keeps, or keep rates of a GTPT, such as '
        '1,0.5,0.2,0.1 (default: as trained)',
        Option(read=read_numbers, expected='numbers such as 1,0.5', metavar='N[,N]'),
    ] = None
    opset: Annotated[
        int, "version of ONNX's operators, for older runtimes", Option(low=18, high=23)
    ] = 23
    inputs: Annotated[
        str | None,
        'real inputs of the comparison: a video or images of people, or 2D keypoints '
        'for a lifter (default: the demo of the repository)',
        Option(metavar='PATH'),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PageOptions(DeviceOptions):
    """Options of ``mmhot ui``."""

    host: Annotated[
        str,
        'where to listen (default: 127.0.0.1, for this machine only; 0.0.0.0: for the '
        'whole network)',
        Option(metavar='ADDRESS'),
    ] = '127.0.0.1'
    port: Annotated[
        int | None,
        'port to listen at (default: the first free from 7860)',
        Option(low=1, high=65535),
    ] = None
    pose2d: Annotated[
        str | None, '2D model, as for `mmhot infer`', Option(metavar='MODEL')
    ] = None
    det_model: Annotated[
        str | None, 'detector, as for `mmhot infer`', Option(metavar='MODEL')
    ] = None
    pose3d: Annotated[
        str | None, 'lifter, as for `mmhot infer`', Option(metavar='MODEL')
    ] = None
    max_upload: Annotated[
        int, 'largest file that may be uploaded', Option(low=1, metavar='MEGABYTES')
    ] = 1000
    max_minutes: Annotated[
        int, 'time limit of a run', Option(low=1, metavar='MINUTES')
    ] = 60
    max_memory: Annotated[
        int,
        'memory limit of a run, in gigabytes, on machines without a GPU',
        Option(low=4, metavar='GIGABYTES'),
    ] = 16
    open: Annotated[bool, 'open it in the browser'] = False
