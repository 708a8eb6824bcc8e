"""Surfaces where a function is zero, as triangles, and heat that spreads over them."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu


def extract_surface(
    function: Callable[[np.ndarray], np.ndarray],
    axes: Sequence[np.ndarray],
    rounds: int = 3,
    step: float = 1e-3,
) -> tuple[np.ndarray, np.ndarray]:
    """Find where a function changes its sign on a grid (surface nets).

    Args:
        function (Callable): Of points (..., 3), negative inside and positive at the
            grid's border; about a distance.
        axes (Sequence[np.ndarray]): Increasing coordinates of the grid's planes, which
            need not be even, along x, y and z.
        rounds (int): Of Newton's method, which moves vertices onto the surface.
        step (float): Of its differences, in the unit of the grid.

    Returns:
        tuple[np.ndarray, np.ndarray]: Vertices (V, 3), and triangles (F, 3) that are
        counter-clockwise from outside.
    """
    grid = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)
    values = function(grid)
    cells = np.array(values.shape) - 1
    sums, counts = np.zeros((cells.prod(), 3)), np.zeros(cells.prod())
    quads = []
    for axis, others in enumerate(((1, 2), (2, 0), (0, 1))):
        low, high = (
            np.moveaxis(values, axis, 0)[part] for part in (slice(-1), slice(1, None))
        )
        starts = np.argwhere((low < 0) != (high < 0))
        starts[:, : axis + 1] = np.roll(starts[:, : axis + 1], -1, axis=1)
        ends = starts + np.eye(3, dtype=int)[[axis]]
        first, last = (values[tuple(each.T)] for each in (starts, ends))
        share = (first / (first - last))[:, None]
        crossings = grid[tuple(starts.T)] * (1 - share) + grid[tuple(ends.T)] * share
        around = np.repeat(starts[:, None], 4, axis=1)
        around[:, (1, 2), others[0]] -= 1
        around[:, (2, 3), others[1]] -= 1
        corners = np.ravel_multi_index(tuple(np.moveaxis(around, -1, 0)), cells)
        np.add.at(sums, corners.ravel(), np.repeat(crossings, 4, axis=0))
        np.add.at(counts, corners.ravel(), 1)
        quads.append(np.where((first < 0)[:, None], corners, corners[:, ::-1]))
    used = np.flatnonzero(counts)
    vertices = sums[used] / counts[used, None]
    for _ in range(rounds):
        here = function(vertices)
        slopes = [(function(vertices + step * way) - here) / step for way in np.eye(3)]
        slope = np.stack(slopes, axis=-1)
        vertices -= slope * (here / (slope**2).sum(-1).clip(0.1))[:, None]
    a, b, c, d = np.searchsorted(used, np.concatenate(quads)).T
    # along the shorter diagonal
    short, long = (
        np.linalg.norm(vertices[x] - vertices[y], axis=-1) for x, y in ((a, c), (b, d))
    )
    is_first = (short <= long)[:, None]
    faces = [
        np.where(is_first, np.stack([a, b, c], 1), np.stack([a, b, d], 1)),
        np.where(is_first, np.stack([a, c, d], 1), np.stack([b, c, d], 1)),
    ]
    return vertices, np.concatenate(faces)


def spread_heat(
    vertices: np.ndarray, faces: np.ndarray, heat: np.ndarray
) -> np.ndarray:
    """Spread heat over a closed surface from sources near it.

    Args:
        vertices (np.ndarray): Of the surface, (V, 3).
        faces (np.ndarray): Its triangles, (F, 3).
        heat (np.ndarray): How strongly each of S sources heats each vertex, such as one
            over the squared distance, (V, S).

    Returns:
        np.ndarray: Shares of the sources in each vertex, which sum to 1, (V, S).
    """
    size = len(vertices)
    matrix, areas = coo_matrix((size, size)), np.zeros(size)
    for corner in range(3):
        own, first, second = (faces[:, (corner + n) % 3] for n in range(3))
        one, two = vertices[first] - vertices[own], vertices[second] - vertices[own]
        cross = np.linalg.norm(np.cross(one, two), axis=-1).clip(1e-9)
        # half of the angle's cotangent, for the edge across
        weight = ((one * two).sum(-1) / cross / 2).clip(0, 10)
        for row, column in ((first, second), (second, first)):
            matrix = matrix + coo_matrix((weight, (row, column)), (size, size))
        np.add.at(areas, own, cross / 6)
    heat = heat * areas[:, None]
    stiff = diags(np.asarray(matrix.sum(1)).ravel() + heat.sum(1)) - matrix
    return splu(stiff.tocsc()).solve(heat).clip(0)
