"""Pictures of single people, cut out of larger ones."""

import cv2
import numpy as np


def crop_matrix(
    box: np.ndarray, size: tuple[int, int], padding: float = 1.25
) -> np.ndarray:
    """Map a picture onto a crop that shows a box upright, with room around it.

    Args:
        box (np.ndarray): x1, y1, x2, y2 in pixels; its narrower side is widened.
        size (tuple[int, int]): Width and height of the crop in pixels.
        padding (float): Factor on the box.

    Returns:
        np.ndarray: Affine matrix for ``cv2.warpAffine``, (2, 3).
    """
    wanted = np.array(size, np.float64)
    box = np.asarray(box, np.float64)
    center, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).clip(1)
    zoom = (wanted / (extent * padding)).min()
    shift = wanted / 2 - zoom * center
    return np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])


def map_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) of the picture into the crop."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def unmap_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) of the crop back into the picture."""
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def warp_smoothly(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Warp a picture by ``cv2.warpAffine`` without aliasing.

    That looks at four pixels for one of the result, even of where the result is ten
    times smaller. Here whole pixels are averaged first, as many as make one.

    Args:
        image (np.ndarray): (H, W, C) or (H, W).
        matrix (np.ndarray): Affine matrix, (2, 3).
        size (tuple[int, int]): Width and height of the result.

    Returns:
        np.ndarray: (height, width, C) or (height, width).
    """
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    step = int(min(1 / max(zoom, 1e-6), *image.shape[:2]))
    if step > 1:
        # to whole steps: then pixels of the small picture are squares of large ones
        height, width = (step * -(-length // step) for length in image.shape[:2])
        missing = height - image.shape[0], width - image.shape[1]
        image = cv2.copyMakeBorder(
            image, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE
        )
        image = cv2.resize(
            image, (width // step, height // step), interpolation=cv2.INTER_AREA
        )
        middle = np.full(2, (step - 1) / 2)  # of a square
        shift = matrix[:, :2] @ middle + matrix[:, 2]
        matrix = np.column_stack([step * matrix[:, :2], shift])
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
