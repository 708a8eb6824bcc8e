"""Summary images of lifted clips: a few frames, 2D keypoints above 3D poses."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mmhot.io.images import write_png
from mmhot.structures.clips import Clip3D
from mmhot.video.frames import FrameSource
from mmhot.visualization import drawing
from mmhot.visualization.clip_renderer import ClipRenderer

# Width and height of one view in pixels, and their number side by side.
_CELL, _COLUMNS = 300, 6
_OVERSAMPLING = 2


def render_summary_image(
    clip: Clip3D,
    path: str | Path,
    *,
    footage: FrameSource | None = None,
) -> None:
    """Write an image of up to six evenly spaced frames, 2D keypoints above 3D poses.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The ``.png`` to create or replace.
        footage (FrameSource, optional): The video behind the 2D keypoints.
    """
    image = _draw(ClipRenderer(clip), _CELL * _OVERSAMPLING, footage)
    size = (image.shape[1] // _OVERSAMPLING, image.shape[0] // _OVERSAMPLING)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    write_png(path, image)


def _draw(renderer: ClipRenderer, cell: int, footage: FrameSource | None) -> np.ndarray:
    """Draw the columns with square views of ``cell`` pixels."""
    frames = _evenly_spaced(renderer.frames)
    backgrounds = {} if footage is None else _read_images(footage, frames)
    gap, font = max(2, cell // 50), max(9, cell // 18)
    header = round(2.6 * font)
    width = len(frames) * (cell + gap) + gap
    shape = (header + 2 * (cell + gap), width, 3)
    image = np.full(shape, drawing.BACKGROUND, np.uint8)
    _write_header(image, renderer.clip, header / 2, font, gap)
    centers, side = _crops(renderer, frames)
    cameras = [renderer.camera_of(frame) for frame in frames]
    median_distance = np.median([camera.distance for camera in cameras])
    for column, frame in enumerate(frames):
        x = gap + column * (cell + gap)
        view_2d = image[header : header + cell, x : x + cell]
        view_3d = image[header + cell + gap :, x : x + cell][:cell]
        view_2d[:] = view_3d[:] = drawing.PANEL
        corner = centers[column] - side / 2
        if frame in backgrounds:
            _show_crop(view_2d, backgrounds[frame], cell / side, corner)
        renderer.draw_2d(view_2d, frame, cell / side, corner)
        # centered on the people, and at one scale unless that cuts people off
        distance = max(median_distance, cameras[column].distance)
        renderer.camera = replace(cameras[column], distance=distance)
        renderer.draw_floor(view_3d)
        renderer.draw_3d(view_3d, frame)
        corner = (cell - 0.8 * font, cell - 1.1 * font)
        text = f'{renderer.clip.seconds(frame):.1f} s'
        drawing.draw_text(view_3d, text, corner, font, drawing.FAINT_TEXT, 'right')
        if column == 0:
            corner = (0.8 * font, 1.1 * font)
            drawing.draw_text(view_2d, '2D', corner, font, bold=True)
            drawing.draw_text(view_3d, '3D', corner, font, bold=True)
    return image


def _read_images(footage: FrameSource, frames: list[int]) -> dict[int, np.ndarray]:
    """Read frames of a video, which may end before the last one."""
    images = {}
    for frame in footage:
        if frame.index in frames:
            images[frame.index] = frame.image
        if frame.index >= frames[-1]:
            break
    return images


def _show_crop(
    view: np.ndarray, image: np.ndarray, scale: float, origin: np.ndarray
) -> None:
    """Fill a square view with a part of an image, darkened."""
    matrix = np.c_[scale * np.eye(2), -scale * origin]
    view[:] = cv2.warpAffine(
        drawing.darken(image),
        matrix,
        view.shape[1::-1],
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=drawing.PANEL,
    )


def _write_header(
    image: np.ndarray, clip: Clip3D, y: float, font: int, gap: int
) -> None:
    width = image.shape[1]
    x = 2 * gap + drawing.draw_text(image, clip.name, (2 * gap, y), font, bold=True)
    end = drawing.draw_legend(image, (width - 2 * gap, y), font)
    x += font
    if clip.model and x + drawing.text_width(clip.model, font) <= end:
        drawing.draw_text(image, clip.model, (x, y), font, drawing.FAINT_TEXT)


def _evenly_spaced(frames: np.ndarray) -> list[int]:
    """Choose evenly spaced frames, without the very first and last of many."""
    if len(frames) <= _COLUMNS:
        return frames.tolist()
    steps = (np.arange(_COLUMNS) + 0.5) / _COLUMNS * len(frames)
    return frames[steps.astype(int)].tolist()


def _crops(renderer: ClipRenderer, frames: list[int]) -> tuple[list[np.ndarray], float]:
    """Return the center of the people in each frame, and one side length for all."""
    clip, centers, sides = renderer.clip, [], []
    for frame in frames:
        pixels = clip.keypoints_2d[renderer.rows(frame)].reshape(-1, 2)
        pixels = pixels[np.isfinite(pixels).all(-1)]
        if not len(pixels):
            pixels = np.array([(0.0, 0.0), (clip.width, clip.height)])
        low, high = pixels.min(0), pixels.max(0)
        centers.append((low + high) / 2)
        sides.append((high - low).max())
    return centers, max(1.25 * max(sides), 1.0)
