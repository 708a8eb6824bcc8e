"""Many people on one picture, each with the keypoints found and their labels."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmhot.crops import crop_matrix, map_points
from mmhot.io.arrays import write_png
from mmhot.skeletons.joints import Skeleton
from mmhot.visualization.drawing import (
    BACKGROUND,
    draw_people,
    draw_text,
    side_color,
    skeleton_style,
)
from tools.lab.keypoint_errors import LabeledPeople
from tools.lab.labeled_images import load_image

_TILE = (150, 200)  # width and height in pixels
_PADDING = 1.35
_METERS = 1.7  # what a box is taken to be high, for the limbs' widths


def draw_worst(
    samples: Sequence[dict],
    people: LabeledPeople,
    skeleton: Skeleton,
    path: Path,
    number: int = 60,
    columns: int = 12,
) -> None:
    """Draw the people of lowest OKS, the worst first.

    Limbs are what the model found, rings the labels, in the colors of their sides.

    Args:
        samples (Sequence[dict]): MMPose's data info of each person.
        people (LabeledPeople): What was found.
        skeleton (Skeleton): Of the keypoints.
        path (Path): The PNG file to write.
        number (int): Most people on it. Defaults to 60.
        columns (int): People beside each other. Defaults to 12.
    """
    oks = people.oks()
    order = np.argsort(np.where(np.isnan(oks), np.inf, oks), kind='stable')[:number]
    rows = -(-len(order) // columns)
    width, height = _TILE
    sheet = np.full((rows * height, columns * width, 3), BACKGROUND, np.uint8)
    for place, person in enumerate(order):
        tile = _tile(load_image(samples[person]), people, person, skeleton)
        draw_text(tile, f'{oks[person]:.2f}', (4, 10), 13)
        top, left = divmod(place, columns)
        sheet[top * height :, left * width :][:height, :width] = tile
    write_png(path, sheet)


def _tile(
    image: np.ndarray, people: LabeledPeople, person: int, skeleton: Skeleton
) -> np.ndarray:
    """Draw one person, (height, width, 3)."""
    box = people.bboxes[person]
    matrix = crop_matrix(box, _TILE, _PADDING)
    tile = cv2.warpAffine(image, matrix, _TILE, borderValue=BACKGROUND)
    scale = matrix[0, 0] * (box[3] - box[1]) / _METERS
    found = map_points(matrix, people.predicted[person])[None]
    everywhere = np.ones(found.shape[:2])
    rig = skeleton_style(skeleton.joints, skeleton.parents)
    draw_people(tile, rig, found, scale * everywhere / 2, everywhere > 0)
    labels = map_points(matrix, people.truth[person]).round().astype(int)
    for joint in np.flatnonzero(people.labeled[person]):
        color = side_color(skeleton.joints[joint])
        cv2.circle(tile, labels[joint].tolist(), 4, color, 1, cv2.LINE_AA)
    return tile
