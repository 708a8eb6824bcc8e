"""Videos of lifted clips: 2D keypoints beside 3D poses."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np

from mmhot.clips import Clip3D
from mmhot.video.frames import FrameSource
from mmhot.visualization import drawing
from mmhot.visualization.scene_renderer import Scene
from mmhot.visualization.video_file import open_video

_WIDEST = 2.0  # of the 2D panel, as width over height


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
    if footage is None:
        frames, film = _timeline(scene.frames, clip.fps), None
        moments = zip(frames, _shown_at(clip, frames), repeat(None))
        total = len(frames)
    else:
        moments = ((film.index, film.time, film.image) for film in footage)
        total, film = footage.num_frames or 0, footage.path
    with open_video(path, clip.fps, film) as video:
        for picture, seconds in _pictures(scene, moments, height):
            video.write(picture, seconds)
            if progress is not None:
                progress(video.num_frames, max(total, video.num_frames))
        return video.num_frames


def _timeline(frames: np.ndarray, fps: float) -> list[int]:
    """Return the frames to show: all from first to last, long gaps shortened."""
    longest = max(1, round(fps))
    shown = frames[:1].tolist()
    for frame in frames[1:].tolist():
        shown.extend(range(max(shown[-1] + 1, frame - longest), frame + 1))
    return shown


def _shown_at(clip: Clip3D, frames: list[int]) -> np.ndarray:
    """Seconds into the video at which frames are shown, (T,)."""
    steps = np.diff(clip.seconds(np.array(frames)))
    steps[np.diff(frames) > 1] = 1 / clip.fps
    return np.r_[0, np.cumsum(steps)]


def _pictures(
    scene: Scene,
    moments: Iterable[tuple[int, float, np.ndarray | None]],
    height: int,
) -> Iterator[tuple[np.ndarray, float]]:
    """Draw one picture after another, each overwritten by the next.

    Args:
        scene (Scene): What is drawn.
        moments (Iterable): Frame number, seconds into the video, and the film's
            picture if there is one.
        height (int): Of the pictures.

    Yields:
        tuple[np.ndarray, float]: The picture, (H, W, 3), and when it is shown.
    """
    clip = scene.clip
    scale = min(height / clip.height, _WIDEST * height / clip.width)
    left = 2 * max(1, round(scale * clip.width / 2))
    top = round((height - scale * clip.height) / 2)
    bottom = height - top
    backdrop = np.full((height, left + height, 3), drawing.BACKGROUND, np.uint8)
    backdrop[top:bottom, :left] = drawing.PANEL
    font = max(9, round(height / 40))
    margin, notes = 1.2 * font, _notes(scene)
    if not scene.orbit:
        scene.draw_floor(backdrop[:, left:])
    image = np.empty_like(backdrop)
    for frame, shown_at, film in moments:
        np.copyto(image, backdrop)
        if film is not None:
            _show_film(image[top:bottom, :left], film)
        seconds = scene.seconds(frame)
        scene.draw_2d(image[top:bottom, :left], frame, scale)
        if scene.orbit:
            scene.draw_floor(image[:, left:], seconds)
        scene.draw_3d(image[:, left:], frame, seconds)
        _write_captions(image, left, font, notes)
        text = f'frame {frame}   {clip.seconds(frame):.2f} s'
        where = (margin, height - margin)
        drawing.draw_text(image, text, where, font, drawing.FAINT_TEXT)
        yield image, shown_at


def _show_film(image: np.ndarray, film: np.ndarray) -> None:
    """Fill a picture with a frame of the film."""
    size = image.shape[1::-1]
    small = cv2.resize(film, size, interpolation=cv2.INTER_AREA)
    drawing.darken(small, out=image)


def _write_captions(image: np.ndarray, left: int, font: int, notes: str) -> None:
    margin = 1.2 * font
    height, width = image.shape[:2]
    drawing.draw_text(image, '2D keypoints', (margin, margin), font)
    drawing.draw_text(image, '3D pose', (left + margin, margin), font)
    drawing.draw_legend(image, (width - margin, margin), font)
    corner = (width - margin, height - margin)
    drawing.draw_text(image, notes, corner, font, drawing.FAINT_TEXT, 'right')


def _notes(scene: Scene) -> str:
    grid = f'grid {scene.cell:g} m'
    certain = (scene.clip.keypoint_scores_3d > 0).all()
    return grid if certain else f'dim: interpolated   {grid}'
