"""2D keypoints of a clip, whatever file they come from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Track2D:
    """One person through a clip.

    Attributes:
        track (int): The person's number.
        frames (np.ndarray): Frame numbers, sorted and unique, (T,) int64.
        keypoints (np.ndarray): Pixels, NaN where missing, (T, K, 2) float32.
        scores (np.ndarray): Confidence, 0 where missing, (T, K) float32.
        bboxes (np.ndarray | None): Boxes as x1, y1, x2, y2, (T, 4) float32.
    """

    track: int
    frames: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray | None = None


@dataclass
class Clip2D:
    """The people of one clip.

    Attributes:
        name (str): The clip, from the file's name.
        skeleton (str): Joint order of the keypoints, as in `mmhot.skeletons`.
        tracks (list[Track2D]): One entry a person, by track number.
        width (int): Picture width in pixels.
        height (int): Picture height in pixels.
        fps (float): Frames per second.
        source (Path): The file or folder it was read from.
    """

    name: str
    skeleton: str
    tracks: list[Track2D]
    width: int
    height: int
    fps: float
    source: Path
