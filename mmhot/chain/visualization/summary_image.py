"""Image of a lifted clip: 2D keypoints above 3D poses, in a few frames."""

from pathlib import Path

import cv2
import numpy as np

from mmhot.chain.visualization import drawing
from mmhot.chain.visualization.camera import fit_camera
from mmhot.chain.visualization.clip_renderer import ClipRenderer
from mmhot.io.images import write_png
from mmhot.io.writers.export import Export
from mmhot.structures.clips_3d import Clip3D

_MAX_COLUMNS = 6  # frames
_VIEW = 600  # pixels; side of a view as it is drawn
_GAP = 12  # pixels between views as they are drawn
_OVERSAMPLING = 2  # size of the drawn image, relative to the written one
_CROP_SIZE = 1.25  # side of a crop, relative to the longer side of its people


def render_summary_image(
    clip: Clip3D, path: str | Path, export: Export = Export()
) -> None:
    """Write a .png image of up to six evenly spaced frames, cropped to the people.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): File to write.
        export (Export): The video behind the keypoints, if there is one.

    Raises:
        ValueError: If the clip has no pose to draw.
    """
    renderer = ClipRenderer(clip)
    frames = renderer.frames
    if len(frames) > _MAX_COLUMNS:  # leaves out the first and the last frame
        steps = (np.arange(_MAX_COLUMNS) + 0.5) / _MAX_COLUMNS * len(frames)
        frames = frames[steps.astype(int)]
    images = {}
    for frame in export.footage or ():
        if frame.index in frames:
            images[frame.index] = frame.image
        if frame.index >= frames[-1]:
            break
    pitch = _VIEW + _GAP
    sheet = np.full((2 * pitch, len(frames) * pitch, 3), drawing.BACKGROUND, np.uint8)
    for column, index in enumerate(frames.tolist()):
        left = column * pitch
        above = sheet[:_VIEW, left : left + _VIEW]
        below = sheet[pitch : pitch + _VIEW, left : left + _VIEW]
        above[:] = below[:] = drawing.PANEL
        _draw_crop(above, renderer, index, images.get(index))
        renderer.draw_3d(below, index)
        text = f'{clip.seconds(index):.1f} s'
        place = _VIEW - _GAP, _VIEW - 2 * _GAP
        drawing.draw_text(below, text, place, _VIEW // 18, drawing.FAINT_TEXT, 'right')
    size = sheet.shape[1] // _OVERSAMPLING, sheet.shape[0] // _OVERSAMPLING
    write_png(path, cv2.resize(sheet, size, interpolation=cv2.INTER_AREA))


def _draw_crop(
    view: np.ndarray, renderer: ClipRenderer, frame: int, image: np.ndarray | None
) -> None:
    """Draw the 2D keypoints of a frame on a crop (V, V, 3) of its image (H, W, 3).

    The camera of 3D views moves to the same people.
    """
    clip = renderer.clip
    rows = renderer.rows(frame)
    pixels = clip.keypoints_2d[rows].reshape(-1, 2)
    pixels = pixels[np.isfinite(pixels).all(-1)]
    if not len(pixels):
        return
    renderer.camera = fit_camera(renderer.points[rows])
    low = pixels.min(0)
    high = pixels.max(0)
    side = max(_CROP_SIZE * (high - low).max(), 1)
    # The crop stays in the image, or the image is in its middle if it is smaller.
    room = np.array([clip.width - side, clip.height - side])
    inside = np.clip((low + high - side) / 2, 0, np.maximum(room, 0))
    corner = np.where(room > 0, inside, room / 2)
    scale = _VIEW / side
    if image is not None:
        matrix = np.c_[scale * np.eye(2), -scale * corner]
        shown = cv2.warpAffine(image, matrix, (_VIEW, _VIEW), borderValue=drawing.PANEL)
        drawing.darken(shown, view)
    renderer.draw_2d(view, frame, scale, corner)
