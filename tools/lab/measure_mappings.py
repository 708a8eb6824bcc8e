"""Measure offsets of COCO-derived Human3.6M-17 joints from the ground truth.

Example::
    python -m tools.lab.measure_mappings tests/data/rendered_walk.npz \
        tests/data/rendered_dance.npz --fit

A clip is an ``.npz`` with both skeletons: ``keypoints_2d``, ``coco_cam3d`` (COCO-17)
and ``h36m_2d``, ``h36m_cam3d`` (Human3.6M-17), pixels and meters in camera space. With
``--h36m FILE --detections FILE`` images of Human3.6M are measured too: MMPose's test
sample (``part`` and ``S``) and a 2D model's ``keypoints`` on it.
"""

import argparse
from pathlib import Path

import numpy as np

from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.skeletons.mappings import MAPPINGS

H36M = get_skeleton('h36m-17')
COCO = get_skeleton('coco-17')
MEASURES = {
    '2d': '2D median offset, % of stature (x right, y down) | median distance',
    '3d': '3D median offset, mm (x left, y up, z forward) | median distance',
}
# Joints 9 and 10 of CMU's skeleton, meters from the base of the skull.
CMU_NOSE_FORWARD = 0.065
CMU_HEAD_UP = 0.094


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('clips', nargs='+', type=Path, help='rendered clips, .npz')
    parser.add_argument('--h36m', type=Path, help="MMPose's test_h36m_body3d.npz")
    parser.add_argument(
        '--detections', type=Path, help='.npz of keypoints (N, 17, 2) on those images'
    )
    parser.add_argument(
        '--fit', action='store_true', help='fit joints 9 and 10 to the clips'
    )
    parser.add_argument('--seed', type=int, default=0, help='of --fit')
    args = parser.parse_args()
    if (args.h36m is None) != (args.detections is None):
        parser.error('--h36m and --detections go together')
    for path in (*args.clips, args.h36m, args.detections):
        if path is not None and not path.is_file():
            parser.error(f'no such file: {path}')
    return args


def main() -> None:
    """Print one table for each source of images and each measure."""
    args = parse_args()
    clips = [read_clip(path) for path in args.clips]
    for path, clip in zip(args.clips, clips, strict=True):
        print_table(f'{path.stem}: {MEASURES["2d"]}', offsets_2d(clip))
        print_table(f'{path.stem}: {MEASURES["3d"]}', offsets_3d(clip))
    if args.h36m:
        images = read_images(args.h36m, args.detections)
        print_table(f'Human3.6M: {MEASURES["2d"]}', offsets_2d(images))
    if args.fit:
        fit(clips, np.random.default_rng(args.seed))


def read_clip(path: Path) -> dict[str, np.ndarray]:
    """Read a clip's poses, with joints 9 and 10 moved to those of CMU's skeleton."""
    with np.load(path) as data:
        clip = dict(
            coco_2d=data['keypoints_2d'].astype(float),
            coco_3d=data['coco_cam3d'].astype(float),
            true_2d=data['h36m_2d'].astype(float),
            true_3d=data['h36m_cam3d'].astype(float),
        )
        camera = data['K']
    # The clips' joint 9 is midway between the nose and the base of the skull.
    nose = clip['coco_3d'][:, COCO.index('nose')]
    skull = 2 * clip['true_3d'][:, H36M.index('neck_base')] - nose
    _, up, forward = np.moveaxis(head_frame(clip['coco_3d']), 1, 0)
    for joint, position in (
        ('neck_base', skull + CMU_NOSE_FORWARD * forward),
        ('head', skull + CMU_HEAD_UP * up),
    ):
        pixels = position @ camera.T
        clip['true_3d'][:, H36M.index(joint)] = position
        clip['true_2d'][:, H36M.index(joint)] = pixels[:, :2] / pixels[:, 2:]
    return clip | {'skull': skull}


def read_images(h36m: Path, detections: Path) -> dict[str, np.ndarray]:
    """Read the motion-captured and the detected joints of images."""
    with np.load(h36m) as data, np.load(detections) as detected:
        return dict(
            coco_2d=detected['keypoints'][..., :2].astype(float),
            true_2d=data['part'][..., :2].astype(float),
            true_3d=data['S'][..., :3].astype(float),
        )


def offsets_2d(clip: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute offsets of each mapping in percent of the stature, (T, 17, 2).

    Stature is the length of the bones from ankle over spine to head, in pixels at the
    person's distance: it does not depend on the pose.
    """
    flat = clip['true_3d'][..., :2] - clip['true_3d'][..., :1, :2]
    pixels = clip['true_2d'] - clip['true_2d'][..., :1, :]
    pixels_per_meter = (flat * pixels).sum((1, 2)) / (flat**2).sum((1, 2))
    bones = {
        H36M.joints[child]: np.linalg.norm(
            clip['true_3d'][:, child] - clip['true_3d'][:, parent], axis=-1
        )
        for parent, child in H36M.bones
    }
    chain = ('left_knee', 'left_foot', 'spine', 'thorax', 'neck_base', 'head')
    stature = sum(bones[joint] for joint in chain) * pixels_per_meter
    percent = 100 / stature[:, None, None]
    return {
        mapping: percent * (derive(clip['coco_2d'], mapping) - clip['true_2d'])
        for mapping in MAPPINGS
    }


def offsets_3d(clip: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute offsets of each linear mapping in the body frame, (T, 17, 3) in mm."""
    frame = body_frame(clip['true_3d'])
    errors = {
        mapping: 1e3 * (derive(clip['coco_3d'], mapping) - clip['true_3d'])
        for mapping in ('mmpose', 'trained')  # 'hot' is defined in 2D only
    }
    return {
        mapping: np.einsum('tij,tkj->tki', frame, error)
        for mapping, error in errors.items()
    }


def derive(keypoints: np.ndarray, mapping: str) -> np.ndarray:
    """Map COCO-17 keypoints to Human3.6M-17."""
    return convert_keypoints(keypoints, None, 'coco-17', 'h36m-17', mapping)[0]


def body_frame(pose: np.ndarray) -> np.ndarray:
    """Axes left, up, forward as rows, (T, 3, 3), from hips and shoulders."""
    left_hip, right_hip, left_shoulder, right_shoulder = (
        pose[:, H36M.index(f'{side}_{joint}')]
        for joint in ('hip', 'shoulder')
        for side in ('left', 'right')
    )
    left = normalize(left_hip - right_hip)
    up = left_shoulder + right_shoulder - left_hip - right_hip
    up = normalize(up - (up * left).sum(-1, keepdims=True) * left)
    return np.stack([left, up, np.cross(left, up)], axis=1)


def head_frame(pose: np.ndarray) -> np.ndarray:
    """Axes left, up, forward as rows, (T, 3, 3), from ears and nose."""
    left_ear, right_ear, nose = (
        pose[:, COCO.index(joint)] for joint in ('left_ear', 'right_ear', 'nose')
    )
    left = normalize(left_ear - right_ear)
    forward = nose - (left_ear + right_ear) / 2
    forward = normalize(forward - (forward * left).sum(-1, keepdims=True) * left)
    return np.stack([left, np.cross(forward, left), forward], axis=1)


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def print_table(title: str, offsets: dict[str, np.ndarray]) -> None:
    """Print median offsets and distances of each joint, one column per mapping."""
    digits = 1 if next(iter(offsets.values())).shape[-1] == 2 else 0
    print(f'\n{title}\n{"":15}' + ''.join(f'{name:>26}' for name in offsets))
    for index, joint in enumerate(H36M.joints):
        cells = []
        for offset in offsets.values():
            middle = np.median(offset[:, index], axis=0) + 0.0
            distance = np.median(np.linalg.norm(offset[:, index], axis=-1))
            text = ' '.join(f'{value:+5.{digits}f}' for value in middle)
            cells.append(f'{text} |{distance:5.{digits}f}')
        print(f'{joint:15}' + ''.join(f'{cell:>26}' for cell in cells))


def fit(clips: list[dict[str, np.ndarray]], rng: np.random.Generator) -> None:
    """Print least-squares weights for joints 9 and 10, with and without the eyes.

    The rendered heads hardly rotate, so each frame is used 20 times with a random
    rotation of the head about the neck (sd: yaw 29, pitch 17, roll 9 degrees).
    """
    names = ['nose', 'mid ears', 'mid shoulders', 'mid eyes']
    for noise in (0.0, 0.015):
        parts, targets = zip(
            *(rotate_heads(clip, rng, noise) for clip in clips), strict=True
        )
        parts, targets = np.concatenate(parts), np.concatenate(targets)
        print(f'\nleast squares, {1e3 * noise:.0f} mm noise on every COCO point')
        for used in (3, 4):
            for index, joint in enumerate(('neck_base', 'head')):
                weights, error = least_squares(parts[:, :used], targets[:, index])
                terms = zip(weights, names[:used], strict=True)
                text = ' '.join(f'{weight:+.2f} {name}' for weight, name in terms)
                print(f'{joint:10} rms {error:5.1f} mm {text}')


def least_squares(parts: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit weights that sum to 1; also return the error in mm.

    Args:
        parts (np.ndarray): Points to combine, (N, P, 3).
        target (np.ndarray): Wanted results, (N, 3).
    """
    design = np.moveaxis(parts[:, 1:] - parts[:, :1], 1, -1)
    target = target - parts[:, 0]
    weights, *_ = np.linalg.lstsq(
        design.reshape(-1, design.shape[-1]), target.ravel(), rcond=None
    )
    error = 1e3 * np.sqrt(((design @ weights - target) ** 2).sum(-1).mean())
    return np.append(1 - weights.sum(), weights), error


def rotate_heads(
    clip: dict[str, np.ndarray], rng: np.random.Generator, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rotate heads at random; return parts (N, 4, 3) and targets (N, 2, 3)."""
    coco, true, skull = (
        np.repeat(clip[key], 20, axis=0) for key in ('coco_3d', 'true_3d', 'skull')
    )
    pairs = {
        part: [COCO.index(f'left_{part}'), COCO.index(f'right_{part}')]
        for part in ('ear', 'eye', 'shoulder')
    }
    frame = head_frame(coco)
    turn = np.eye(3)
    for axis, spread in ((1, 0.5), (0, 0.3), (2, 0.15)):
        turn = turn @ rotations(axis, rng.normal(0, spread, len(coco)))
    turn = np.swapaxes(frame, 1, 2) @ turn @ frame
    neck = (skull + true[:, H36M.index('thorax')]) / 2
    targets = true[:, H36M.indices('head')]
    coco = coco + rng.normal(0, noise, coco.shape)
    head = COCO.indices('head')
    coco[:, head], targets = (
        np.einsum('tij,tkj->tki', turn, points - neck[:, None]) + neck[:, None]
        for points in (coco[:, head], targets)
    )
    parts = [coco[:, COCO.index('nose')]]
    parts += [coco[:, pairs[part]].mean(1) for part in ('ear', 'shoulder', 'eye')]
    return np.stack(parts, axis=1), targets


def rotations(axis: int, angles: np.ndarray) -> np.ndarray:
    """Rotation matrices by angles about one axis, (N, 3, 3)."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn = np.tile(np.eye(3), (len(angles), 1, 1))
    turn[:, first, first] = turn[:, second, second] = np.cos(angles)
    turn[:, second, first] = np.sin(angles)
    turn[:, first, second] = -np.sin(angles)
    return turn


if __name__ == '__main__':
    main()
