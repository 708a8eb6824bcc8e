"""Pictures of single people, cut out of larger ones."""

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
    centre, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).clip(1)
    zoom = (wanted / (extent * padding)).min()
    shift = wanted / 2 - zoom * centre
    return np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])


def map_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) of the picture into the crop."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def unmap_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) of the crop back into the picture."""
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
