"""Contact sheets of lifted clips: a few frames, 2D keypoints above 3D poses."""

from pathlib import Path

import cv2
import numpy as np

from mmhot.io.images import write_png
from mmhot.io.writers.export import Export
from mmhot.structures.clips_3d import Clip3D
from mmhot.visualization import drawing
from mmhot.visualization.camera import fit_camera
from mmhot.visualization.clip_renderer import ClipRenderer

_COLUMNS = 6  # most frames of a sheet
_CELL = 600  # pixels; side of a view before it is reduced
_GAP = 12  # pixels between views
_OVERSAMPLING = 2  # views are drawn that much larger
_AROUND = 1.25  # side of a crop, relative to the people's extent


def render_summary_image(
    clip: Clip3D, path: str | Path, export: Export = Export()
) -> None:
    """Write an image of up to six evenly spaced frames, cropped to the people."""
    renderer = ClipRenderer(clip)
    frames = renderer.frames
    if len(frames) > _COLUMNS:  # leaves out the first and the last frame
        steps = (np.arange(_COLUMNS) + 0.5) / _COLUMNS * len(frames)
        frames = frames[steps.astype(int)]
    images = {}
    for frame in export.footage or ():
        if frame.index in frames:
            images[frame.index] = frame.image
        if frame.index >= frames[-1]:
            break
    columns = [_draw_column(renderer, int(x), images.get(int(x))) for x in frames]
    sheet = np.hstack(columns)
    size = sheet.shape[1] // _OVERSAMPLING, sheet.shape[0] // _OVERSAMPLING
    write_png(path, cv2.resize(sheet, size, interpolation=cv2.INTER_AREA))


def _draw_column(
    renderer: ClipRenderer, frame: int, image: np.ndarray | None
) -> np.ndarray:
    """Draw the 2D keypoints of a frame on its image (H, W, 3), above its 3D poses."""
    clip = renderer.clip
    rows = renderer.rows(frame)
    pixels = clip.keypoints_2d[rows].reshape(-1, 2)
    pixels = pixels[np.isfinite(pixels).all(-1)]
    flat = np.full((_CELL, _CELL, 3), drawing.PANEL, np.uint8)
    if len(pixels):
        renderer.camera = fit_camera(renderer.points[rows])
        low, high = pixels.min(0), pixels.max(0)
        side = max(_AROUND * (high - low).max(), 1)
        # Keep the crop inside the image where the image is large enough.
        room = np.array([clip.width - side, clip.height - side])
        inside = np.clip((low + high - side) / 2, 0, np.maximum(room, 0))
        corner = np.where(room > 0, inside, room / 2)
        scale = _CELL / side
        if image is not None:
            matrix = np.c_[scale * np.eye(2), -scale * corner]
            shown = cv2.warpAffine(
                image, matrix, (_CELL, _CELL), borderValue=drawing.PANEL
            )
            drawing.darken(shown, flat)
        renderer.draw_2d(flat, frame, scale, corner)
    deep = np.full_like(flat, drawing.PANEL)
    renderer.draw_3d(deep, frame)
    text = f'{clip.seconds(frame):.1f} s'
    at = _CELL - _GAP, _CELL - 2 * _GAP
    drawing.draw_text(deep, text, at, _CELL // 18, drawing.FAINT_TEXT, 'right')
    edges = 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT
    views = [
        cv2.copyMakeBorder(view, *edges, value=drawing.BACKGROUND)
        for view in (flat, deep)
    ]
    return np.vstack(views)
