"""The motion capture that lifters are measured on, by all tools."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmhot.datasets.mocap_dataset import MocapDataset


def add_lifter_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which lifter is measured, and on what."""
    parser.add_argument(
        '--model',
        help='shipped weights by name, or a config file (default: as mmhot has it)',
    )
    parser.add_argument('--checkpoint', type=Path, help='weights for a config file')
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )


def open_motions(
    data_root: str | Path, split: str = 'val', **settings: Any
) -> MocapDataset:
    """Open motions, each seen by every virtual camera.

    Args:
        data_root (str | Path): Where the motion capture is, see docs/data.md.
        split (str): Which motions. Defaults to those of validation.
        **settings: Of :class:`mmhot.datasets.MocapDataset`, such as ``fps``.
    """
    from mmhot.datasets.mocap_dataset import MocapDataset

    return MocapDataset(
        ann_file='cmu_h36m17.npz',
        split_file='cmu_split.json',
        split=split,
        camera_file='virtual_cameras.json',
        data_root=str(data_root),
        test_mode=True,
        **settings,
    )
