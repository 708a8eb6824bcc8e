"""Crops of people: affine matrices, point mapping, and warping without aliasing."""

import cv2
import numpy as np

IMAGE_MEAN, IMAGE_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""ImageNet's colors, RGB, by which networks of images are normalized."""


def crop_matrix(
    box: np.ndarray, size: tuple[int, int], padding: float = 1.25
) -> np.ndarray:
    """Compute the affine matrix from an image to a crop around a bounding box.

    Args:
        box (np.ndarray): x1, y1, x2, y2 in pixels; its narrower side is widened.
        size (tuple[int, int]): Width and height of the crop in pixels.
        padding (float): Factor by which the box is enlarged. Defaults to 1.25.

    Returns:
        np.ndarray: Matrix for ``cv2.warpAffine``, (2, 3).
    """
    size = np.array(size, np.float64)
    box = np.asarray(box, np.float64)
    center, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).clip(1)
    zoom = (size / (extent * padding)).min()
    shift = size / 2 - zoom * center
    return np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])


def map_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) from the image into the crop."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def unmap_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) from the crop back into the image."""
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def warp_smoothly(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Warp an image as ``cv2.warpAffine`` does, without aliasing when it shrinks.

    ``cv2.warpAffine`` interpolates between four pixels at any scale. Here the image is
    first averaged over blocks of whole pixels.

    Args:
        image (np.ndarray): (H, W, C) or (H, W).
        matrix (np.ndarray): Affine matrix, (2, 3).
        size (tuple[int, int]): Width and height of the result.

    Returns:
        np.ndarray: (height, width, C) or (height, width).
    """
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    block = int(min(1 / max(zoom, 1e-6), *image.shape[:2]))
    if block > 1:
        # pad to whole blocks, so that each pixel of the small image is a square
        height, width = (block * -(-length // block) for length in image.shape[:2])
        bottom, right = height - image.shape[0], width - image.shape[1]
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        small = (width // block, height // block)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        block_center = np.full(2, (block - 1) / 2)
        shift = matrix[:, :2] @ block_center + matrix[:, 2]
        matrix = np.column_stack([block * matrix[:, :2], shift])
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
