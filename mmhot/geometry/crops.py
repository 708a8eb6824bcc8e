"""Crops of people: affine matrices, point mapping, warping, peaks of SimCC vectors."""

import math

import cv2
import numpy as np

# Mean and standard deviation of ImageNet's colors, RGB, by which networks of images are
# normalized.
IMAGE_MEAN = (123.675, 116.28, 103.53)
IMAGE_STD = (58.395, 57.12, 57.375)


def crop_matrix(
    box: np.ndarray, size: tuple[int, int], padding: float = 1.25
) -> np.ndarray:
    """Compute the affine matrix from an image to a crop around a bounding box.

    Args:
        box (np.ndarray): x1, y1, x2, y2 in pixels, (4,). Its narrower side is widened
            to the shape of the crop.
        size (tuple[int, int]): Width and height of the crop in pixels.
        padding (float): Factor that enlarges the box. Defaults to 1.25.

    Returns:
        np.ndarray: Matrix, (2, 3).

    >>> matrix = crop_matrix(np.array([100, 100, 200, 300]), (96, 192), padding=1)
    >>> map_points(matrix, np.array([200, 300])).round(3).tolist()  # the lower corner
    [96.0, 192.0]
    """
    # Round as MMPose's get_warp_matrix does: equal matrices make equal crops.
    box = np.asarray(box, np.float32)
    center = (box[2:] + box[:2]) * 0.5
    extent = (box[2:] - box[:2]).clip(1) * padding
    half = 0.5 * max(extent[0], extent[1] * (size[0] / size[1]))
    side = np.asarray(center - [half, 0], np.float32)
    corner = side + [0, center[0] - side[0]]
    points = np.array([center, side, corner], np.float32)
    middle = size[0] / 2, size[1] / 2
    targets = np.array([middle, (0, middle[1]), (0, sum(middle))], np.float32)
    return cv2.getAffineTransform(points, targets)


def map_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) from an image into the crop of a :func:`crop_matrix`."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def unmap_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) from the crop of a :func:`crop_matrix` into the image."""
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def warp_smoothly(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Warp an image as ``cv2.warpAffine`` does, without aliasing when it shrinks.

    ``cv2.warpAffine`` interpolates between four pixels at any scale. Here the image is
    first averaged over blocks of whole pixels.

    Args:
        image (np.ndarray): Image, (H, W, C) or (H, W).
        matrix (np.ndarray): Affine matrix from the image to the result, (2, 3).
        size (tuple[int, int]): Width and height of the result.

    Returns:
        np.ndarray: Warped image, (height, width, C) or (height, width).
    """
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    block = int(min(1 / max(zoom, 1e-6), *image.shape[:2]))
    if block > 1:
        # Pad to whole blocks, so that each pixel of the small image is a square.
        height, width = image.shape[:2]
        bottom = -height % block
        right = -width % block
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        small = (image.shape[1] // block, image.shape[0] // block)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        block_center = np.full(2, (block - 1) / 2)
        shift = matrix[:, :2] @ block_center + matrix[:, 2]
        matrix = np.column_stack([block * matrix[:, :2], shift])
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)


def find_peaks(vectors: np.ndarray, smoothing: float) -> np.ndarray:
    """Find the peaks of SimCC vectors.

    The highest bin jumps where two bins are almost equal. So vectors are smoothed by a
    Gaussian, which joins peaks that are close. The result is the peak of the parabola
    through the highest bin and its neighbors.

    Args:
        vectors (np.ndarray): Scores of the bins, (..., bins).
        smoothing (float): Standard deviation of the Gaussian in bins; with 0, the
            result is the highest bin.

    Returns:
        np.ndarray: Positions in bins, (...).
    """
    if not smoothing:
        return vectors.argmax(-1)
    rows = np.ascontiguousarray(vectors, np.float32).reshape(-1, vectors.shape[-1])
    kernel = (2 * math.ceil(3 * smoothing) + 1, 1)
    smooth = cv2.GaussianBlur(rows, kernel, smoothing, borderType=cv2.BORDER_REPLICATE)
    highest = smooth.argmax(-1)
    bins = (highest + [[-1], [0], [1]]).clip(0, rows.shape[1] - 1)
    before, peak, after = smooth[np.arange(len(rows)), bins]
    bend = 2 * peak - before - after
    positions = highest + (after - before) / 2 / np.where(bend > 0, bend, 1)
    return positions.reshape(vectors.shape[:-1])
