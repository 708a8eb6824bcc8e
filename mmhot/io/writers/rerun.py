"""Recordings for Rerun (``.rrd``): 3D poses, 2D keypoints, expected errors, video."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from mmhot.io.atomic import replacing
from mmhot.io.writers.export import Export
from mmhot.skeletons.side_colors import side_rgb
from mmhot.structures.clips_3d import Clip3D

if TYPE_CHECKING:
    from rerun import ComponentColumnList, RecordingStream

WORLD, IMAGE, ERRORS = 'world', 'image', 'expected_error'
"""Entity paths of 3D poses (meters), 2D keypoints (pixels), and expected errors."""

FRAME, SECONDS = 'frame', 'seconds'
"""Timelines: frame numbers and timestamps."""

_JPEG_QUALITY = 80
_EDGE = (128, 128, 128)
_JOINT_METERS, _JOINT_PIXELS = 0.02, 3.0


def write_recording(clip: Clip3D, path: str | Path, export: Export = Export()) -> None:
    """Write a clip in any axes as a recording for the Rerun viewer, by rerun-sdk.

    Frames of the video are stored as JPEG images behind the 2D keypoints.
    """
    import rerun as rr

    with replacing(path) as temporary:
        stream = rr.RecordingStream('mmhot', send_properties=True)
        try:
            stream.save(temporary, default_blueprint=_layout(rr, clip))
            stream.send_recording_name(clip.name)
            _describe(rr, stream, clip)
            for track in np.unique(clip.track).tolist():
                _send_person(rr, stream, clip, track)
            _send_video(rr, stream, clip, export)
            stream.flush()
        finally:
            stream.disconnect()


def _layout(rr: ModuleType, clip: Clip3D) -> object:
    """Show the 2D and the 3D view side by side, expected errors below."""
    views = rr.blueprint
    layout = views.Horizontal(
        views.Spatial2DView(origin=IMAGE, name='2D keypoints'),
        views.Spatial3DView(origin=WORLD, name='3D poses'),
    )
    if clip.expected_error is not None:
        curves = views.TimeSeriesView(origin=ERRORS, name='expected error, m')
        layout = views.Vertical(layout, curves, row_shares=[3, 1])
    return views.Blueprint(layout, collapse_panels=True)


def _describe(rr: ModuleType, stream: 'RecordingStream', clip: Clip3D) -> None:
    axes = rr.ViewCoordinates.RDF if clip.axes == 'camera' else rr.ViewCoordinates.RFU
    stream.log(WORLD, axes, static=True, strict=True)
    # static extents, to which the viewer fits its views: the image and all positions
    positions = clip.places().reshape(-1, 3)
    ends = np.stack([np.nanmin(positions, 0), np.nanmax(positions, 0)])
    stream.log(f'{WORLD}/ends', rr.Points3D(ends, radii=0.0), static=True, strict=True)
    edge = np.array([0, 0, clip.width, clip.height], np.float32)
    edge = rr.Boxes2D(array=edge, array_format=rr.Box2DFormat.XYWH, colors=_EDGE)
    stream.log(f'{IMAGE}/edge', edge, static=True, strict=True)


def _send_person(
    rr: ModuleType, stream: 'RecordingStream', clip: Clip3D, track: int
) -> None:
    rows = np.flatnonzero(clip.track == track)
    poses, pixels = clip.take(rows).places(), clip.keypoints_2d[rows]
    scores = clip.scores[rows].ravel()
    frames = clip.frame[rows]
    # A person is cleared after the last frame of a run of frames.
    every = np.union1d(frames, frames + 1)
    is_present = np.isin(every, frames).astype(int)
    times = [
        rr.TimeColumn(FRAME, sequence=every),
        rr.TimeColumn(SECONDS, duration=clip.seconds(every)),
    ]

    def send(
        entity: str, static: object, columns: 'ComponentColumnList', items: int
    ) -> None:
        """Send static components, and columns of ``items`` values per frame."""
        if static is not None:
            stream.log(entity, static, static=True, strict=True)
        parts = columns.partition(items * is_present)
        rr.send_columns(entity, times, parts, recording=stream, strict=True)

    colors = [side_rgb(name) for name in clip.joint_names]
    children = [child for child, parent in enumerate(clip.parents) if parent >= 0]
    bones = np.array([(clip.parents[child], child) for child in children])
    for parent, points, radius, joints_of, lines_of in (
        (WORLD, poses, _JOINT_METERS, rr.Points3D, rr.LineStrips3D),
        # Negative radii are in screen units.
        (IMAGE, pixels, -_JOINT_PIXELS, rr.Points2D, rr.LineStrips2D),
    ):
        entity = f'{parent}/person{track}'
        joints = joints_of.from_fields(
            radii=radius, colors=colors, labels=clip.joint_names, show_labels=False
        )
        flat = points.reshape(-1, points.shape[-1])
        send(entity, joints, joints_of.columns(positions=flat), len(colors))
        send(entity, None, rr.AnyValues.columns(confidence=scores), len(colors))
        lines = lines_of.from_fields(
            radii=radius / 2, colors=[colors[child] for child in children]
        )
        ends = points[:, bones].reshape(-1, 2, points.shape[-1])
        send(f'{entity}/bones', lines, lines_of.columns(strips=ends), len(bones))
    if clip.expected_error is not None:
        curves = rr.SeriesLines.from_fields(colors=colors, names=clip.joint_names)
        values = rr.Scalars.columns(scalars=clip.expected_error[rows].ravel())
        send(f'{ERRORS}/person{track}', curves, values, len(colors))


def _send_video(
    rr: ModuleType, stream: 'RecordingStream', clip: Clip3D, export: Export
) -> None:
    import cv2  # only videos need it

    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    first, last = int(clip.frame.min()), int(clip.frame.max())
    for index, frame in enumerate(export.footage or ()):
        stream.set_time(FRAME, sequence=frame.index)
        stream.set_time(SECONDS, duration=frame.time)
        _, data = cv2.imencode('.jpg', frame.image, quality)
        image = rr.EncodedImage(contents=data.tobytes(), media_type='image/jpeg')
        stream.log(IMAGE, image, strict=True)
        export.progress(index + 1, max(last - first + 1, index + 1))
