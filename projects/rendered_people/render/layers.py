"""Layers of MakeHuman's mesh, and coordinates on the body for garments."""

import numpy as np
from scipy.sparse import csr_matrix

from mmhot import get_skeleton
from projects.rendered_people.render.bodies import BROWS, BodyModel

_ARM_BONES = ('upperarm', 'lowerarm', 'wrist', 'finger', 'metacarpal')


class Layer:
    """Triangles of one layer, with indices into its own vertices.

    Args:
        triangles (np.ndarray): Indices into the whole mesh, (F, 3).
        place (np.ndarray): See :func:`garment_coordinates`.
        template (np.ndarray): Vertices of the mean body, (V, 3).

    Attributes:
        vertices (np.ndarray): Indices of its vertices in the whole mesh, (N,).
        triangles (np.ndarray): Indices into ``vertices``, counterclockwise from
            outside, int32 (F, 3).
        place (np.ndarray): Garment coordinates, (N, 3).
        rest_normals (np.ndarray): Normals on the mean body, (N, 3).
    """

    def __init__(
        self, triangles: np.ndarray, place: np.ndarray, template: np.ndarray
    ) -> None:
        self.vertices, local = np.unique(triangles, return_inverse=True)
        self.triangles = local.reshape(-1, 3).astype(np.int32)
        self.place = place[self.vertices]
        faces = np.repeat(np.arange(len(triangles)), 3)
        shape = (len(self.vertices), len(triangles))
        ones = np.ones(len(faces), np.float32)
        self._incidence = csr_matrix((ones, (self.triangles.ravel(), faces)), shape)
        rest = template[self.vertices]
        outwards = (rest - rest.mean(0)) * (1, 1, 0)
        # MakeHuman's layers differ in winding
        if np.sum(self.normals(rest) * outwards) < 0:
            self.triangles = np.ascontiguousarray(self.triangles[:, ::-1])
        self.rest_normals = self.normals(rest)

    def normals(self, position: np.ndarray) -> np.ndarray:
        """Outward normals of vertices at given positions, (N, 3)."""
        corners = position[self.triangles]
        edges = corners[:, 1:] - corners[:, :1]
        normals = self._incidence @ np.cross(edges[:, 0], edges[:, 1])
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return normals / np.maximum(length, 1e-12)


def coarsen(triangles: np.ndarray, points: np.ndarray, cell: float) -> np.ndarray:
    """Simplify triangles by merging the vertices in each cell of a grid."""
    used = np.unique(triangles)
    cells = np.floor(points[used] / cell).astype(int)
    _, first, group = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    merged = np.arange(len(points))
    merged[used] = used[first][group.ravel()]
    merged = merged[triangles]
    a, b, c = merged.T
    return np.unique(merged[(a != b) & (b != c) & (a != c)], axis=0)


def garment_coordinates(model: BodyModel) -> np.ndarray:
    """Compute coordinates at which garments and hair are cut.

    Args:
        model (BodyModel): Shared data of bodies.

    Returns:
        np.ndarray: Position along the arm (0 not on an arm, 1 wrist), height (0 ankles,
        1 hips, 2 neck), and decimeters above the hairline, (V, 3).
    """
    template, heads, bones = model.template, model.template_heads, model.bones
    levels = [heads[bones[name], 2] for name in ('foot.L', 'upperleg01.L', 'neck01')]
    below = levels[0] - (levels[1] - levels[0])
    above = levels[2] + (levels[2] - levels[1])
    height = np.interp(template[:, 2], [below, *levels, above], [-1, 0, 1, 2, 3])
    arm = np.zeros(len(template))
    for side in ('L', 'R'):
        parts = [
            index
            for name, index in bones.items()
            if name.startswith(_ARM_BONES) and name.endswith(side)
        ]
        inside = np.asarray(model.skin[:, parts].sum(1))[:, 0] > 0.5
        start, end = (
            heads[bones[f'{name}.{side}']] for name in ('upperarm01', 'wrist')
        )
        along = (template - start) @ (end - start) / np.sum((end - start) ** 2)
        arm[inside] = np.maximum(along[inside], 0.01)
    y, z = template[:, 1], template[:, 2]
    hairline = np.interp(y, (-0.13, -0.06, 0.04), (0.80, 0.765, 0.655))
    hair = np.where(z > 0.6, (z - hairline) * 10, -10)
    hair[model.masks['face'] > 0.5] -= 0.2
    return np.stack([arm, height, hair], 1)


def beard(model: BodyModel) -> np.ndarray:
    """Density of a beard at each vertex, (V,)."""
    x, y, z = model.template.T
    lips = model.masks['lips'] + model.masks['inside-mouth']
    on_face = (z > 0.6) & (z < 0.683) & (y < -0.055) & (lips < 0.3)
    return on_face * np.clip((0.085 - np.abs(x)) * 100, 0, 1)


def brows(model: BodyModel) -> np.ndarray:
    """Density of the eyebrows at each vertex, (V,)."""
    face = get_skeleton('coco-wholebody-133').indices('face')
    line = (model.regressor @ model.template)[face][BROWS]
    distance = np.linalg.norm(model.template[:, None] - line, axis=-1).min(1)
    return np.clip((0.011 - distance) / 0.004, 0, 1)
