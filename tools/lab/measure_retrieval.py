r"""Measure retrieval of the same action, performed by others and seen by other cameras.

Compares the vectors of PoseCLR, which ``mmhot search`` uses, with normalized 2D poses
and with their velocities, as mean average precision over windows of motion capture
in four virtual cameras with a detector's noise. Example::

    python -m tools.lab.measure_retrieval poseclr.pth data/cmu_mocap --out found.json
"""

import argparse
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import add_report_arguments, align, report

# Actions of clips, by patterns of their keys; of the last four one subject is known,
# so that they are found wrongly at best.
_ACTIONS = {
    'walk': 'S02/02_01 S02/02_02 S03/* S07/* S08/* S39/* mix/t?_walking_*',
    'run': 'S02/02_03 mix/tr_running_*',
    'jump': 'S02/02_04 S118/* mix/tr_jumping_*',
    'basketball': 'S06/* mix/tr_basketball_[1-9]',
    'soccer': 'S11/* mix/tr_soccer_*',
    'salsa': 'S60/* S61/*',
    'golf': 'S64/*',
    'modern dance': 'S05/*',
    'Indian dance': 'S94/*',
    'pantomime': 'S29/*',
}
_FILES = ['cmu_h36m17.npz', 'cmu_h36m17_more.npz']
# Windows of a subject's action in each camera; others have thousands.
_MOST_WINDOWS = 20


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=Path, help='of PoseCLR')
    parser.add_argument('data', type=Path, help='folder of the clips')
    add_report_arguments(parser)
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Embed the windows, rank them, and print the table."""
    from mmhot.apis.search import MotionEmbedder

    embedder = MotionEmbedder(args.checkpoint)
    poses, labels = read_windows(args.data, embedder)
    flat = poses.reshape(len(poses), -1)
    moves = np.diff(poses, axis=1).reshape(len(poses), -1)
    vectors = dict(PoseCLR=embed(poses, embedder), poses=flat, velocities=moves)
    found = {name: average_precisions(x, *labels) for name, x in vectors.items()}
    found['chance'] = average_precisions(
        np.random.default_rng(0).normal(size=(len(poses), 64)), *labels
    )
    actions, subjects, _ = labels
    queries = {'unseen subjects': np.isin(subjects, ['S02', 'S118'])}
    queries |= {action: actions == action for action in _ACTIONS}
    content = dict(windows=len(poses), mean_average_precision={})
    for name, precisions in found.items():
        known = np.isfinite(precisions)
        rows = {
            what: float(precisions[known & chosen].mean())
            for what, chosen in queries.items()
            if (known & chosen).any()
        }
        means = [rows[action] for action in _ACTIONS if action in rows]
        rows = {'mean over actions': float(np.mean(means))} | rows
        content['mean_average_precision'][name] = rows
    report(args, content, lambda: [_table(content['mean_average_precision'])])


def _table(found: dict[str, dict[str, float]]) -> str:
    rows = [
        (what, *(f'{100 * rows[what]:.1f}' for rows in found.values()))
        for what in next(iter(found.values()))
    ]
    return align([('mAP (%)', *found), *rows])


def read_windows(folder: Path, embedder) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Read windows (N, T, 17, 2) of 2D poses as the model gets them, and labels.

    Args:
        folder (Path): Has the clips and the virtual cameras.
        embedder (MotionEmbedder): For the length of a window and the codec.

    Returns:
        tuple: Windows, and the action, the subject and the camera of each, (N,).
    """
    from mmhot.datasets import MocapDataset

    dataset = MocapDataset(
        data_root=str(folder),
        ann_file=_FILES,
        camera_file='virtual_cameras.json',
        sources=['noisy'],
        seq_len=embedder.seq_len,
        num_targets=embedder.seq_len,
        stride=embedder.seq_len // 2,
        keep_rest=False,
        test_mode=True,
        pipeline=[
            dict(type='mmpose.ProjectToVirtualCamera', known_intrinsics=False),
            dict(type='mmpose.RandomDetectorNoise', source='noisy', seed=0),
        ],
    )
    names = [clip.name for clip in dataset.clips]
    actions = [_action(name.rpartition('.')[0]) for name in names]
    cameras = [name.rpartition('.')[2] for name in names]
    groups = {}
    for window, clip in enumerate(dataset.clip_of_window.tolist()):
        if actions[clip]:
            key = actions[clip], dataset.clips[clip].subject, cameras[clip]
            groups.setdefault(key, []).append(window)
    poses, labels = [], []
    for key, windows in groups.items():
        count = min(len(windows), _MOST_WINDOWS)
        for place in np.linspace(0, len(windows) - 1, count).round().astype(int):
            sample = dataset[windows[place]]
            keypoints = sample['keypoints'][None]
            inputs, _ = embedder.encode(keypoints, sample['camera_param'])
            poses.append(inputs[0].numpy())
            labels.append(key)
    return np.stack(poses), tuple(np.array(labels).T)


def _action(key: str) -> str:
    """Return the action of a clip, '' if it is unknown."""
    for action, patterns in _ACTIONS.items():
        if any(fnmatch(key, pattern) for pattern in patterns.split()):
            return action
    return ''


def embed(poses: np.ndarray, embedder) -> np.ndarray:
    """Map windows (N, T, 17, 2) to PoseCLR's vectors (N, D)."""
    import torch

    with torch.inference_mode():
        parts = torch.from_numpy(poses).split(embedder.batch_size)
        return torch.cat([embedder.model(part) for part in parts]).numpy()


def average_precisions(
    vectors: np.ndarray,
    actions: np.ndarray,
    subjects: np.ndarray,
    cameras: np.ndarray,
) -> np.ndarray:
    """Compute the average precision of each window as a query.

    Windows are ranked by cosine. Those of the query's subject or camera are left out;
    those of its action are right.

    Args:
        vectors (np.ndarray): (N, D).
        actions (np.ndarray): (N,).
        subjects (np.ndarray): (N,).
        cameras (np.ndarray): (N,).

    Returns:
        np.ndarray: (N,), NaN where no other person performs the action.
    """
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    precisions = np.full(len(vectors), np.nan)
    for query, cosines in enumerate(vectors @ vectors.T):
        others = (subjects != subjects[query]) & (cameras != cameras[query])
        order = np.argsort(-cosines[others], kind='stable')
        right = (actions[others] == actions[query])[order]
        if right.any():
            ranks = np.flatnonzero(right) + 1
            precisions[query] = (np.arange(1, len(ranks) + 1) / ranks).mean()
    return precisions


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_retrieval.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
