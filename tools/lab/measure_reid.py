"""Measure the re-identification of people who leave and return.

Draws people with random clothes and motions of motion capture, who cross the image two
or three times, in varying exposure, two of them in shirts of one color; tracks them
with and without re-identification. Example::

    python -m tools.lab.measure_reid --data-root data/cmu_mocap
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Track2D
from mmhot.video.appearance import INTERVAL, AppearanceObserver, merge_returning
from mmhot.video.people import People
from mmhot.video.tracking import track_clip
from tools.lab.measure_tracking import IdentityErrors, count_identity_errors, read_walks

_COCO, _H36M = get_skeleton('coco-17'), get_skeleton('h36m-17')
_FPS, _SECONDS, _SIZE = 25.0, 30.0, (640, 360)
# Seconds of a visit, and between visits of a person.
_VISIT, _AWAY = (3.0, 5.0), (2.5, 6.0)
# Strength of the exposure's change, and noise of images and of keypoints.
_EXPOSURE, _GRAIN, _JITTER = 0.3, 4.0, 0.012


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument('--scenes', type=int, default=6, help='of each size')
    parser.add_argument('--people', type=int, nargs='+', default=[2, 4, 6])
    parser.add_argument('--seed', type=int, default=1000, help='of the first video')
    parser.add_argument(
        '--uniforms', action='store_true', help='all people wear the same clothes'
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    for option in ('scenes', 'seed'):
        if getattr(args, option) < 1:
            given = getattr(args, option)
            raise ValueError(f'--{option} must be at least 1, got {given}')
    if min(args.people) < 1:
        raise ValueError(f'--people must be at least 1, got {min(args.people)}')
    walks = read_walks(args.data_root)
    lines = [['people', 're-identified', 'people', 'tracks', 'mixed', 'IDF1', 'HOTA']]
    for count in args.people:
        table = dict.fromkeys(('no', 'yes'), IdentityErrors())
        for seed in range(args.seed, args.seed + args.scenes):
            drawn = DrawnVideo(walks, seed, count, args.uniforms)
            for name, tracks in zip(table, drawn.track(), strict=True):
                ids = drawn.ids_of(tracks)
                table[name] += count_identity_errors(drawn.owners, ids)
        for name, errors in table.items():
            numbers = errors.people, errors.tracks, errors.mixed
            cells = [*map(str, numbers), f'{errors.idf1:.3f}', f'{errors.hota:.3f}']
            lines.append([str(count), name, *cells])
    print_line(align(lines, left=2))


class DrawnVideo:
    """A drawn video with simulated detections and their identities.

    Args:
        walks (list[np.ndarray]): Motions, meters, z up, 50 fps, (T, 17, 3).
        seed (int): Random seed.
        num_people (int): People, the first two with the same shirt.
        uniforms (bool): Whether all wear the same clothes. Defaults to False.
    """

    def __init__(
        self,
        walks: list[np.ndarray],
        seed: int,
        num_people: int,
        uniforms: bool = False,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.people: list[People] = []
        self.owners: list[np.ndarray] = []
        self._observer = AppearanceObserver('coco-17')
        clothes = rng.uniform(20, 235, (num_people, 4, 3))
        clothes[:2, 0] = clothes[0, 0]
        if uniforms:
            clothes[:] = clothes[0]
        paths = [self._walk(walks, rng) for _ in range(num_people)]
        background = cv2.resize(
            rng.uniform(60, 200, (12, 20, 3)).astype(np.float32), _SIZE
        )
        for frame in range(round(_SECONDS * _FPS)):
            order = rng.permutation(num_people).tolist()
            seen = [
                (owner, paths[owner][frame]) for owner in order if frame in paths[owner]
            ]
            found = [pair for pair in seen if rng.random() > 0.03]
            image = background
            if frame % INTERVAL == 0:  # others are not looked at
                image = background.copy()
                for owner, joints in seen:
                    draw(image, joints, clothes[owner])
                gain = 1 + _EXPOSURE * np.sin(
                    2 * np.pi * (frame / _FPS / 17 + seed / 7)
                )
                grain = _GRAIN * rng.standard_normal(image.shape, np.float32)
                image = (gain * image + grain).clip(0, 255).astype(np.uint8)
            self._add(frame, image, found, rng)

    def _walk(self, walks: list[np.ndarray], rng: np.random.Generator) -> dict:
        """Return the joints (17, 2) of a person by frame, in pixels."""
        places: dict[int, np.ndarray] = {}
        time, height = rng.uniform(0, 5), rng.uniform(130, 220)
        while time < _SECONDS - _VISIT[0]:
            walk = walks[rng.integers(len(walks))]
            length = min(round(rng.uniform(*_VISIT) * _FPS), len(walk) // 2)
            joints = as_coco(walk[: 2 * length : 2], rng.uniform(-0.6, 0.6))
            side = rng.choice([-1, 1])
            along = side * np.linspace(-0.56, 0.56, length) * _SIZE[0] + _SIZE[0] / 2
            ground = rng.uniform(0.8, 0.97) * _SIZE[1]
            if side < 0:  # walks to the left
                joints = joints * [-1, 1]
            pixels = (
                joints * height
                + np.stack([along, np.full(length, ground)], -1)[:, None]
            )
            start = round(time * _FPS)
            places |= dict(enumerate(pixels, start))
            time += length / _FPS + rng.uniform(*_AWAY)
        return places

    def _add(self, frame: int, image: np.ndarray, found: list, rng) -> None:
        """Append the detections of a frame."""
        points, owners = [], []
        for owner, joints in found:
            inside = ((joints > 0) & (joints < _SIZE)).all(-1)
            if inside.mean() > 0.5:
                height = np.ptp(joints[:, 1])
                points.append(joints + rng.normal(0, _JITTER * height, joints.shape))
                owners.append(owner)
        points = np.array(points, np.float32).reshape(-1, 17, 2)
        low, high = points.min(1), points.max(1)
        margin = 0.08 * (high - low)
        boxes = np.concatenate([low - margin, high + margin], 1).astype(np.float32)
        inside = ((points > 0) & (points < _SIZE)).all(-1)
        scores = np.where(inside, 0.8, 0.1).astype(np.float32)
        people = People(boxes, np.full(len(boxes), 0.9, np.float32), points, scores)
        self.people.append(people)
        self.owners.append(np.array(owners, int))
        self._observer.observe(frame, image, people, frame == 0)

    def track(self) -> tuple[list[Track2D], list[Track2D]]:
        """Track, without and with re-identification."""
        tracks = track_clip(self.people, _FPS)
        looks = self._observer.arrays()
        return tracks, merge_returning(tracks, looks, 'coco-17', _FPS)

    def ids_of(self, tracks: list[Track2D]) -> list[np.ndarray]:
        """Return the track ID of each detection, -1 for none."""
        ids = [np.full(len(own), -1) for own in self.people]
        for track in tracks:
            for frame, box in zip(track.frames, track.bboxes, strict=True):
                ids[frame][(self.people[frame].bboxes == box).all(1)] = track.track
        return ids


def as_coco(motion: np.ndarray, turn: float) -> np.ndarray:
    """Project a walk (T, 17, 3) from the side, in body heights above its ankles.

    Args:
        motion (np.ndarray): Human3.6M's joints, meters, z up.
        turn (float): Angle of the camera from the side, radians.

    Returns:
        np.ndarray: COCO's joints, y down, (T, 17, 2).
    """
    joints = motion - motion[:, :1] * [1, 1, 0]
    ahead = motion[-1, 0, :2] - motion[0, 0, :2]
    angle = np.arctan2(ahead[1], ahead[0]) + turn
    across = joints[..., :2] @ [np.cos(angle), np.sin(angle)]
    up = joints[..., 2] - joints[..., 2].min(axis=1, keepdims=True)
    flat = np.stack([across, -up], -1) / np.ptp(motion[0, :, 2])
    face = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear')
    names = [
        'head' if name in face else name.replace('ankle', 'foot')
        for name in _COCO.joints
    ]
    return flat[:, _H36M.indices(names)]


def draw(image: np.ndarray, joints: np.ndarray, clothes: np.ndarray) -> None:
    """Draw a person with colors (4, 3) of shirt, trousers, skin and hair."""
    shirt, trousers, skin, hair = (tuple(color.tolist()) for color in clothes)
    height = np.ptp(joints[:, 1])
    point = dict(zip(_COCO.joints, joints.round().astype(int).tolist(), strict=True))
    for side in ('left', 'right'):
        legs = [point[f'{side}_{part}'] for part in ('hip', 'knee', 'ankle')]
        line = np.array(legs)[None]
        cv2.polylines(image, line, False, trousers, max(2, round(0.07 * height)))
    corners = ('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip')
    trunk = np.array([point[name] for name in corners])[None]
    cv2.fillPoly(image, trunk, shirt)
    cv2.polylines(image, trunk, True, shirt, max(2, round(0.1 * height)))
    for side in ('left', 'right'):
        arm = [point[f'{side}_{part}'] for part in ('shoulder', 'elbow', 'wrist')]
        cv2.polylines(image, np.array([arm]), False, skin, max(2, round(0.04 * height)))
    head = point['nose']
    cv2.circle(image, head, max(2, round(0.065 * height)), skin, -1)
    above = (head[0], head[1] - round(0.04 * height))
    cv2.circle(image, above, max(2, round(0.045 * height)), hair, -1)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_reid.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
