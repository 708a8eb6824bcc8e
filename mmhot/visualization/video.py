"""Videos of lifted clips: 2D keypoints beside 3D poses, encoded as H.264."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from mmhot.frames.capture import prefetch
from mmhot.io.atomic import replacing
from mmhot.io.writers.export import DrawOption, Export
from mmhot.structures.clips_3d import Clip3D
from mmhot.visualization import drawing
from mmhot.visualization.clip_renderer import ClipRenderer

_MAX_ASPECT = 2.0  # width over height of the 2D view
# Time base, of which the frame durations of all common rates are multiples.
_TICK = Fraction(1, 90_000)
# Fast settings for flat colors: half the time, 1.3 times the size.
_ENCODER = {
    'preset': 'veryfast',
    'crf': '20',
    'x264-params': 'ref=1:bframes=0:me=dia:subme=1:trellis=0:weightp=0',
}


def render_video(
    clip: Clip3D, path: str | Path, export: Export = Export(), height: int = 640
) -> int:
    """Write an H.264 video: 2D keypoints on the left, 3D poses on the right.

    Without footage the video contains the frames with poses, at their times, and an
    empty one where people leave. With footage it contains all frames of the footage.
    ``height`` is in pixels, and even. The number of frames is returned.
    """
    angles = clip.angles() if export.of(DrawOption).draw == 'angles' else {}
    renderer = ClipRenderer(clip, angles)
    inputs: Iterable[tuple[int, float, np.ndarray | None]]
    if export.footage is None:
        shown = np.union1d(renderer.frames, renderer.frames[:-1] + 1)
        inputs = zip(shown.tolist(), clip.seconds(shown).tolist(), repeat(None))
        total = len(shown)
    else:
        ahead = prefetch(export.footage)
        inputs = ((frame.index, frame.time, frame.image) for frame in ahead)
        total = export.footage.num_frames or 0
    frames = prefetch(_draw_frames(renderer, inputs, height))
    return write_video(path, frames, clip.fps, total, export.progress)


def write_video(
    path: str | Path,
    frames: Iterable[tuple[np.ndarray, float]],
    fps: float,
    total: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write images (H, W, 3) and their times as H.264; return the number of frames."""
    options = {'movflags': 'faststart'}
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), 'w', format='mp4', options=options) as file:
                return _encode(file, frames, fps, total, progress)
        except av.FFmpegError as error:
            # usually a full disk
            raise OSError(error.errno, error.strerror) from error


def _encode(
    container: Any,
    frames: Iterable[tuple[np.ndarray, float]],
    fps: float,
    total: int,
    progress: Callable[[int, int], None] | None,
) -> int:
    """Encode frames (H, W, 3) with increasing timestamps; return their number."""
    count = 0
    last = -1
    for count, (image, seconds) in enumerate(frames, 1):
        if count == 1:
            first = seconds  # not 0 in a part of a video
            height, width = image.shape[:2]
            stream = _add_stream(container, height, width, fps)
        # OpenCV converts several times faster than PyAV would.
        planes: np.ndarray = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format='yuv420p')
        # Timestamps that repeat or decrease become increasing.
        last = max(round((seconds - first) / _TICK), last + 1)
        frame.pts = last
        frame.time_base = _TICK
        container.mux(stream.encode(frame))
        if progress is not None:
            progress(count, max(total, count))
    if count:
        container.mux(stream.encode())
    return count


def _add_stream(container: Any, height: int, width: int, fps: float) -> Any:
    rate = Fraction(float(fps)).limit_denominator(1001)
    stream = container.add_stream('libx264', rate=rate)
    stream.height, stream.width = height, width
    stream.pix_fmt = 'yuv420p'
    stream.time_base = stream.codec_context.time_base = _TICK
    stream.options = dict(_ENCODER)
    # OpenCV's conversion; players would guess from the size.
    stream.codec_context.colorspace = Colorspace.SMPTE170M
    stream.codec_context.color_range = ColorRange.MPEG
    return stream


def _draw_frames(
    renderer: ClipRenderer,
    inputs: Iterable[tuple[int, float, np.ndarray | None]],
    height: int,
) -> Iterator[tuple[np.ndarray, float]]:
    """Draw frames by number, time and image (H, W, 3) of the video, and keep times."""
    clip = renderer.clip
    scale = min(height / clip.height, _MAX_ASPECT * height / clip.width)
    left = 2 * max(1, round(scale * clip.width / 2))
    top = min(round((height - scale * clip.height) / 2), height // 2 - 1)
    bottom = height - top
    backdrop = np.full((height, left + height, 3), drawing.BACKGROUND, np.uint8)
    backdrop[top:bottom, :left] = drawing.PANEL
    font = max(9, round(height / 40))
    margin = 1.2 * font
    notes = f'grid {renderer.cell:g} m'
    if (clip.keypoint_scores_3d <= 0).any():
        notes = f'dim: not detected   {notes}'
    right, low = backdrop.shape[1] - margin, height - margin
    for frame, timestamp, background in inputs:
        image = backdrop.copy()
        view_2d = image[top:bottom, :left]
        if background is not None:
            drawing.darken(drawing.shrink(background, view_2d.shape[1::-1]), view_2d)
        renderer.draw_2d(view_2d, frame, scale)
        renderer.follow(frame)
        renderer.draw_3d(image[:, left:], frame)
        drawing.draw_text(image, '2D keypoints', (margin, margin), font)
        drawing.draw_text(image, '3D pose', (left + margin, margin), font)
        drawing.draw_legend(image, (right, margin), font)
        drawing.draw_text(image, notes, (right, low), font, anchor='right')
        drawing.draw_text(
            image, f'frame {frame}   {clip.seconds(frame):.2f} s', (margin, low), font
        )
        yield image, timestamp
