"""Videos of lifted clips: 2D keypoints beside 3D poses."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np

from mmhot.structures.clips import Clip3D
from mmhot.video.frames import FrameSource
from mmhot.visualization import drawing
from mmhot.visualization.clip_renderer import ClipRenderer
from mmhot.visualization.video_encoding import open_video

_MAX_ASPECT = 2.0  # width over height of the 2D view
# Frames without people that may be added to short clips.
_MIN_FILLED = 1000


def render_video(
    clip: Clip3D,
    path: str | Path,
    *,
    height: int = 640,
    azimuth: float = 20.0,
    footage: FrameSource | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write an H.264 video: 2D keypoints on the left, 3D poses on the right.

    Without footage the video contains all frames from the first to the last pose, but
    at most one second of a gap without people. With footage it contains all frames of
    the footage, and its audio.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The ``.mp4`` to create or replace.
        height (int): Height of the video in pixels. Defaults to 640.
        azimuth (float): Azimuth of the virtual camera in degrees; 0 is the direction of
            the video's camera, positive values look from further right. Defaults to 20.
        footage (FrameSource, optional): The video behind the 2D keypoints.
        progress (Callable, optional): Called with the numbers of written frames and of
            all frames.

    Returns:
        int: Number of frames written.
    """
    if height < 64 or height % 2:
        raise ValueError(f'height must be even and at least 64, got {height}')
    renderer = ClipRenderer(clip, azimuth)
    if footage is None:
        frames = _shorten_gaps(renderer.frames, clip.fps)
        inputs = zip(frames, _timestamps(clip, frames), repeat(None))
        total, audio = len(frames), None
    else:
        inputs = ((frame.index, frame.time, frame.image) for frame in footage)
        total, audio = footage.num_frames or 0, footage.path
    with open_video(path, clip.fps, audio) as video:
        for image, seconds in _draw_frames(renderer, inputs, height):
            video.write(image, seconds)
            if progress is not None:
                progress(video.num_frames, max(total, video.num_frames))
        return video.num_frames


def _shorten_gaps(frames: np.ndarray, fps: float) -> list[int]:
    """Return all frames from first to last, with at most one second of each gap.

    Gaps add no more frames than there are poses, or one each.
    """
    gaps = np.count_nonzero(np.diff(frames) > 1)
    longest = max(1, min(round(fps), (_MIN_FILLED + len(frames)) // max(gaps, 1)))
    shown = frames[:1].tolist()
    for frame in frames[1:].tolist():
        shown.extend(range(max(shown[-1] + 1, frame - longest), frame + 1))
    return shown


def _timestamps(clip: Clip3D, frames: list[int]) -> np.ndarray:
    """Return timestamps (T,) of the written video."""
    steps = np.diff(clip.seconds(np.array(frames)))
    steps[np.diff(frames) > 1] = 1 / clip.fps
    return np.r_[0, np.cumsum(steps)]


def _draw_frames(
    renderer: ClipRenderer,
    inputs: Iterable[tuple[int, float, np.ndarray | None]],
    height: int,
) -> Iterator[tuple[np.ndarray, float]]:
    """Draw frames one by one into the same array.

    Args:
        renderer (ClipRenderer): Draws the views.
        inputs (Iterable): Frame number, timestamp, and the video's image or None.
        height (int): Height of the drawings.

    Yields:
        tuple[np.ndarray, float]: The drawing, (H, W, 3), and its timestamp.
    """
    clip = renderer.clip
    scale = min(height / clip.height, _MAX_ASPECT * height / clip.width)
    left = 2 * max(1, round(scale * clip.width / 2))
    top = min(round((height - scale * clip.height) / 2), height // 2 - 1)
    bottom = height - top
    backdrop = np.full((height, left + height, 3), drawing.BACKGROUND, np.uint8)
    backdrop[top:bottom, :left] = drawing.PANEL
    font = max(9, round(height / 40))
    margin, notes = 1.2 * font, _notes(renderer)
    renderer.draw_floor(backdrop[:, left:])
    image = np.empty_like(backdrop)
    for frame, timestamp, background in inputs:
        np.copyto(image, backdrop)
        view_2d = image[top:bottom, :left]
        if background is not None:
            size = view_2d.shape[1::-1]
            small = cv2.resize(background, size, interpolation=cv2.INTER_AREA)
            drawing.darken(small, out=view_2d)
        renderer.draw_2d(view_2d, frame, scale)
        renderer.draw_3d(image[:, left:], frame)
        _write_captions(image, left, font, notes)
        text = f'frame {frame}   {clip.seconds(frame):.2f} s'
        corner = (margin, height - margin)
        drawing.draw_text(image, text, corner, font, drawing.FAINT_TEXT)
        yield image, timestamp


def _write_captions(image: np.ndarray, left: int, font: int, notes: str) -> None:
    margin = 1.2 * font
    height, width = image.shape[:2]
    drawing.draw_text(image, '2D keypoints', (margin, margin), font)
    drawing.draw_text(image, '3D pose', (left + margin, margin), font)
    drawing.draw_legend(image, (width - margin, margin), font)
    corner = (width - margin, height - margin)
    drawing.draw_text(image, notes, corner, font, drawing.FAINT_TEXT, 'right')


def _notes(renderer: ClipRenderer) -> str:
    grid = f'grid {renderer.cell:g} m'
    is_complete = (renderer.clip.keypoint_scores_3d > 0).all()
    return grid if is_complete else f'dim: interpolated   {grid}'
