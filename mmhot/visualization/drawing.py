"""Drawing of skeletons, floors and text with OpenCV.

Images are BGR, uint8 (H, W, 3).
"""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmhot.skeletons.side_colors import SIDE_COLORS, side_rgb
from mmhot.visualization.camera import VirtualCamera

LEFT, RIGHT, MIDDLE = (side_rgb(side)[::-1] for side in SIDE_COLORS)
BACKGROUND = (34, 27, 23)
PANEL = (46, 37, 31)
TEXT = (232, 226, 222)
FAINT_TEXT = (160, 148, 140)
_FLOOR = (62, 51, 43)
_FLOOR_LINE = (92, 78, 67)
_SHADOW = (38, 31, 26)
_OUTLINE = (24, 18, 15)
_LIMB_METERS = 0.05
# Smallest distance from the camera, in meters, at which the floor is drawn, and the
# number of points at which lines can be clipped there.
_NEAR_PLANE = 0.3
_LINE_POINTS = 50
_SHIFT = 4  # OpenCV's fixed-point bits: positions to 1/16 pixel


class SkeletonStyle(NamedTuple):
    """Bones (B, 2) as pairs of joint indices, and their colors (B, 3)."""

    bones: np.ndarray
    colors: np.ndarray


def skeleton_style(
    joint_names: tuple[str, ...], parents: tuple[int, ...]
) -> SkeletonStyle:
    """Color each bone by the body side of its outer joint."""
    bones = [(parent, child) for child, parent in enumerate(parents) if parent >= 0]
    colors = [side_rgb(joint_names[child])[::-1] for _, child in bones]
    return SkeletonStyle(np.reshape(bones, (-1, 2)), np.reshape(colors, (-1, 3)))


def darken(image: np.ndarray, out: np.ndarray) -> None:
    """Darken an image (H, W, 3) into another one, as background of a drawing."""
    cv2.convertScaleAbs(image, out, 0.8)


def shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (width, height): halve, then interpolate; OpenCV is slow at others."""
    while image.shape[0] >= 2 * size[1] and image.shape[1] >= 2 * size[0]:
        half = image.shape[1] // 2, image.shape[0] // 2
        even = image[: 2 * half[1], : 2 * half[0]]
        image = cv2.resize(even, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def draw_people(
    image: np.ndarray,
    style: SkeletonStyle,
    pixels: np.ndarray,
    pixels_per_meter: np.ndarray,
    detected: np.ndarray,
    depths: np.ndarray,
) -> None:
    """Draw the people of one frame, far limbs first.

    Args:
        image (np.ndarray): Drawn on.
        style (SkeletonStyle): Bones and colors.
        pixels (np.ndarray): Joint positions, (P, K, 2); NaN joints are left out.
        pixels_per_meter (np.ndarray): Scale at each joint, (P, K).
        detected (np.ndarray): False for interpolated joints, which are dim, (P, K).
        depths (np.ndarray): Distances of the joints, (P, K). Bones that are as far are
            drawn in the style's order.
    """
    ends = pixels[:, style.bones]  # (P, B, 2 ends, 2)
    drawable = np.isfinite(ends).all((2, 3)).ravel()
    distances = depths[:, style.bones].mean(-1).ravel()
    order = np.argsort(-distances, kind='stable')
    order = order[drawable[order]]
    people, bones = np.divmod(order, max(len(style.bones), 1))
    ends = _fixed_point(ends[people, bones], image)
    sizes = _LIMB_METERS * pixels_per_meter[people[:, None], style.bones[bones]].mean(1)
    widths = np.clip(np.rint(sizes), 1, 24).astype(int)
    dim = ~detected[people[:, None], style.bones[bones]].all(1)
    colors = style.colors[bones]
    colors = np.where(dim[:, None], 0.45 * colors + 20, colors)
    lines = zip(ends.tolist(), widths.tolist(), colors.tolist(), strict=True)
    for (start, end), width, color in lines:
        outline = width + 2 * max(1, width // 5)
        cv2.line(image, start, end, _OUTLINE, outline, cv2.LINE_AA, _SHIFT)
        cv2.line(image, start, end, color, width, cv2.LINE_AA, _SHIFT)
        radius = int((0.62 * width + 0.4) * 2**_SHIFT)
        for joint in (start, end):
            cv2.circle(image, joint, radius, color, -1, cv2.LINE_AA, _SHIFT)


def draw_names(
    image: np.ndarray, names: list[str], pixels: np.ndarray, size: int
) -> None:
    """Write a name above each person's highest joint, from positions (P, K, 2)."""
    for name, joints in zip(names, pixels, strict=True):
        joints = joints[np.isfinite(joints).all(axis=1)]
        if len(joints):
            x, y = joints[joints[:, 1].argmin()]
            draw_text(image, name, (x, y - 1.2 * size), size, anchor='center')


def draw_shadows(
    image: np.ndarray, style: SkeletonStyle, pixels: np.ndarray, width: int
) -> None:
    """Draw shadows of people from their joints projected onto the floor (P, K, 2)."""
    ends = pixels[:, style.bones].reshape(-1, 2, 2)
    ends = ends[np.isfinite(ends).all((1, 2))]
    lines = _fixed_point(ends, image)
    cv2.polylines(image, list(lines), False, _SHADOW, width, cv2.LINE_AA, _SHIFT)


def draw_floor(
    image: np.ndarray, camera: VirtualCamera, extent: np.ndarray, cell: float
) -> None:
    """Draw a floor with a grid on a square image.

    Its corners (x, y), low and high, (2, 2), and its cells are in meters.
    """
    (left, near), (right, far) = extent
    corners = [(left, near), (right, near), (right, far), (left, far)]
    xs = np.arange(left, right + cell / 2, cell)
    ys = np.arange(near, far + cell / 2, cell)
    lines = [((x, near), (x, far)) for x in xs] + [((left, y), (right, y)) for y in ys]
    ends = np.array([*pairwise([*corners, corners[0]]), *lines])
    flat = np.linspace(ends[:, 0], ends[:, 1], _LINE_POINTS, axis=1)
    positions, depths = camera.project(np.pad(flat, ((0, 0), (0, 0), (0, 1))))
    positions = _fixed_point(positions * image.shape[0], image)
    shown = depths > _NEAR_PLANE
    drawn = [line[seen] for line, seen in zip(positions, shown, strict=True)]
    outline = np.concatenate(drawn[:4])
    if len(outline):
        cv2.fillPoly(image, [outline], _FLOOR, cv2.LINE_AA, _SHIFT)
    drawn = [line for line in drawn[4:] if len(line)]
    cv2.polylines(image, drawn, False, _FLOOR_LINE, 1, cv2.LINE_AA, _SHIFT)


def draw_text(
    image: np.ndarray,
    text: str,
    position: tuple[float, float],
    size: int,
    color: tuple[int, int, int] = TEXT,
    anchor: str = 'left',
) -> int:
    """Write one line of outlined text, BGR; return its width in pixels.

    The position (x, y) is in the middle of its height, and ``'left'``, ``'center'`` or
    ``'right'`` by ``anchor``. The size of the font is in pixels.
    """
    through, added = _text_layers(text, size, color)
    height, width = through.shape[:2]
    shift = {'left': 0.0, 'center': 0.5, 'right': 1.0}[anchor] * width
    left = int(position[0] - shift)
    top = int(position[1] - height / 2)
    x = max(left, 0)
    y = max(top, 0)
    target = image[y : max(top + height, 0), x : max(left + width, 0)]
    part = np.s_[y - top :, x - left :], np.s_[: target.shape[0], : target.shape[1]]
    if target.size:
        target[:] = target * through[part[0]][part[1]] + added[part[0]][part[1]]
    return width


def draw_legend(image: np.ndarray, position: tuple[float, float], size: int) -> None:
    """Draw a legend of the body sides that ends at a position (x, y)."""
    x, y = position
    for side, color in (('right', RIGHT), ('left', LEFT)):
        x -= draw_text(image, side, (x, y), size, FAINT_TEXT, 'right') + 0.65 * size
        center = [round(value * 2**_SHIFT) for value in (x, y)]
        radius = int(0.32 * size * 2**_SHIFT)
        cv2.circle(image, center, radius, color, -1, cv2.LINE_AA, _SHIFT)
        x -= size


def _fixed_point(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Convert points (..., 2) to OpenCV's fixed point, clipped near the image."""
    limit = 4 * max(image.shape[:2])
    return np.rint(np.clip(points, -limit, limit) * 2**_SHIFT).astype(np.int32)


@lru_cache(maxsize=512)
def _text_layers(
    text: str, size: int, color: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Render text: what is seen through it (H, W, 1), 0 to 1, and its BGR (H, W, 3)."""
    from PIL import Image, ImageDraw

    font = _font(size)
    ascent, descent = font.getmetrics()
    edge = max(2, size // 8)
    extent = int(np.ceil(font.getlength(text))) + 1 + 2 * edge, ascent + descent
    canvas = Image.new('RGBA', extent)
    ImageDraw.Draw(canvas).text(
        (edge, 0), text, color, font, stroke_width=edge, stroke_fill=_OUTLINE
    )
    pixels = np.asarray(canvas, np.float32)  # premultiplied, as drawn on nothing
    return 1 - pixels[..., 3:] / 255, pixels[..., :3] + 0.5  # rounds to the nearest


@lru_cache(maxsize=32)
def _font(size: int):
    """Load DejaVu Sans, which is part of Matplotlib."""
    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'
    return ImageFont.truetype(str(file), size)
