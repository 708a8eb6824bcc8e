"""Train the model of foot contacts on motion capture with virtual cameras.

Prints precision and recall on unseen subjects. Example::

    python -m tools.train_contacts --data-root data/cmu_mocap --out contacts.npz
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mmhot.plugin  # noqa: F401 registers components
from mmhot.cli.errors import (
    OneLineParser,
    output_file,
    print_line,
    print_text,
    run_tool,
)
from mmhot.datasets.mocap_dataset import MocapDataset, read_mocap_clips
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.motion_augmentation import (
    RandomBodyRecombination,
    RandomFrameRate,
    RandomTimeReversal,
)
from mmhot.datasets.transforms.skeleton_augmentation import RandomJointDefinition
from mmhot.datasets.transforms.virtual_camera import ProjectToRandomCamera
from mmhot.errors import align
from mmhot.io.atomic import replacing
from mmhot.poses.contacts import ANKLES, FPS, contact_features, contact_logits
from tools.analysis.motions import project_motion, select_motions
from tools.motion_quality import find_contacts

_WINDOW = 243
# a third party's rig, and subjects that are kept for testing
_LEFT_OUT = ('S85', 'S55', 'S08', 'S93')
_FILES = ('cmu_h36m17.npz', 'cmu_h36m17_more.npz')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument('--steps', type=int, default=1500, help='of 32 windows each')
    parser.add_argument('--out', type=output_file, required=True, help='the weights')
    return parser.parse_args()


def open_windows(data_root: Path) -> MocapDataset:
    """Open the windows of the training subjects, with contacts as labels."""
    return MocapDataset(
        ann_file=list(_FILES),
        split_file='cmu_split.json',
        split=['train', 'unlisted'],
        skip_subjects=list(_LEFT_OUT),
        data_root=str(data_root),
        seq_len=_WINDOW,
        num_targets=_WINDOW,
        stride=27,
        pipeline=[
            RandomBodyRecombination(0.3),
            RandomTimeReversal(0.3),
            LabelContacts(),
            RandomJointDefinition(0.5),
            ProjectToRandomCamera(
                radius=(2.5, 8.0), height=(0.6, 2.4), aim=0.3, roll=4.0
            ),
            RandomDetectorNoise(strength=(0.2, 1.4), prob=0.85),
            RandomFrameRate(prob=0.5),
        ],
    )


class ContactNet(nn.Module):
    """Network of :func:`mmhot.poses.contacts.contact_logits`, to be trained.

    Each residual layer has twice the dilation of the one before.
    """

    def __init__(self, channels: int = 96, num_layers: int = 5) -> None:
        super().__init__()
        self.embed = nn.Conv1d(85, channels, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation)
            for dilation in (2**layer for layer in range(num_layers))
        )
        self.head = nn.Conv1d(channels, len(ANKLES), 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, T, 85) to logits of the right and left ankle, (B, T, 2)."""
        x = self.embed(features.transpose(1, 2))
        for layer in self.layers:
            x = x + layer(F.gelu(x))
        return self.head(F.gelu(x)).transpose(1, 2)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights for the file."""
        return {name: value.half().numpy() for name, value in self.state_dict().items()}


class LabelContacts:
    """Add ``contacts`` (T, 2) to windows of motion capture."""

    def __call__(self, results: dict) -> dict:
        """Label; see the class."""
        ankles = results['joints_world'][:, ANKLES]
        results['contacts'] = find_contacts(ankles, FPS)
        return results


def main(args: argparse.Namespace) -> None:
    """Train, print the quality, write the weights."""
    np.random.seed(0)  # noqa: NPY002 the generator of the transforms
    torch.manual_seed(0)
    dataset, net = open_windows(args.data_root), ContactNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, args.steps)
    # each subject as often as the square root of its windows
    names, count = np.unique(dataset.subject_of_window, return_counts=True)
    share = dict(zip(names, count**-0.5, strict=True))
    weights = np.array([share[name] for name in dataset.subject_of_window])
    rng = np.random.default_rng(0)
    losses = []
    for step in range(args.steps):
        chosen = rng.choice(len(dataset), 32, p=weights / weights.sum())
        samples = [dataset[index] for index in chosen]
        features, labels, inside = (
            torch.from_numpy(np.stack(arrays)).float()
            for arrays in zip(*map(_arrays, samples), strict=True)
        )
        logits = net(features)
        loss = F.binary_cross_entropy_with_logits(logits, labels, inside[..., None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 99:
            print_line(f'step {step + 1}: loss {np.mean(losses[-100:]):.3f}')
    with replacing(args.out) as temporary, temporary.open('wb') as file:
        np.savez(file, **net.arrays())
    print_text(align(quality(net.arrays(), args.data_root), left=1))


def _arrays(sample: dict) -> tuple[np.ndarray, ...]:
    features = contact_features(sample['keypoints'], sample['keypoints_visible'])
    return features, sample['contacts'], sample['lifting_target_visible'][:, 0]


def quality(weights: dict[str, np.ndarray], data_root: Path) -> list[list[str]]:
    """Return rows of precision and recall on subjects that were left out."""
    motions = {'subject 02': select_motions(data_root, 40)}
    cameras = [camera for _, camera in motions['subject 02']]
    clips = read_mocap_clips(data_root / _FILES[1])
    for subject in _LEFT_OUT[1:]:
        clips_of_subject = [
            joints for key, joints in clips.items() if key.startswith(subject + '/')
        ]
        motions[f'subject {subject[1:]}'] = [
            (joints[:400], cameras[index % len(cameras)])
            for index, joints in enumerate(clips_of_subject)
        ]
    rows = [['motions', 'frames', 'standing', 'precision', 'recall']]
    for name, pairs in motions.items():
        predicted, truth = [], []
        for seed, (joints, camera) in enumerate(pairs):
            track = project_motion(joints, camera, seed)[0].tracks[0]
            features = contact_features(track.keypoints, track.scores)
            predicted.append(contact_logits(features, weights) > 0)
            truth.append(find_contacts(joints[:, ANKLES], FPS))
        predicted, truth = np.concatenate(predicted), np.concatenate(truth)
        both = (predicted & truth).sum()
        shares = truth.mean(), both / predicted.sum(), both / truth.sum()
        rows.append([name, str(len(predicted)), *(f'{share:.3f}' for share in shares)])
    return rows


if __name__ == '__main__':
    run_tool(parse_args, main)
