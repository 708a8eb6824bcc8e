"""Videos of lifted clips: 2D keypoints beside 3D poses."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from mmhot.io.atomic import replacing
from mmhot.io.keypoints3d import Clip3D

from . import drawing
from .scene import Scene

_WIDEST = 2.0  # of the 2D panel, as width over height
# Flat colours need no thorough search; this halves the time at 1.3 times the size.
_ENCODER = {
    'preset': 'veryfast',
    'crf': '20',
    'x264-params': 'ref=1:bframes=0:me=dia:subme=1:trellis=0:weightp=0',
}


def render_video(
    clip: Clip3D,
    path: str | Path,
    *,
    height: int = 640,
    azimuth: float = 20.0,
    elevation: float = 14.0,
    orbit: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write an H.264 video: on the left the 2D keypoints, on the right the 3D poses.

    The video runs at the clip's rate from its first frame to its last. Times without
    anybody are shown empty, but for one second at most.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The ``.mp4`` to create or replace.
        height (int): Height of the video in pixels.
        azimuth (float): Virtual viewpoint in degrees; 0 looks as the video's camera
            does, positive values look from further right.
        elevation (float): Its height in degrees above the horizon.
        orbit (float): Degrees by which the viewpoint turns per second.
        progress (callable, optional): Called after every frame with the numbers of
            frames done and of all frames.

    Returns:
        int: Number of frames written.
    """
    if height < 64 or height % 2:
        raise ValueError(f'height must be even and at least 64, got {height}')
    scene = Scene(clip, azimuth, elevation, orbit)
    frames = _timeline(scene.frames, clip.fps)
    with replacing(path) as temporary:
        try:
            pictures = _pictures(scene, frames, height)
            _encode(pictures, temporary, clip.fps, progress, len(frames))
        except av.FFmpegError as error:
            # Neither a user's nor a programmer's mistake: disk full, above all.
            raise OSError(error.errno, error.strerror) from error
    return len(frames)


def _timeline(frames: np.ndarray, fps: float) -> list[int]:
    """Return the frames to show: all from first to last, long gaps shortened."""
    longest = max(1, round(fps))
    shown = frames[:1].tolist()
    for frame in frames[1:].tolist():
        shown.extend(range(max(shown[-1] + 1, frame - longest), frame + 1))
    return shown


def _pictures(scene: Scene, frames: list[int], height: int) -> Iterator[np.ndarray]:
    """Draw one picture after another, (H, W, 3); each is overwritten by the next."""
    clip = scene.clip
    scale = min(height / clip.height, _WIDEST * height / clip.width)
    left = 2 * max(1, round(scale * clip.width / 2))
    top = round((height - scale * clip.height) / 2)
    bottom = height - top
    backdrop = np.full((height, left + height, 3), drawing.BACKGROUND, np.uint8)
    backdrop[top:bottom, :left] = drawing.PANEL
    font = max(9, round(height / 40))
    margin = 1.2 * font
    if not scene.orbit:
        scene.draw_floor(backdrop[:, left:])
    _write_captions(backdrop, left, font, scene)
    image = np.empty_like(backdrop)
    for frame in frames:
        np.copyto(image, backdrop)
        seconds = (frame - frames[0]) / clip.fps
        scene.draw_2d(image[top:bottom, :left], frame, scale)
        if scene.orbit:
            scene.draw_floor(image[:, left:], seconds)
            _write_captions(image, left, font, scene)
        scene.draw_3d(image[:, left:], frame, seconds)
        text = f'frame {frame}   {frame / clip.fps:.2f} s'
        where = (margin, height - margin)
        drawing.draw_text(image, text, where, font, drawing.FAINT_TEXT)
        yield image


def _write_captions(image: np.ndarray, left: int, font: int, scene: Scene) -> None:
    margin = 1.2 * font
    height, width = image.shape[:2]
    drawing.draw_text(image, '2D keypoints', (margin, margin), font)
    drawing.draw_text(image, '3D pose', (left + margin, margin), font)
    drawing.draw_legend(image, (width - margin, margin), font)
    notes = [f'grid {scene.cell:g} m']
    if not (scene.clip.keypoint_scores_3d > 0).all():
        notes.insert(0, 'dim: interpolated')
    corner = (width - margin, height - margin)
    text = '   '.join(notes)
    drawing.draw_text(image, text, corner, font, drawing.FAINT_TEXT, 'right')


def _encode(
    pictures: Iterator[np.ndarray],
    path: Path,
    fps: float,
    progress: Callable[[int, int], None] | None,
    total: int,
) -> None:
    """Write pictures as H.264 that every player shows."""
    with av.open(str(path), 'w', options={'movflags': 'faststart'}) as container:
        stream = None
        for done, picture in enumerate(pictures, start=1):
            if stream is None:
                rate = Fraction(float(fps)).limit_denominator(1001)
                stream = container.add_stream('libx264', rate=rate)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = 'yuv420p'
                stream.options = dict(_ENCODER)
                # What OpenCV converts to; players would guess from the size.
                stream.codec_context.colorspace = Colorspace.SMPTE170M
                stream.codec_context.color_range = ColorRange.MPEG
            # OpenCV converts several times faster than PyAV would.
            planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format='yuv420p')
            container.mux(stream.encode(frame))
            if progress is not None:
                progress(done, total)
        container.mux(stream.encode())
