"""Recordings for the Rerun viewer (``.rrd``): poses, keypoints and the film."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from mmhot.clips import Clip3D
from mmhot.installation.imports import import_extra
from mmhot.io.atomic import replacing
from mmhot.video.frames import FrameSource
from mmhot.visualization.drawing import side_color

WORLD, PICTURE = 'world', 'picture'
"""Where a recording has poses (meters) and keypoints (pixels), by person below."""

FRAME, SECONDS = 'frame', 'seconds'
"""Timelines: the clip's frame numbers, and when they were taken."""

_JPEG_QUALITY = 80
_EDGE = (128, 128, 128)
_JOINT_METERS, _JOINT_PIXELS = 0.02, 3.0


def import_rerun() -> ModuleType:
    """Import rerun-sdk, or say how to install it."""
    return import_extra('rerun', 'the format rrd', 'rerun')


def write_recording(
    clip: Clip3D,
    path: str | Path,
    *,
    footage: FrameSource | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a clip as a recording that the Rerun viewer plays.

    Args:
        clip (Clip3D): Lifted poses, in any axes.
        path (str | Path): The ``.rrd`` to create or replace.
        footage (FrameSource, optional): The film, put behind the 2D keypoints as
            JPEG pictures.
        progress (Callable, optional): Told pictures done and pictures in total.

    Raises:
        ValueError: If rerun-sdk is not installed.
    """
    rr = import_rerun()
    with replacing(path) as temporary:
        stream = rr.RecordingStream('mmhot', send_properties=True)
        try:
            stream.save(temporary, default_blueprint=_layout(rr))
            stream.send_recording_name(clip.name)
            _describe(rr, stream, clip)
            for track in np.unique(clip.track).tolist():
                _send_person(rr, stream, clip, track)
            if footage is not None:
                _send_film(rr, stream, footage, progress)
            stream.flush(blocking=True)
        finally:
            stream.disconnect()


def _layout(rr: ModuleType) -> object:
    """Picture and world beside each other."""
    views = rr.blueprint
    return views.Blueprint(
        views.Horizontal(
            views.Spatial2DView(origin=PICTURE, name='2D keypoints'),
            views.Spatial3DView(origin=WORLD, name='3D poses'),
        ),
        collapse_panels=True,
    )


def _describe(rr: ModuleType, stream: object, clip: Clip3D) -> None:
    """Say which axes there are, and what was assumed."""
    axes = rr.ViewCoordinates
    axes = axes.RDF if clip.axes == 'camera' else axes.RFU
    stream.log(WORLD, axes, static=True, strict=True)
    # the viewer looks at what is always there: all of the picture, and all places
    places = clip.places().reshape(-1, 3)
    ends = np.stack([np.nanmin(places, 0), np.nanmax(places, 0)])
    stream.log(f'{WORLD}/ends', rr.Points3D(ends, radii=0.0), static=True, strict=True)
    edge = np.array([0, 0, clip.width, clip.height], np.float32)
    edge = rr.Boxes2D(array=edge, array_format=rr.Box2DFormat.XYWH, colors=_EDGE)
    stream.log(f'{PICTURE}/edge', edge, static=True, strict=True)
    facts = rr.AnyValues(
        model=clip.model,
        axes=clip.axes,
        unit=clip.unit,
        fps=float(clip.fps),
        focal_length=float(clip.focal_length),
        focal_assumed=bool(clip.focal_assumed),
    )
    stream.send_property('clip', facts)


def _send_person(rr: ModuleType, stream: object, clip: Clip3D, track: int) -> None:
    """Send a person's poses, keypoints and name."""
    rows = np.flatnonzero(clip.track == track)
    poses = clip.take(rows).places()
    scores = clip.scores[rows].ravel()
    send = _Sender(rr, stream, clip, clip.frame[rows])
    colors = [side_color(name)[::-1] for name in clip.joint_names]
    bones = [
        (parent, joint) for joint, parent in enumerate(clip.parents) if parent >= 0
    ]
    of_bones = [colors[joint] for _, joint in bones]
    for room, points, radius, joints_of, lines_of in (
        (WORLD, poses, _JOINT_METERS, rr.Points3D, rr.LineStrips3D),
        # negative radii do not grow with the picture
        (
            PICTURE,
            clip.keypoints_2d[rows],
            -_JOINT_PIXELS,
            rr.Points2D,
            rr.LineStrips2D,
        ),
    ):
        entity = f'{room}/person{track}'
        joints = joints_of.from_fields(
            radii=radius, colors=colors, labels=clip.joint_names, show_labels=False
        )
        flat = points.reshape(-1, points.shape[-1])
        send(entity, joints, joints_of.columns(positions=flat), len(colors))
        send(entity, None, rr.AnyValues.columns(confidence=scores), len(colors))
        lines = lines_of.from_fields(radii=radius / 2, colors=of_bones)
        ends = points[:, bones].reshape(-1, 2, points.shape[-1])
        send(f'{entity}/bones', lines, lines_of.columns(strips=ends), len(bones))
    name = rr.Points3D.from_fields(radii=0.0, labels=str(track), show_labels=True)
    tops = rr.Points3D.columns(positions=poses[:, _top_joint(clip)])
    send(f'{WORLD}/person{track}/name', name, tops, 1)


class _Sender:
    """Sends what changes over time, and that nobody is there after a stretch's end.

    Args:
        rr (ModuleType): rerun-sdk.
        stream (rr.RecordingStream): Where to.
        clip (Clip3D): Tells when frames were taken.
        frames (np.ndarray): In which a person is there, sorted, (T,).
    """

    def __init__(
        self, rr: ModuleType, stream: object, clip: Clip3D, frames: np.ndarray
    ) -> None:
        self._rr, self._stream = rr, stream
        gone = np.setdiff1d(frames + 1, frames)
        every = np.union1d(frames, gone)
        self._there = np.isin(every, frames).astype(int)
        self._times = [
            rr.TimeColumn(FRAME, sequence=every),
            rr.TimeColumn(SECONDS, duration=clip.seconds(every)),
        ]

    def __call__(
        self, entity: str, static: object, columns: object, items: int
    ) -> None:
        """Send what never changes, and so many items for each frame."""
        if static is not None:
            self._stream.log(entity, static, static=True, strict=True)
        self._rr.send_columns(
            *(entity, self._times, columns.partition(items * self._there)),
            recording=self._stream,
            strict=True,
        )


def _top_joint(clip: Clip3D) -> int:
    return clip.joint_names.index('head') if 'head' in clip.joint_names else 0


def _send_film(
    rr: ModuleType,
    stream: object,
    footage: FrameSource,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Send the film's pictures one by one."""
    for index, (seconds, picture) in enumerate(_compressed(footage)):
        stream.set_time(FRAME, sequence=index)
        stream.set_time(SECONDS, duration=seconds)
        image = rr.EncodedImage(contents=picture, media_type='image/jpeg')
        stream.log(PICTURE, image, strict=True)
        if progress is not None:
            progress(index + 1, max(footage.num_frames or 0, index + 1))


def _compressed(footage: FrameSource) -> Iterator[tuple[float, bytes]]:
    """Times of frames, and these as JPEG files."""
    for frame in footage:
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        _, data = cv2.imencode('.jpg', frame.image, quality)
        yield frame.time, data.tobytes()
