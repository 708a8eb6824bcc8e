"""Videos of lifted clips: 2D keypoints beside 3D poses, encoded as H.264."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from mmhot.chain.frames.capture import prefetch
from mmhot.chain.visualization import drawing
from mmhot.chain.visualization.clip_renderer import ClipRenderer
from mmhot.io.atomic import replacing
from mmhot.io.writers.export import Export
from mmhot.progress import Count
from mmhot.structures.clips_3d import Clip3D

_MAX_ASPECT = 2.0  # width over height of the 2D view
# Unit of timestamps, seconds. Frames of all common rates last whole numbers of it.
_TICK = Fraction(1, 90_000)
# Fast settings for drawings: half the time of the preset, 1.3 times the size.
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

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): File to write.
        export (Export): The footage, options and progress.
        height (int): Height in pixels, which must be even. Defaults to 640.

    Returns:
        int: Number of frames.

    Raises:
        ValueError: If the clip has no pose to draw.
        OSError: If the file cannot be written.
    """
    renderer = ClipRenderer(clip)
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
    progress: Count = lambda done, total: None,
) -> int:
    """Write images as H.264.

    Args:
        path (str | Path): File to write.
        frames (Iterable): Images, BGR, uint8 (H, W, 3), and their times in seconds.
        fps (float): Frames per second.
        total (int): Number of images; 0 if unknown. Defaults to 0.
        progress (Count): Receives the numbers of frames done and of all.

    Returns:
        int: Number of frames.

    Raises:
        OSError: If the file cannot be written.
    """
    options = {'movflags': 'faststart'}
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), 'w', format='mp4', options=options) as file:
                return _encode(file, frames, fps, total, progress)
        except av.FFmpegError as error:  # usually a full disk
            raise OSError(error.errno, error.strerror) from error


def _encode(
    container: Any,
    frames: Iterable[tuple[np.ndarray, float]],
    fps: float,
    total: int,
    progress: Count,
) -> int:
    """Encode images (H, W, 3) with their times; return their number."""
    count = 0
    last = -1  # timestamp of the frame before
    for count, (image, seconds) in enumerate(frames, 1):
        if count == 1:
            first = seconds  # not 0 in a part of a video
            height, width = image.shape[:2]
            stream = _add_stream(container, height, width, fps)
        # OpenCV converts several times faster than PyAV would.
        planes: np.ndarray = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format='yuv420p')
        # MP4 refuses timestamps that repeat or decrease.
        last = max(round((seconds - first) / _TICK), last + 1)
        frame.pts = last
        frame.time_base = _TICK
        container.mux(stream.encode(frame))
        progress(count, max(total, count))
    if count:
        container.mux(stream.encode())
    return count


def _add_stream(container: Any, height: int, width: int, fps: float) -> Any:
    """Add a stream of H.264 to PyAV's container."""
    rate = Fraction(float(fps)).limit_denominator(1001)
    stream = container.add_stream('libx264', rate=rate)
    stream.height = height
    stream.width = width
    stream.pix_fmt = 'yuv420p'
    stream.time_base = stream.codec_context.time_base = _TICK
    stream.options = dict(_ENCODER)
    # The colors of OpenCV's conversion; otherwise players guess from the size.
    stream.codec_context.colorspace = Colorspace.SMPTE170M
    stream.codec_context.color_range = ColorRange.MPEG
    return stream


def _draw_frames(
    renderer: ClipRenderer,
    inputs: Iterable[tuple[int, float, np.ndarray | None]],
    height: int,
) -> Iterator[tuple[np.ndarray, float]]:
    """Draw frames.

    Args:
        renderer (ClipRenderer): Renderer of the clip.
        inputs (Iterable): Number, time and image, (H, W, 3) or None, of each frame.
        height (int): Height in pixels.

    Yields:
        tuple[np.ndarray, float]: Drawn images, (H, W, 3), and their times.
    """
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
    if ((clip.keypoint_scores_3d <= 0) & ~renderer.undetected).any():
        notes = f'dim: interpolated   {notes}'
    right = backdrop.shape[1] - margin
    low = height - margin
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
        text = f'frame {frame}   {clip.seconds(frame):.2f} s'
        drawing.draw_text(image, text, (margin, low), font)
        yield image, timestamp
