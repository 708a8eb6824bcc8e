"""Types of the options of ``infer``, ``lift``, ``refine`` and ``stream``, for editors.

Written by ``python -m tools.option_tables``; ``docs/api.md`` has their meanings.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypedDict

from mmhot.structures.lens import Lens


class _Any(TypedDict, total=False):
    fps: float | None
    fov: float | None
    intrinsics: Lens | str | Path | None
    kpt_thr: float | None


class _Clips(TypedDict, total=False):
    start: float | str | None
    end: float | str | None
    people: int | str | Iterable[int] | None
    smooth_3d: Literal['none', 'spline', 'butterworth'] | None
    joints: Literal[17, 24] | None
    treadmill: float | None
    without: str | Iterable[str] | None


class _Models(TypedDict, total=False):
    device: str | None
    backend: Literal['auto', 'torch', 'onnx'] | None
    speed: Literal['default', 'fast', 'fastest'] | None
    pose3d: str | Path | None
    pose3d_weights: str | Path | None


class _Frames(TypedDict, total=False):
    rotate: int | str | None
    crop: str | Iterable[int] | None
    pose2d: str | Path | None
    pose2d_weights: str | Path | None
    pose2d_skeleton: str | None
    det_model: str | Path | None
    det_weights: str | Path | None
    det_every: int | None


class _Files(TypedDict, total=False):
    static_camera: bool | None
    single: Literal['largest'] | None
    skeleton: str | None
    image_size: str | Iterable[int] | None


class InferOptions(_Any, _Clips, _Models, _Frames, total=False):
    """Options of ``mmhot.infer``."""

    corrections: str | Path | Iterable[Mapping[str, object]] | None
    camera: Literal['auto', 'static', 'rotating', 'moving'] | None
    keep: int | str | Iterable[int] | None
    height: float | str | Iterable[float] | Mapping[int, float] | None


class LiftOptions(_Any, _Clips, _Models, _Files, total=False):
    """Options of ``mmhot.lift``."""

    corrections: str | Path | Iterable[Mapping[str, object]] | None
    keep: int | str | Iterable[int] | None
    height: float | str | Iterable[float] | Mapping[int, float] | None


class RefineOptions(_Any, _Clips, _Files, total=False):
    """Options of ``mmhot.refine``."""

    given_axes: (
        Literal['camera', 'z-up', 'y-up', 'world', 'z-up-left', 'y-up-left'] | None
    )


class StreamOptions(_Any, _Models, _Frames, total=False):
    """Options of ``mmhot.stream``."""

    lookahead: int | None
    smooth_3d: Literal['none', 'one-euro'] | None
    tilt: float | str | None
    origin: Literal['person', 'camera'] | None
    height: float | None
    duration: float | None
    reconnect: float | None
