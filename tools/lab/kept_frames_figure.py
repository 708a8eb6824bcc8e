"""Pictures of which frames of a window a hourglass lifter keeps."""

from collections.abc import Mapping

import cv2
import numpy as np

from mmhot.visualization import drawing

_KEPT = drawing.LEFT
_CURVE = (112, 96, 84)


def draw_kept_frames(
    keypoints: np.ndarray,
    kept: Mapping[str, np.ndarray],
    rig: drawing.SkeletonStyle,
    fps: float,
    num_poses: int = 9,
    width: int = 1600,
) -> np.ndarray:
    """Draw a window's poses, how fast they move, and the frames kept.

    Args:
        keypoints (np.ndarray): 2D poses of the window, pixels, (T, K, 2).
        kept (Mapping[str, np.ndarray]): Frames kept, 0 to T - 1, by a name for each
            row of marks.
        rig (Rig): Bones and colors.
        fps (float): Frames per second, for the clock.
        num_poses (int): Evenly spaced poses to draw. Defaults to 9.
        width (int): Width of the picture in pixels. Defaults to 1600.

    Returns:
        np.ndarray: The picture, (H, W, 3) uint8, blue, green, red.
    """
    num_frames = len(keypoints)
    font = max(12, width // 70)
    left, cell = 7 * font, (width - 8 * font) // num_poses
    row, mark_width = 3 * font, max(1, width // 500)
    height = cell + (2 + len(kept)) * row + 4 * font
    image = np.full((height, width, 3), drawing.BACKGROUND, np.uint8)
    x_of = left + (np.arange(num_frames) + 0.5) / num_frames * cell * num_poses
    shown = ((np.arange(num_poses) + 0.5) / num_poses * num_frames).astype(int)
    _draw_poses(image[font:], keypoints[shown], rig, x_of[shown], cell)

    top = cell + 2 * font
    _draw_motion(image, keypoints, x_of, (top, top + 2 * row - font))
    drawing.draw_text(image, 'speed', (left - font, top + row), font, anchor='right')
    top += 2 * row
    for name, frames in kept.items():
        middle = top + row // 2
        drawing.draw_text(image, name, (left - font, middle), font, anchor='right')
        ends = (int(x_of[0]), middle), (int(x_of[-1]), middle)
        cv2.line(image, *ends, _CURVE, 1, cv2.LINE_AA)
        for x in x_of[np.asarray(frames)].astype(int):
            mark = slice(middle - font, middle + font), slice(x, x + mark_width)
            image[mark] = _KEPT
        top += row
    for frame in shown:
        text = f'{frame / fps:.1f} s'
        place = (x_of[frame], top + font)
        drawing.draw_text(image, text, place, font, drawing.FAINT_TEXT, 'center')
    return image


def motion_of(keypoints: np.ndarray) -> np.ndarray:
    """Mean step of the joints to each frame from the one before, (T,)."""
    steps = np.linalg.norm(np.diff(keypoints, axis=0), axis=-1)
    return np.concatenate([[0.0], np.nanmean(steps, axis=1)])


def _draw_poses(
    image: np.ndarray,
    poses: np.ndarray,
    rig: drawing.SkeletonStyle,
    centers: np.ndarray,
    cell: int,
) -> None:
    """Draw poses (P, K, 2) side by side, all of them to one scale."""
    low, high = np.nanmin(poses, axis=1), np.nanmax(poses, axis=1)  # (P, 2)
    scale = 0.9 * cell / max((high - low).max(), 1e-6)
    places = np.stack([centers, np.full(len(poses), cell / 2)], -1)
    moved = (poses - (low + high)[:, None] / 2) * scale + places[:, None]
    sizes = np.full(moved.shape[:2], cell / 2)  # a person of two meters fills a cell
    certain = np.ones(moved.shape[:2], bool)
    drawing.draw_people(image, rig, moved, sizes, certain)


def _draw_motion(
    image: np.ndarray, keypoints: np.ndarray, x_of: np.ndarray, rows: tuple[int, int]
) -> None:
    """Draw how far joints move from frame to frame, as an area."""
    top, bottom = rows
    motion = motion_of(keypoints)
    y_of = bottom - motion / max(motion.max(), 1e-6) * (bottom - top)
    outline = np.stack([x_of, y_of], -1)
    corners = [[x_of[-1], bottom], [x_of[0], bottom]]
    area = np.concatenate([outline, corners]).round().astype(np.int32)
    cv2.fillPoly(image, [area], _CURVE, cv2.LINE_AA)
