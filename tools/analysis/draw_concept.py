"""Draw README's figure: group token pruning, the hourglass, and a lifted video.

Example::

    python -m tools.analysis.draw_concept docs/images/dance.jpg docs/images/concept.png
"""

import argparse
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser

GRID = 16
INK, FAINT = '#20242b', '#e3e6ea'
COLORS = {'head': '#4d9ff0', 'upper body': '#2fae5f', 'lower body': '#ee7f22'}
# Joints of a drawn person, x and y in patches, y down.
JOINTS = {
    'head': [(7.7, 1.9), (7.4, 1.5), (8.3, 1.5), (7.0, 1.8), (8.8, 1.8)],
    'upper body': [(6.2, 4.3), (9.8, 4.3), (4.2, 6.2), (11.9, 5.9), (3.0, 4.2)]
    + [(13.2, 4.0)],
    'lower body': [(6.9, 8.6), (9.2, 8.6), (6.2, 11.6), (10.2, 11.6), (5.8, 14.6)]
    + [(10.9, 14.6)],
}
LIMBS = {
    'upper body': [(4, 2), (2, 0), (0, 1), (1, 3), (3, 5)],
    'lower body': [(4, 2), (2, 0), (0, 1), (1, 3), (3, 5)],
}
# One panel a stretch of layers: its title and how many patches each group keeps.
STAGES = (('layers 1-3', 256), ('4-6', 179), ('7-9', 76), ('10-12', 25))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('result', type=Path, help='summary image of a lifted video')
    parser.add_argument('target', type=Path, help='the .png to write')
    return parser.parse_args()


def nearest_patches(joints: list[tuple[float, float]], count: int) -> np.ndarray:
    """Return the (count, 2) patches, column and row, that lie closest to joints."""
    row, column = np.divmod(np.arange(GRID**2), GRID)
    patches = np.stack((column, row), axis=1)
    offsets = patches[:, None] + 0.5 - np.array(joints)
    distances = np.linalg.norm(offsets, axis=-1).min(axis=1)
    return patches[np.argsort(distances, kind='stable')[:count]]


def draw_patches(axes, patches: np.ndarray, color: str, alpha: float) -> None:
    """Draw unit squares at columns and rows."""
    from matplotlib.patches import Rectangle

    for column, row in patches:
        square = Rectangle(
            (column, row), 1, 1, facecolor=color, edgecolor='white', alpha=alpha, lw=0.4
        )
        axes.add_patch(square)


def draw_person(axes) -> None:
    """Draw the joints and limbs of the person in their group's color."""
    from matplotlib.patches import Ellipse

    for group, pairs in LIMBS.items():
        joints = JOINTS[group]
        for start, end in pairs:
            xs, ys = zip(joints[start], joints[end], strict=True)
            axes.plot(xs, ys, color=COLORS[group], lw=1.8, solid_capstyle='round')
    upper, lower = JOINTS['upper body'], JOINTS['lower body']
    middles = [np.mean(joints[:2], axis=0) for joints in (upper, lower)]
    trunk = [(7.9, 3.1), *middles]
    axes.plot(*np.transpose(trunk), color=INK, lw=1.8)
    axes.add_patch(Ellipse((7.9, 1.8), 2.6, 2.7, fill=False, color=INK, lw=1.2))
    for group, joints in JOINTS.items():
        axes.scatter(*np.transpose(joints), s=7, color=COLORS[group], zorder=3, lw=0)


def draw_group_pruning(panels) -> None:
    """Draw the patches that remain: of all groups first, then of each."""
    everything = [joint for joints in JOINTS.values() for joint in joints]
    for axes, (title, count) in zip(panels, STAGES, strict=True):
        draw_patches(axes, nearest_patches(everything, GRID**2), FAINT, 0.55)
        if count > 100:
            draw_patches(axes, nearest_patches(everything, count), '#8b94a3', 0.75)
        else:
            for group, joints in JOINTS.items():
                draw_patches(axes, nearest_patches(joints, count), COLORS[group], 0.45)
        draw_person(axes)
        kept = f'{count}' if count > 100 else f'3 x {count}'
        axes.set_title(f'{title}: {kept}', fontsize=8, color=INK, pad=3)
        axes.set(xlim=(0, GRID), ylim=(GRID, 0), aspect=4 / 3, xticks=[], yticks=[])
        axes.axis('off')


def draw_hourglass(axes) -> None:
    """Draw the frames that each layer of a pruned lifter sees."""
    frames, kept = np.arange(27), np.arange(1, 27, 3)
    places = 9 + np.arange(9)
    color = '#7a5bd0'
    rows = [(0, frames, 'all frames'), (1, frames, ''), (2, places, 'pruner')]
    rows += [(3, places, 'kept frames only'), (4, places, ''), (5, places, '')]
    rows += [(6, frames, 'recoverer'), (7, frames, 'a 3D pose for each frame')]
    for row, columns, label in rows:
        axes.scatter(columns, np.full(len(columns), row), s=13, marker='s', color=color)
        axes.text(27.6, row, label, fontsize=8, va='center', color=INK)
    for frame, place in zip(kept, places, strict=True):
        axes.plot([frame, place, place], [1.2, 1.8, 5.2], color=color, lw=0.6)
        for neighbor in (frame - 1, frame, frame + 1):
            axes.plot([place, neighbor], [5.2, 5.8], color=color, lw=0.5, alpha=0.6)
    axes.set(xlim=(-1, 41), ylim=(7.7, -0.7))
    axes.axis('off')


def draw(args: argparse.Namespace) -> None:
    """Draw the three parts side by side."""
    from matplotlib import pyplot as plt

    image = plt.imread(args.result)
    figure = plt.figure(figsize=(11, 4), facecolor='white', layout='constrained')
    concept, result = figure.subfigures(1, 2, width_ratios=(7, 4))
    above, below = concept.subfigures(2, 1, height_ratios=(1.1, 1))
    above.suptitle(
        'Image to 2D keypoints: patches kept for each group of keypoints (GTPT)',
        fontsize=9, fontweight='bold', color=INK,
    )  # fmt: skip
    draw_group_pruning(above.subplots(1, 4))
    below.suptitle(
        '2D keypoints to 3D poses: an hourglass of frames (HoT)',
        fontsize=9, fontweight='bold', color=INK,
    )  # fmt: skip
    draw_hourglass(below.subplots())
    result.suptitle(
        'A video lifted by the shipped weights',
        fontsize=9, fontweight='bold', color=INK,
    )  # fmt: skip
    axes = result.subplots()
    # the title above the panels is left out, and of six columns two remain
    height, width = image.shape[:2]
    axes.imshow(image[round(0.066 * height) :, width // 2 : round(0.8333 * width)])
    axes.axis('off')
    figure.savefig(args.target, dpi=150)


if __name__ == '__main__':
    draw(parse_args())
