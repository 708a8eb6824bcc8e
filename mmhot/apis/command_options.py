"""Options of ONNX export, costs, drawings of kept patches, and the page."""

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from mmhot.apis.option_fields import DeviceOptions, Options, option, read_numbers


def read_bbox(value: Any) -> list[float]:
    """Read a bounding box that has an area."""
    left, top, right, bottom = read_numbers(value)
    if right <= left or bottom <= top:
        raise ValueError
    return [left, top, right, bottom]


def read_shape(value: Any) -> list[int]:
    """Read the shape of an input; empty for the config's."""
    shape = read_numbers(value, int)
    if min(shape, default=1) < 1:
        raise ValueError
    return shape


@dataclass(frozen=True, kw_only=True)
class OnnxOptions(Options):
    """Options of :func:`mmhot.apis.onnx_export.export_onnx`."""

    out: Path = option(MISSING, 'folder to create', metavar='DIR')
    keep: Any = option(
        None,
        'frames that each pruner of a lifter keeps, or keep rates of a GTPT, such as '
        '1,0.5,0.2,0.1 (default: as trained)',
        convert=read_numbers,
        expected='numbers such as 1,0.5',
        metavar='N[,N]',
    )
    inputs: str | None = option(
        None,
        'real inputs of the comparison: a video or images of people, or 2D keypoints '
        'for a lifter (default: the demo of the repository)',
        metavar='PATH',
    )


@dataclass(frozen=True, kw_only=True)
class CostOptions(DeviceOptions):
    """Options of :func:`mmhot.apis.inspection.measure_cost`."""

    shape: tuple = option(
        (),
        'shape of one input, such as 3 256 192 (default: from the config)',
        convert=read_shape,
        expected='whole numbers from 1',
    )
    batch: int = option(1, 'inputs per timed batch', low=1)
    no_time: bool = option(False, 'do not measure time')


@dataclass(frozen=True, kw_only=True)
class PruningOptions(DeviceOptions):
    """Options of :func:`mmhot.apis.inspection.show_pruning`."""

    bbox: Any = option(
        None,
        'bounding box of the person in pixels (default: the whole image)',
        convert=read_bbox,
        expected='left,top,right,bottom in pixels',
        metavar='X1,Y1,X2,Y2',
    )
    keep_rates: Any = option(
        None,
        'kept share of patches in each stage, such as 1,0.7,0.3,0.1 (default: as in '
        'the config)',
        convert=read_numbers,
        expected='numbers such as 1,0.5',
        metavar='LIST',
    )


@dataclass(frozen=True, kw_only=True)
class PageOptions(DeviceOptions):
    """Options of ``mmhot ui``."""

    host: str = option(
        '127.0.0.1',
        'where to listen (default: 127.0.0.1, for this machine only; 0.0.0.0: for the '
        'whole network)',
        metavar='ADDRESS',
    )
    port: int | None = option(
        None, 'port to listen at (default: the first free from 7860)', low=1, high=65535
    )
    pose2d: str | None = option(None, '2D model, as for `mmhot infer`', metavar='MODEL')
    det_model: str | None = option(
        None, 'detector, as for `mmhot infer`', metavar='MODEL'
    )
    pose3d: str | None = option(None, 'lifter, as for `mmhot infer`', metavar='MODEL')
    max_upload: int = option(
        1000, 'largest file that may be uploaded', low=1, metavar='MEGABYTES'
    )
    open: bool = option(False, 'open it in the browser')
