"""Simulated detections of crossing people from motion capture, with identities.

The simulated detector misses people who are mostly occluded, shrinks boxes to the
visible part, takes some occluded joints from the person in front, and has false
positives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmhot.skeletons.joints import get_skeleton
from mmhot.video.people import People

_H36M = get_skeleton('h36m-17')
_PARENTS, _CHILDREN = np.array(_H36M.bones).T
_SIZE = np.array([1280, 720])
_FOCAL = 1000.0
# Meters around bones that occlude.
_THICKNESS = 0.1
# Seconds of a crossing, and between independent values of slow keypoint errors.
_SECONDS, _SLOW = 8.0, 0.2


@dataclass
class Crossing:
    """Detections of a clip with their identities.

    Attributes:
        people (list[People]): Of each frame, in any order, Human3.6M-17.
        owners (list[np.ndarray]): Person of each, -1 for a false positive, (P,).
    """

    people: list[People]
    owners: list[np.ndarray]


def make_crossing(
    clips: Sequence[np.ndarray],
    seed: int,
    num_people: int = 5,
    fps: float = 25.0,
    spread: float = 1.2,
    wall: float = 0.0,
) -> Crossing:
    """Simulate eight seconds of crossing people.

    Args:
        clips (Sequence[np.ndarray]): Motions to sample, meters, z up, 50 fps,
            (T, 17, 3).
        seed (int): Random seed.
        num_people (int): Defaults to 5.
        fps (float): Frames per second. Defaults to 25.
        spread (float): Standard deviation of positions halfway, meters.
            Defaults to 1.2.
        wall (float): Width in pixels of a wall before the image's center. Defaults
            to 0.
    """
    rng = np.random.default_rng(seed)
    pixels, depth = _project(_place(clips, rng, num_people, fps, spread), rng)
    detector = _NoisyDetector(rng, pixels, depth, fps, wall)
    frames = [detector.detect(frame) for frame in range(pixels.shape[1])]
    return Crossing([people for people, _ in frames], [owners for _, owners in frames])


def _place(
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    num_people: int,
    fps: float,
    spread: float,
) -> np.ndarray:
    """Joints (P, T, 17, 3) in meters, NaN outside of a person's motion."""
    num_frames = round(_SECONDS * fps)
    joints = np.full((num_people, num_frames, 17, 3), np.nan)
    for person in range(num_people):
        clip = clips[rng.integers(len(clips))]
        clip = clip[np.arange(0, len(clip) - 1, 50 / fps).round().astype(int)]
        clip = clip[rng.integers(max(len(clip) - num_frames, 0) + 1) :][:num_frames]
        turn = rng.uniform(0, 2 * np.pi)
        cos, sin = np.cos(turn), np.sin(turn)
        moved = clip - clip[len(clip) // 2, 0] * [1, 1, 0]
        moved = moved @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        start = rng.integers(num_frames - len(clip) + 1)
        joints[person, start : start + len(clip)] = moved + [
            *rng.normal(0, spread, 2),
            0,
        ]
    return joints


def _project(
    joints: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (P, T, 17, 2), NaN behind the camera, and depth (P, T, 17)."""
    eye = np.array([0, -rng.uniform(5.5, 9), rng.uniform(1.4, 3.5)])
    ahead = np.array([0, 0, 0.9]) - eye
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0, 0, 1])
    right /= np.linalg.norm(right)
    in_camera = (joints - eye) @ np.stack([right, np.cross(ahead, right), ahead]).T
    depth = in_camera[..., 2]
    depth = np.where(depth > 0.5, depth, np.nan)
    return in_camera[..., :2] / depth[..., None] * _FOCAL + _SIZE / 2, depth


@dataclass
class _NoisyDetector:
    """Detects people in a projected crossing, with errors of real detectors."""

    rng: np.random.Generator
    pixels: np.ndarray
    depth: np.ndarray
    fps: float
    wall: float

    def __post_init__(self) -> None:
        num_people, num_frames = self.pixels.shape[:2]
        keys = np.arange(0, num_frames + _SLOW * self.fps + 1, _SLOW * self.fps)
        drawn = self.rng.normal(0, 1, (num_people, len(keys), 17, 2))
        place = np.arange(num_frames) / (_SLOW * self.fps)
        before, part = place.astype(int), (place % 1)[:, None, None]
        self.slow = drawn[:, before] * (1 - part) + drawn[:, before + 1] * part

    def detect(self, frame: int) -> tuple[People, np.ndarray]:
        """Detections of a frame and their identities."""
        found, nearer = [], []
        for person in np.argsort(self.depth[:, frame, 0]):
            joints = self.pixels[person, frame]
            outside = ~((joints >= 0) & (joints < _SIZE)).all(-1)
            if not np.isfinite(joints).all() or outside.mean() > 0.6:
                continue
            hidden, occluder = self._occlusion(joints, frame, nearer)
            nearer.append(person)
            detection = self._detect(person, frame, hidden | outside, occluder)
            if detection is not None and not _is_suppressed(detection[0], found):
                found.append((*detection, person))
        if self.rng.random() < 0.03:
            found.append((*self._false_positive(), -1))
        order = self.rng.permutation(len(found))
        return _as_people([found[row] for row in order])

    def _occlusion(
        self, joints: np.ndarray, frame: int, nearer: list[int]
    ) -> tuple[np.ndarray, int | None]:
        """Occluded joints (17,), and the person who occludes most of them."""
        hidden = abs(joints[:, 0] - _SIZE[0] / 2) < self.wall / 2
        occluder = None
        for other in nearer:
            width = _THICKNESS * _FOCAL / self.depth[other, frame].mean()
            behind = _distance(joints, self.pixels[other, frame]) < width
            if (behind & ~hidden).sum() > 2:
                occluder = other
            hidden = hidden | behind
        return hidden, occluder

    def _detect(
        self, person: int, frame: int, hidden: np.ndarray, occluder: int | None
    ) -> tuple[np.ndarray, float, np.ndarray, np.ndarray] | None:
        """Box (4,), its score, keypoints (17, 2) and scores (17,); None if missed."""
        rng, share = self.rng, hidden.mean()
        if rng.random() < (0.02 + 0.25 * share if share < 0.6 else 0.9):
            return None
        joints = self.pixels[person, frame]
        height = np.ptp(joints[:, 1])
        noise = 0.008 * self.slow[person, frame] + 0.005 * rng.normal(size=(17, 2))
        noise[hidden] += 0.05 * rng.normal(size=(hidden.sum(), 2))
        points = joints + height * noise
        scores = np.where(hidden, rng.uniform(0.1, 0.5, 17), rng.uniform(0.6, 0.95, 17))
        if occluder is not None and rng.random() < 0.4:
            points[hidden] = self.pixels[occluder, frame][hidden]
            points[hidden] += 0.01 * height * rng.normal(size=(hidden.sum(), 2))
            scores[hidden] += 0.2
        visible = joints[~hidden] if (~hidden).sum() > 3 else joints
        margin = 0.08 * np.ptp(visible, 0) + 0.03 * height
        box = np.r_[visible.min(0) - margin, visible.max(0) + margin]
        box += 0.02 * height * rng.normal(size=4)
        score = np.clip(0.9 - 0.7 * share + 0.05 * rng.normal(), 0.12, 0.99)
        return box.clip(0, [*_SIZE, *_SIZE]), score, points, scores

    def _false_positive(self) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
        rng = self.rng
        center, height = rng.uniform([100, 200], _SIZE - 100), rng.uniform(80, 250)
        half = np.array([height / 4, height / 2])
        points = center + height / 5 * rng.normal(size=(17, 2))
        box = np.r_[center - half, center + half]
        return box, rng.uniform(0.1, 0.5), points, rng.uniform(0.05, 0.4, 17)


def _distance(joints: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance in pixels of joints (17, 2) to the nearest bone of a pose (17, 2)."""
    start, along = other[_PARENTS], other[_CHILDREN] - other[_PARENTS]
    offset = joints[:, None] - start
    place = (offset * along).sum(-1) / ((along**2).sum(-1) + 1e-9)
    offset = offset - place.clip(0, 1)[..., None] * along
    return np.linalg.norm(offset, axis=-1).min(1)


def _is_suppressed(box: np.ndarray, found: list[tuple]) -> bool:
    """Whether non-maximum suppression would remove a box."""
    for other, *_ in found:
        sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
        both = sides.clip(0).prod()
        either = sum((x[2:] - x[:2]).prod() for x in (box, other)) - both
        if both > 0.65 * either:
            return True
    return False


def _as_people(found: list[tuple]) -> tuple[People, np.ndarray]:
    columns = zip(*found, strict=True) if found else [()] * 5
    boxes, box_scores, points, scores, owners = columns
    people = People(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(box_scores, np.float32),
        np.array(points, np.float32).reshape(-1, 17, 2),
        np.array(scores, np.float32).reshape(-1, 17),
    )
    return people, np.array(owners, int)
