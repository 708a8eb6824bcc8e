"""Contact sheets of lifted clips: a few frames, 2D above 3D."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mmhot.clips import Clip3D
from mmhot.io.images import write_png
from mmhot.video.frames import FrameSource
from mmhot.visualization import drawing
from mmhot.visualization.scene_renderer import Scene

_OVERSAMPLING = 2


def render_sheet(
    clip: Clip3D,
    path: str | Path,
    *,
    num_frames: int = 6,
    cell: int = 300,
    azimuth: float = 20.0,
    elevation: float = 14.0,
    footage: FrameSource | None = None,
) -> None:
    """Write a picture of evenly spaced frames, 2D keypoints above 3D poses.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The ``.png`` to create or replace.
        num_frames (int): Columns; fewer if the clip has fewer frames.
        cell (int): Width and height of one view in pixels.
        azimuth (float): Virtual viewpoint in degrees; 0 looks as the video's camera
            does, positive values look from further right.
        elevation (float): Its height in degrees above the horizon.
        footage (FrameSource, optional): The film that the keypoints are from, shown
            behind them.
    """
    if num_frames < 1 or cell < 32:
        raise ValueError(
            f'a sheet needs num_frames >= 1 and cell >= 32, got {num_frames}, {cell}'
        )
    scene = Scene(clip, azimuth, elevation)
    image = _sheet(scene, num_frames, cell * _OVERSAMPLING, footage)
    size = (image.shape[1] // _OVERSAMPLING, image.shape[0] // _OVERSAMPLING)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    write_png(path, image)


def _sheet(
    scene: Scene, num_frames: int, cell: int, footage: FrameSource | None
) -> np.ndarray:
    """Draw the sheet at a cell size."""
    frames = _evenly(scene.frames, num_frames)
    films = {} if footage is None else _pictures(footage, frames)
    gap, font = max(2, cell // 50), max(9, cell // 18)
    header = round(2.6 * font)
    width = len(frames) * (cell + gap) + gap
    shape = (header + 2 * (cell + gap), width, 3)
    image = np.full(shape, drawing.BACKGROUND, np.uint8)
    _write_header(image, scene.clip, header / 2, font, gap)
    centers, side = _crops(scene, frames)
    views = [scene.viewpoint_of(frame) for frame in frames]
    usual = np.median([view.distance for view in views])
    for column, frame in enumerate(frames):
        x = gap + column * (cell + gap)
        flat = image[header : header + cell, x : x + cell]
        flat[:] = drawing.PANEL
        corner = centers[column] - side / 2
        if frame in films:
            _show_film(flat, films[frame], cell / side, corner)
        scene.draw_2d(flat, frame, cell / side, corner)
        space = image[header + cell + gap :, x : x + cell][:cell]
        space[:] = drawing.PANEL
        # in the middle of each frame's people, of one size wherever that shows all
        distance = max(usual, views[column].distance)
        scene.viewpoint = replace(views[column], distance=distance)
        scene.draw_floor(space)
        scene.draw_3d(space, frame)
        seconds = scene.clip.seconds(frame)
        corner = (cell - 0.8 * font, cell - 1.1 * font)
        text = f'{seconds:.1f} s'
        drawing.draw_text(space, text, corner, font, drawing.FAINT_TEXT, 'right')
        if column == 0:
            drawing.draw_text(flat, '2D', (0.8 * font, 1.1 * font), font, bold=True)
            drawing.draw_text(space, '3D', (0.8 * font, 1.1 * font), font, bold=True)
    return image


def _pictures(footage: FrameSource, frames: list[int]) -> dict[int, np.ndarray]:
    """Pictures of some frames of a film, as far as it goes."""
    pictures = {}
    for film in footage:
        if film.index in frames:
            pictures[film.index] = film.image
        if film.index >= frames[-1]:
            break
    return pictures


def _show_film(
    image: np.ndarray, film: np.ndarray, scale: float, origin: np.ndarray
) -> None:
    """Fill a square picture with a part of a film's, where that is."""
    moved = np.c_[scale * np.eye(2), -scale * origin]
    size, panel = image.shape[1::-1], drawing.darken(film)
    border = dict(borderMode=cv2.BORDER_CONSTANT, borderValue=drawing.PANEL)
    image[:] = cv2.warpAffine(panel, moved, size, **border)


def _write_header(
    image: np.ndarray, clip: Clip3D, y: float, font: int, gap: int
) -> None:
    width = image.shape[1]
    x = 2 * gap + drawing.draw_text(image, clip.name, (2 * gap, y), font, bold=True)
    end = drawing.draw_legend(image, (width - 2 * gap, y), font)
    x += font
    if clip.model and x + drawing.text_width(clip.model, font) <= end:
        drawing.draw_text(image, clip.model, (x, y), font, drawing.FAINT_TEXT)


def _evenly(frames: np.ndarray, count: int) -> list[int]:
    """Return evenly spaced frames, not the very first and last of many."""
    if len(frames) <= count:
        return frames.tolist()
    steps = (np.arange(count) + 0.5) / count * len(frames)
    return frames[steps.astype(int)].tolist()


def _crops(scene: Scene, frames: list[int]) -> tuple[list[np.ndarray], float]:
    """Return the center of the people in each frame, and one side length for all."""
    centers, sides = [], []
    for frame in frames:
        pixels = scene.clip.keypoints_2d[scene.rows(frame)].reshape(-1, 2)
        pixels = pixels[np.isfinite(pixels).all(-1)]
        if not len(pixels):
            pixels = np.array([(0.0, 0.0), (scene.clip.width, scene.clip.height)])
        low, high = pixels.min(0), pixels.max(0)
        centers.append((low + high) / 2)
        sides.append((high - low).max())
    return centers, max(1.25 * max(sides), 1.0)
