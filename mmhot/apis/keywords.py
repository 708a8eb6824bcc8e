"""Types of the options of ``infer``, ``lift``, ``refine`` and ``stream``, for editors.

Written by ``python -m tools.option_tables``; ``docs/api.md`` has their meanings.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypedDict

from mmhot.structures.lens import Lens


class _InferLiftRefineStream(TypedDict, total=False):
    fps: float | None
    fov: float | None
    intrinsics: Lens | str | Path | None
    kpt_thr: float | None


class _InferLiftRefine(TypedDict, total=False):
    start: float | str | None
    end: float | str | None
    people: int | str | Iterable[int]
    smooth_3d: Literal['none', 'spline', 'butterworth', 'savgol', 'one-euro']
    treadmill: float | None
    without: str | Iterable[str]


class _InferLiftStream(TypedDict, total=False):
    device: str
    backend: Literal['auto', 'torch', 'onnx']
    speed: Literal['default', 'fast', 'fastest']
    pose3d: str | Path | None
    pose3d_weights: str | Path | None


class _InferStream(TypedDict, total=False):
    pose2d: str | Path | None
    pose2d_weights: str | Path | None
    pose2d_skeleton: str | None
    det_model: str | Path | None
    det_weights: str | Path | None
    det_every: int | None


class _InferLift(TypedDict, total=False):
    keep: int | str | Iterable[int] | None
    joints: Literal[17, 24]


class _LiftRefine(TypedDict, total=False):
    static_camera: bool
    single: Literal['largest'] | None
    skeleton: str | None
    image_size: str | Iterable[int] | None


class InferOptions(
    _InferLiftRefineStream,
    _InferLiftRefine,
    _InferLiftStream,
    _InferStream,
    _InferLift,
    total=False,
):
    """Options of ``mmhot.infer``."""

    camera: Literal['auto', 'static', 'rotating', 'moving']


class LiftOptions(
    _InferLiftRefineStream,
    _InferLiftRefine,
    _InferLiftStream,
    _InferLift,
    _LiftRefine,
    total=False,
):
    """Options of ``mmhot.lift``."""


class RefineOptions(_InferLiftRefineStream, _InferLiftRefine, _LiftRefine, total=False):
    """Options of ``mmhot.refine``."""

    joints: Literal[17, 24] | None
    given_axes: (
        Literal['camera', 'z-up', 'y-up', 'world', 'z-up-left', 'y-up-left'] | None
    )


class StreamOptions(
    _InferLiftRefineStream,
    _InferLiftStream,
    _InferStream,
    total=False,
):
    """Options of ``mmhot.stream``."""

    lookahead: int | None
    smooth_3d: Literal['none', 'one-euro']
    tilt: float | str
    origin: Literal['person', 'camera']
    height: float | None
    duration: float | None
    reconnect: float
