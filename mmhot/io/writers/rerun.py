"""Recordings for Rerun (``.rrd``): 3D poses, 2D keypoints, expected errors, video."""

import os
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from mmhot.io.atomic import replacing
from mmhot.io.writers.export import Export
from mmhot.skeletons.side_colors import side_rgb
from mmhot.structures.clips_3d import Clip3D

if TYPE_CHECKING:
    from rerun import ComponentColumnList, RecordingStream, TimeColumn

# Paths of entities
WORLD = 'world'  # 3D poses, meters
IMAGE = 'image'  # 2D keypoints, pixels
ERRORS = 'expected_error'
# Names of timelines
FRAME = 'frame'  # frame numbers
SECONDS = 'seconds'  # timestamps

# Frames per second of the stored video; the timelines have its true times.
_VIDEO_RATE = 30
# Rerun's viewer decodes AV1 without another program. A key frame each second lets it
# jump in the video; a larger preset encodes it faster, a larger crf makes it smaller.
_ENCODER = {'preset': '10', 'crf': '35', 'g': '30', 'svtav1-params': 'lp=1'}
_EDGE = (128, 128, 128)
_JOINT_METERS = 0.02
_JOINT_PIXELS = 3.0


def write_recording(clip: Clip3D, path: str | Path, export: Export = Export()) -> None:
    """Write a clip as a recording for the Rerun viewer, by rerun-sdk.

    The video is stored as AV1 behind the 2D keypoints.

    Args:
        clip (Clip3D): The clip, in any axes.
        path (str | Path): The file.
        export (Export): Video.
    """
    import rerun as rr

    with replacing(path) as temporary:
        stream = rr.RecordingStream('mmhot', send_properties=True)
        try:
            stream.save(temporary, default_blueprint=_layout(rr, clip))
            stream.send_recording_name(clip.name)
            _describe(rr, stream, clip)
            for track in clip.track_ids:
                _send_person(rr, stream, clip, track)
            _send_video(rr, stream, clip, export)
            stream.flush()
        finally:
            stream.disconnect()


def _layout(rr: ModuleType, clip: Clip3D) -> object:
    """Lay out the 2D and the 3D view side by side, and expected errors below them."""
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
    # The viewer fits its views to static extents: the image and all positions.
    positions = clip.places().reshape(-1, 3)
    ends = np.stack([np.nanmin(positions, 0), np.nanmax(positions, 0)])
    stream.log(f'{WORLD}/ends', rr.Points3D(ends, radii=0.0), static=True, strict=True)
    edge = np.array([0, 0, clip.width, clip.height], np.float32)
    edge = rr.Boxes2D(array=edge, array_format=rr.Box2DFormat.XYWH, colors=_EDGE)
    stream.log(f'{IMAGE}/edge', edge, static=True, strict=True)


def _send_person(
    rr: ModuleType, stream: 'RecordingStream', clip: Clip3D, track: int
) -> None:
    """Send the joints and bones of a person in 3D and 2D, and the expected errors."""
    rows = np.flatnonzero(clip.track == track)
    scores = clip.scores[rows].ravel()
    frames = clip.frame[rows]
    # After a run of frames, one frame without values clears the person.
    every = np.union1d(frames, frames + 1)
    is_present = np.isin(every, frames).astype(int)
    times = _timelines(rr, every, clip.seconds(every))

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
        (WORLD, clip.places()[rows], _JOINT_METERS, rr.Points3D, rr.LineStrips3D),
        # Negative radii are in screen units.
        (IMAGE, clip.keypoints_2d[rows], -_JOINT_PIXELS, rr.Points2D, rr.LineStrips2D),
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


def _timelines(
    rr: ModuleType, frames: np.ndarray, seconds: np.ndarray
) -> 'list[TimeColumn]':
    """Return the timelines of frames: their numbers (F,) and seconds (F,)."""
    return [
        rr.TimeColumn(FRAME, sequence=frames),
        rr.TimeColumn(SECONDS, duration=seconds),
    ]


def _send_video(
    rr: ModuleType, stream: 'RecordingStream', clip: Clip3D, export: Export
) -> None:
    """Send the video as a file in AV1, with the time of each of its frames."""
    import av  # The command's help imports this module, but not PyAV.
    from av.video.reformatter import Colorspace

    # The encoder would write its settings to stderr.
    os.environ.setdefault('SVT_LOG', '1')
    count = int(clip.frame.max() - clip.frame.min()) + 1
    times: list[tuple[int, float]] = []
    file = BytesIO()
    with av.open(file, 'w', format='mp4') as container:
        for frame in export.footage or ():
            if not times:
                video = container.add_stream('libsvtav1', _VIDEO_RATE, dict(_ENCODER))
                video.height, video.width = frame.image.shape[:2]
                video.pix_fmt = 'yuv420p'
                video.codec_context.colorspace = Colorspace.SMPTE170M
            times.append((frame.index, frame.time))
            image = av.VideoFrame.from_ndarray(frame.image, format='bgr24')
            container.mux(video.encode(image))
            export.progress(len(times), max(count, len(times)))
        if not times:
            return
        container.mux(video.encode())
    asset = rr.AssetVideo(contents=file.getvalue(), media_type='video/mp4')
    stream.log(IMAGE, asset, static=True, strict=True)
    shown = rr.VideoFrameReference.columns_nanos(asset.read_frame_timestamps_nanos())
    frames, seconds = map(np.array, zip(*times, strict=True))
    timelines = _timelines(rr, frames, seconds)
    rr.send_columns(IMAGE, timelines, shown, recording=stream, strict=True)
