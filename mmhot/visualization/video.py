"""Videos of lifted clips: 2D keypoints beside 3D poses."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import count, repeat
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from mmhot.io.atomic import replacing
from mmhot.io.keypoints3d import Clip3D
from mmhot.video.frames import FrameSource

from . import drawing
from .scene import Scene

_WIDEST = 2.0  # of the 2D panel, as width over height
# Kinds of sound that are copied as they are.
_SOUNDS = {'aac', 'mp3', 'mp3float', 'ac3', 'opus', 'libopus'}
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
    footage: FrameSource | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write an H.264 video: on the left the 2D keypoints, on the right the 3D poses.

    The video runs at the clip's rate from its first frame to its last. Times without
    anybody are shown empty, but for one second at most. With the film, all of its
    frames are shown, and it keeps its sound.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The ``.mp4`` to create or replace.
        height (int): Height of the video in pixels.
        azimuth (float): Virtual viewpoint in degrees; 0 looks as the video's camera
            does, positive values look from further right.
        elevation (float): Its height in degrees above the horizon.
        orbit (float): Degrees by which the viewpoint turns per second.
        footage (FrameSource, optional): The film that the keypoints are from, shown
            behind them.
        progress (callable, optional): Called after every frame with the numbers of
            frames done and of all frames.

    Returns:
        int: Number of frames written.
    """
    if height < 64 or height % 2:
        raise ValueError(f'height must be even and at least 64, got {height}')
    scene = Scene(clip, azimuth, elevation, orbit)
    frames = _timeline(scene.frames, clip.fps)
    total, sound = len(frames), None
    if footage is not None:
        frames, total = count(), footage.num_frames or 0
        sound = _sound(footage.path)
    with replacing(path) as temporary:
        try:
            pictures = _pictures(scene, frames, height, footage)
            return _encode(pictures, temporary, clip.fps, progress, total, sound)
        except av.FFmpegError as error:
            # Neither a user's nor a programmer's mistake: disk full, above all.
            raise OSError(error.errno, error.strerror) from error


def _timeline(frames: np.ndarray, fps: float) -> list[int]:
    """Return the frames to show: all from first to last, long gaps shortened."""
    longest = max(1, round(fps))
    shown = frames[:1].tolist()
    for frame in frames[1:].tolist():
        shown.extend(range(max(shown[-1] + 1, frame - longest), frame + 1))
    return shown


def _pictures(
    scene: Scene, frames: Iterable[int], height: int, footage: FrameSource | None
) -> Iterator[np.ndarray]:
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
    films = repeat(None) if footage is None else footage
    # the film first: when it ends, there is no next frame
    for film, frame in zip(films, frames, strict=False):
        np.copyto(image, backdrop)
        if film is not None:
            _show_film(image[top:bottom, :left], film.image)
            _write_captions(image, left, font, scene)
        seconds = (frame - scene.frames[0]) / clip.fps
        scene.draw_2d(image[top:bottom, :left], frame, scale)
        if scene.orbit:
            scene.draw_floor(image[:, left:], seconds)
            _write_captions(image, left, font, scene)
        scene.draw_3d(image[:, left:], frame, seconds)
        text = f'frame {frame}   {frame / clip.fps:.2f} s'
        where = (margin, height - margin)
        drawing.draw_text(image, text, where, font, drawing.FAINT_TEXT)
        yield image


def _show_film(image: np.ndarray, film: np.ndarray) -> None:
    """Fill a picture with a frame of the film, a little darker than it was."""
    size = image.shape[1::-1]
    small = cv2.resize(film, size, interpolation=cv2.INTER_AREA)
    np.multiply(small, 0.8, out=image, casting='unsafe')


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
    sound: Path | None,
) -> int:
    """Write pictures as H.264 that every player shows; returns how many."""
    done = 0
    with ExitStack() as opened:
        options = {'movflags': 'faststart'}
        container = opened.enter_context(av.open(str(path), 'w', options=options))
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
                audio = sound and opened.enter_context(av.open(str(sound)))
                track = audio and container.add_stream_from_template(
                    audio.streams.audio[0]
                )
            # OpenCV converts several times faster than PyAV would.
            planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format='yuv420p')
            container.mux(stream.encode(frame))
            if progress is not None:
                progress(done, max(total, done))
        if stream is None:
            return 0
        container.mux(stream.encode())
        for packet in audio.demux(audio=0) if audio else ():
            if packet.dts is not None and packet.pts * packet.time_base < done / fps:
                packet.stream = track
                container.mux(packet)
    return done


def _sound(path: Path) -> Path | None:
    """The film itself if it has sound that fits into an ``.mp4``."""
    try:
        with av.open(str(path)) as container:
            streams = container.streams.audio
            return path if streams and streams[0].codec.name in _SOUNDS else None
    except (av.FFmpegError, OSError):
        return None
