"""Make the template of the mannequins, ``mmhot/io/writers/mannequin.npz``.

:mod:`tools.isosurface` finds the surface of limbs that stand with lowered arms, and
heat that spreads over it from the bones gives the skinning weights, as in Pinocchio
(https://doi.org/10.1145/1276377.1276467). Example::

    python -m tools.make_mannequin
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.special import logsumexp

from mmhot.io.atomic import replacing
from mmhot.io.writers.mannequin import (
    ANKLE,
    DOWN,
    JOINTS,
    OVER,
    SHOULDER,
    TEMPLATE,
    nearest_bones,
)
from mmhot.io.writers.rigs import HUMAN_IK
from tools.isosurface import extract_surface, spread_heat

# Centimeters, as in mmhot.io.writers.mannequin.
_BLEND, _GROOVE = 1.1, 0.8  # rounding between limbs, and between fingers
_INFLUENCES = 3  # joints that move a vertex
_SOLE = ANKLE[1] - 8
# Cross sections along straight axes: place, half of the width and of the depth, and
# the center's distance from the axis in the direction of the depth.
_TRUNK = (
    (-6, 6.5, 7.0, 0.0),
    (-1, 12.6, 9.0, -0.5),
    (4, 14.2, 9.6, -0.8),  # pelvis
    (12, 13.4, 9.3, -1.0),
    (20, 12.7, 9.0, -1.2),  # waist
    (28, 12.8, 9.8, -1.4),
    (37, 14.4, 11.0, -1.2),
    (44, 14.8, 10.4, -1.2),  # chest
    (49, 12.0, 7.6, -1.6),
    (53, 6.5, 5.2, -1.4),
)
_LEG = (
    (-3, 7.4, 8.4, 0.0),
    (4, 8.4, 9.0, -0.3),
    (12, 8.2, 8.8, 0.1),  # thigh
    (25, 7.1, 7.6, 0.4),
    (36, 5.7, 6.3, 0.3),
    (43, 5.2, 5.8, 0.2),  # knee
    (50, 5.1, 5.8, -0.9),
    (57, 5.4, 6.1, -1.4),  # calf
    (67, 4.3, 4.7, -0.9),
    (77, 3.3, 3.8, -0.4),
    (87, 3.3, 3.7, -0.6),
)
_ARM = (
    (-1, 5.4, 5.2, 0.0),
    (5, 5.7, 5.6, 0.0),  # shoulder
    (12, 4.9, 4.7, 0.0),
    (21, 4.3, 4.1, 0.0),
    (29, 3.8, 3.6, 0.0),  # elbow
    (35, 4.1, 3.7, 0.0),
    (45, 3.3, 2.8, 0.0),
    (54, 2.7, 2.0, 0.0),  # wrist
)
_FOOT = (  # from the heel
    (0, 3.1, 4.6, 4.8),
    (5, 3.4, 4.6, 4.8),
    (11, 3.8, 3.8, 4.0),
    (18, 4.6, 2.8, 3.0),
    (22, 4.2, 2.1, 2.3),
    (24, 3.2, 1.6, 1.8),
)
# Ellipsoids: center and radii.
_ROUND = (
    ((7.6, -1.5, -5.0), (6.8, 7.6, 6.4)),  # buttock
    ((7.0, 41.0, 4.2), (7.0, 6.0, 4.2)),  # chest
)
_HEAD = (
    ((0, 69.4, 0.8), (7.4, 9.8, 9.4)),  # skull
    ((0, 62.8, 4.2), (5.3, 5.6, 6.0)),  # jaw
    ((7.4, 67.2, -0.4), (1.2, 3.0, 2.0)),  # ear
)
# Joints that move the parts of the body.
_MOVES = {
    'trunk': ('root', 'spine_0', 'spine_1', 'spine_2', 'clavicle'),
    'head': ('thorax', 'neck_base'),
    'arm': ('shoulder', 'elbow', 'wrist'),
    'leg': ('hip', 'knee', 'foot', 'toe'),
}
# Of the hand from the wrist: along, towards the thumb, up from the palm; both ends,
# and their radii.
_FINGERS = (
    ((1.0, 1.0, 0.0), (8.8, 2.6, 0.0), 1.5, 1.3),
    ((1.0, 0.3, 0.0), (9.3, 0.9, 0.2), 1.5, 1.3),
    ((1.0, -0.3, 0.0), (9.0, -0.9, 0.1), 1.5, 1.3),
    ((1.0, -1.0, 0.0), (8.3, -2.5, -0.2), 1.4, 1.2),
    ((8.8, 2.6, 0.0), (16.0, 2.7, -1.6), 1.1, 0.9),
    ((9.3, 0.9, 0.2), (17.0, 0.9, -1.6), 1.1, 0.9),
    ((9.0, -0.9, 0.1), (16.2, -0.9, -1.7), 1.1, 0.9),
    ((8.3, -2.5, -0.2), (14.2, -2.6, -1.8), 1.0, 0.9),
    ((1.5, 1.5, -0.6), (5.0, 4.6, -1.4), 1.5, 1.3),
    ((5.0, 4.6, -1.4), (9.2, 6.2, -2.2), 1.3, 1.0),
)
# Steps of the grid, by the place up to which each is used, along x (half), y and z.
_STEPS = (
    ((48, 2.5), (71, 1.4)),
    ((-84, 1.7), (-6, 3.6), (14, 1.6), (55, 2.8), (82, 1.8)),
    ((-6, 2.4), (6, 1.7), (22, 2.4)),
)
_START = (0.0, _SOLE - 1.4, -15.0)


def make_template() -> dict[str, np.ndarray]:
    """Make vertices (V, 3), faces (F, 3), joints and weights (V, 3), arms lowered."""
    axes = []
    for start, steps in zip(_START, _STEPS, strict=True):
        ticks = [start]
        for stop, step in steps:
            count = max(round((stop - ticks[-1]) / step), 1)
            ticks += np.linspace(ticks[-1], stop, count + 1)[1:].tolist()
        axes.append(np.array(ticks))
    half = axes[0]
    axes[0] = np.concatenate([-half[:0:-1], half])
    vertices, faces = extract_surface(_distance, axes)
    rest = np.array([_template_joint(joint) for joint in HUMAN_IK.joints])
    parents = list(HUMAN_IK.skeleton.parents)
    for side in ('left', 'right'):  # and the toe's end
        parents += [HUMAN_IK.joints.index(f'{side}_foot'), len(parents)]
    names = HUMAN_IK.joints
    heat, parts = np.zeros((len(vertices), len(names))), _parts(vertices)
    own = np.stack([*parts.values()]).argmin(0)
    for number, part in enumerate(parts):
        # bones of the part that a vertex belongs to
        moves = [names[above].endswith(_MOVES[part]) for above in parents]
        above = np.where(moves, parents, -1).tolist()
        rows = np.flatnonzero(own == number)
        ends, along = nearest_bones(vertices[rows], rest, above)
        bones = rest[ends[:, 1]] - rest[ends[:, 0]]
        arms = vertices[rows] - rest[ends[:, 0]] - along[:, None] * bones
        heat[rows, ends[:, 0]] = 1 / (arms**2).sum(1).clip(0.01)
    dense = spread_heat(vertices, faces, heat)
    joints = np.argsort(-dense, axis=1)[:, : _INFLUENCES + 1]
    weights = np.take_along_axis(dense, joints, axis=1)
    # less the next one, so that joints come and go without a jump
    joints, weights = joints[:, :-1], weights[:, :-1] - weights[:, -1:]
    weights = (255 * weights / weights.sum(1, keepdims=True)).round()
    weights[:, 0] += 255 - weights.sum(1)
    joints[weights == 0] = 0
    return {
        'vertices': vertices.astype(np.float32),
        'faces': faces.astype(np.uint16),
        'joints': joints.astype(np.uint8),
        'weights': weights.astype(np.uint8),
    }


def _template_joint(joint: str) -> np.ndarray:
    left = np.array(JOINTS[joint.replace('right', 'left')], np.float64)
    return left * (-1, 1, 1) if 'right' in joint else left


def _distance(points: np.ndarray) -> np.ndarray:
    """Return about the distances of points (..., 3) from the surface, inside < 0."""
    return _union([*_parts(points).values()], _BLEND)


def _parts(points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the distances of points (..., 3) from each part, keys of ``_MOVES``."""
    points = np.abs(points * (1, 0, 0)) + points * (0, 1, 1)  # both sides are equal
    left, up, forward = np.eye(3)
    trunk = [
        _tube(points, np.zeros(3), up, left, _TRUNK),
        _capsule(points, (2.5, 54, -1.8), (16, 51, -1.2), 4.2, 4.6),  # shoulder
        *(_ellipsoid(points, *shape) for shape in _ROUND),
    ]
    head = [
        _capsule(points, (0, 48, -2.2), (0, 64, 1.2), 5.6, 5.2),  # neck
        _capsule(points, (0, 68.6, 9.4), (0, 65.6, 10.9), 1.0, 1.4),  # nose
        *(_ellipsoid(points, *shape) for shape in _HEAD),
    ]
    axes, wrist = np.stack([DOWN, forward, OVER]), np.array(JOINTS['left_wrist'])
    hand = [
        _capsule(points, wrist + start @ axes, wrist + end @ axes, *radii)
        for start, end, *radii in _FINGERS
    ]
    arm = [_tube(points, SHOULDER, DOWN, forward, _ARM), _union(hand, _GROOVE)]
    foot = _tube(points, np.array([9.6, _SOLE - 0.2, -5.0]), forward, left, _FOOT)
    leg = [
        _tube(points, np.array(JOINTS['left_hip']), -up, left, _LEG),
        np.maximum(foot, _SOLE - points[..., 1]),
    ]
    parts = dict(trunk=trunk, head=head, arm=arm, leg=leg)
    return {part: _union(shapes, _BLEND) for part, shapes in parts.items()}


def _union(distances: Sequence[np.ndarray], blend: float) -> np.ndarray:
    return -blend * logsumexp(-np.stack(distances) / blend, axis=0)


def _ellipsoid(
    points: np.ndarray, center: ArrayLike, radii: Sequence[float]
) -> np.ndarray:
    away = np.subtract(points, center) / radii
    return (np.linalg.norm(away, axis=-1) - 1) * min(radii)


def _capsule(
    points: np.ndarray, start: ArrayLike, end: ArrayLike, first: float, last: float
) -> np.ndarray:
    arms, bone = np.subtract(points, start), np.subtract(end, start)
    share = (arms @ bone / (bone @ bone)).clip(0, 1)
    away = np.linalg.norm(arms - share[..., None] * bone, axis=-1)
    return away - first - share * (last - first)


def _tube(
    points: np.ndarray,
    start: np.ndarray,
    along: np.ndarray,
    wide: np.ndarray,
    sections: Sequence[tuple[float, float, float, float]],
) -> np.ndarray:
    table = np.array(sections)
    deep = np.cross(wide, along)
    deep *= np.sign(deep.sum())  # forward or up
    arms = points - start
    place = arms @ along
    inside = place.clip(*table[[0, -1], 0])
    width, depth, center = np.moveaxis(
        PchipInterpolator(table[:, 0], table[:, 1:])(inside), -1, 0
    )
    least = np.minimum(width, depth)
    parts = (
        arms @ wide / width,
        (arms @ deep - center) / depth,
        (place - inside) / least,
    )
    return (np.sqrt(sum(part**2 for part in parts)) - 1) * least


def main() -> None:
    """Write the file."""
    with replacing(TEMPLATE) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **make_template())


if __name__ == '__main__':
    main()
