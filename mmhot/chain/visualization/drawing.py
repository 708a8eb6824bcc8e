"""Drawing of skeletons, floors and text with OpenCV.

Images are BGR, uint8 (H, W, 3).
"""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmhot.chain.visualization.camera import VirtualCamera
from mmhot.skeletons.side_colors import SIDE_COLORS, side_rgb

LEFT, RIGHT, MIDDLE = (side_rgb(side)[::-1] for side in SIDE_COLORS)
BACKGROUND = (34, 27, 23)
PANEL = (46, 37, 31)
TEXT = (232, 226, 222)
FAINT_TEXT = (160, 148, 140)
_FLOOR = (62, 51, 43)
_FLOOR_LINE = (92, 78, 67)
_SHADOW = (38, 31, 26)
_OUTLINE = (24, 18, 15)
LIMB_METERS = 0.05  # width of drawn limbs
_NEAR_PLANE = 0.3  # meters; smallest distance from the camera at which floor is drawn
_LINE_POINTS = 50  # points of a line on the floor, at which it may be cut there
_SHIFT = 4  # OpenCV's fixed-point bits: positions to 1/16 pixel


class SkeletonStyle(NamedTuple):
    """Bones of a skeleton to draw, and their colors.

    Attributes:
        bones (np.ndarray): Indices of the joints at both ends, (B, 2).
        colors (np.ndarray): BGR of each bone, (B, 3).
    """

    bones: np.ndarray
    colors: np.ndarray


def skeleton_style(
    joint_names: tuple[str, ...], parents: tuple[int, ...]
) -> SkeletonStyle:
    """Color each bone by the body side of its outer joint.

    Args:
        joint_names (tuple[str, ...]): Names of the joints.
        parents (tuple[int, ...]): Index of each joint's parent, -1 for the root.

    Returns:
        SkeletonStyle: A bone for each joint with a parent.
    """
    bones = [(parent, child) for child, parent in enumerate(parents) if parent >= 0]
    colors = [side_rgb(joint_names[child])[::-1] for _, child in bones]
    return SkeletonStyle(np.reshape(bones, (-1, 2)), np.reshape(colors, (-1, 3)))


def darken(image: np.ndarray, out: np.ndarray) -> None:
    """Write a darker copy of an image (H, W, 3) to ``out``, to draw on it."""
    cv2.convertScaleAbs(image, out, 0.8)


def shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shrink an image (H, W, 3) to a size (width, height).

    OpenCV averages quickly only when it halves, so halve first and then interpolate.
    """
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
        image (np.ndarray): Drawn on, BGR, uint8 (H, W, 3).
        style (SkeletonStyle): Bones and colors.
        pixels (np.ndarray): Joint positions, (P, K, 2); NaN joints are left out.
        pixels_per_meter (np.ndarray): Scale at each joint, (P, K).
        detected (np.ndarray): False for interpolated joints, which are dim, (P, K).
        depths (np.ndarray): Distances of the joints, (P, K). Bones at equal distance
            are drawn in the order of the style.
    """
    ends = pixels[:, style.bones]  # (P, B, 2 ends, 2)
    drawable = np.isfinite(ends).all((2, 3)).ravel()
    distances = depths[:, style.bones].mean(-1).ravel()
    order = np.argsort(-distances, kind='stable')
    order = order[drawable[order]]
    people, bones = np.divmod(order, max(len(style.bones), 1))
    ends = _fixed_point(ends[people, bones], image)
    sizes = LIMB_METERS * pixels_per_meter[people[:, None], style.bones[bones]].mean(1)
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
    """Write the name of each person above their highest joint.

    Args:
        image (np.ndarray): Drawn on, BGR, uint8 (H, W, 3).
        names (list[str]): A name for each person.
        pixels (np.ndarray): Joint positions, (P, K, 2); NaN if unknown.
        size (int): Size of the font in pixels.
    """
    for name, joints in zip(names, pixels, strict=True):
        joints = joints[np.isfinite(joints).all(axis=1)]
        if len(joints):
            x, y = joints[joints[:, 1].argmin()]
            draw_text(image, name, (x, y - 1.2 * size), size, anchor='center')


def draw_shadows(
    image: np.ndarray, style: SkeletonStyle, pixels: np.ndarray, width: int
) -> None:
    """Draw shadows of people on the floor.

    Args:
        image (np.ndarray): Drawn on, BGR, uint8 (H, W, 3).
        style (SkeletonStyle): Bones.
        pixels (np.ndarray): Positions of the joints' shadows, (P, K, 2).
        width (int): Width of the bones' shadows in pixels.
    """
    ends = pixels[:, style.bones].reshape(-1, 2, 2)
    ends = ends[np.isfinite(ends).all((1, 2))]
    lines = _fixed_point(ends, image)
    cv2.polylines(image, list(lines), False, _SHADOW, width, cv2.LINE_AA, _SHIFT)


def draw_floor(
    image: np.ndarray, camera: VirtualCamera, extent: np.ndarray, cell: float
) -> None:
    """Draw a floor with a grid.

    Args:
        image (np.ndarray): Drawn on, BGR, uint8 (H, H, 3).
        camera (VirtualCamera): Camera of the view.
        extent (np.ndarray): Corners (x, y), low and high, in meters, (2, 2).
        cell (float): Side of a grid cell in meters.
    """
    (left, near), (right, far) = extent
    corners = [(left, near), (right, near), (right, far), (left, far)]
    xs = np.arange(left, right + cell / 2, cell)
    ys = np.arange(near, far + cell / 2, cell)
    lines = [((x, near), (x, far)) for x in xs] + [((left, y), (right, y)) for y in ys]
    ends = np.array([*pairwise([*corners, corners[0]]), *lines])
    points = np.linspace(ends[:, 0], ends[:, 1], _LINE_POINTS, axis=1)
    points = np.pad(points, ((0, 0), (0, 0), (0, 1)))  # z = 0
    positions, depths = camera.project(points)
    positions = _fixed_point(positions * image.shape[0], image)
    is_near = depths <= _NEAR_PLANE
    drawn = [line[~near] for line, near in zip(positions, is_near, strict=True)]
    outline = np.concatenate(drawn[:4])
    if len(outline):
        cv2.fillPoly(image, [outline], _FLOOR, cv2.LINE_AA, _SHIFT)
    grid = [line for line in drawn[4:] if len(line)]
    cv2.polylines(image, grid, False, _FLOOR_LINE, 1, cv2.LINE_AA, _SHIFT)


def draw_text(
    image: np.ndarray,
    text: str,
    position: tuple[float, float],
    size: int,
    color: tuple[int, int, int] = TEXT,
    anchor: str = 'left',
) -> int:
    """Write one line of outlined text.

    Args:
        image (np.ndarray): Drawn on, BGR, uint8 (H, W, 3). The text may end outside.
        text (str): The text.
        position (tuple[float, float]): Pixel (x, y), in the middle of its height.
        size (int): Size of the font in pixels.
        color (tuple[int, int, int]): BGR. Defaults to a light gray.
        anchor (str): Part of the text that is at ``position``: ``'left'``,
            ``'center'`` or ``'right'``. Defaults to 'left'.

    Returns:
        int: Width of the text in pixels.
    """
    through, added = _text_layers(text, size, color)
    height, width = through.shape[:2]
    shift = {'left': 0.0, 'center': 0.5, 'right': 1.0}[anchor] * width
    left = int(position[0] - shift)
    top = int(position[1] - height / 2)
    x = max(left, 0)
    y = max(top, 0)
    target = image[y : max(top + height, 0), x : max(left + width, 0)]
    if target.size:
        rows = slice(y - top, y - top + target.shape[0])
        columns = slice(x - left, x - left + target.shape[1])
        target[:] = target * through[rows, columns] + added[rows, columns]
    return width


def draw_legend(image: np.ndarray, position: tuple[float, float], size: int) -> None:
    """Draw a legend of the body sides.

    Args:
        image (np.ndarray): Drawn on, BGR, uint8 (H, W, 3).
        position (tuple[float, float]): Pixel (x, y) at its right end.
        size (int): Size of the font in pixels.
    """
    x, y = position
    for side, color in (('right', RIGHT), ('left', LEFT)):
        x -= draw_text(image, side, (x, y), size, FAINT_TEXT, 'right') + 0.65 * size
        center = [round(value * 2**_SHIFT) for value in (x, y)]
        radius = int(0.32 * size * 2**_SHIFT)
        cv2.circle(image, center, radius, color, -1, cv2.LINE_AA, _SHIFT)
        x -= size


def _fixed_point(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Convert pixels (..., 2) to OpenCV's fixed point numbers, int32.

    Far points are clipped, as OpenCV's numbers would overflow.
    """
    limit = 4 * max(image.shape[:2])
    return np.rint(np.clip(points, -limit, limit) * 2**_SHIFT).astype(np.int32)


@lru_cache(maxsize=512)
def _text_layers(
    text: str, size: int, color: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Render text as two layers: an image is multiplied by one, and the other added.

    Returns:
        tuple[np.ndarray, np.ndarray]: The transparency, 0 to 1, (H, W, 1), and the
        color of the text, BGR, (H, W, 3).
    """
    from PIL import Image, ImageDraw

    font = _font(size)
    ascent, descent = font.getmetrics()
    edge = max(2, size // 8)
    extent = int(np.ceil(font.getlength(text))) + 1 + 2 * edge, ascent + descent
    canvas = Image.new('RGBA', extent)
    ImageDraw.Draw(canvas).text(
        (edge, 0), text, color, font, stroke_width=edge, stroke_fill=_OUTLINE
    )
    # Colors are premultiplied by the opacity, as they are drawn on nothing.
    pixels = np.asarray(canvas, np.float32)
    # Results are cut to integers, and half a step more rounds them.
    return 1 - pixels[..., 3:] / 255, pixels[..., :3] + 0.5


@lru_cache(maxsize=32)
def _font(size: int):
    """Load DejaVu Sans, which is part of Matplotlib."""
    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'
    return ImageFont.truetype(str(file), size)
