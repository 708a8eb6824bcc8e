"""Draw windows of a dataset of lifting; MMPose's ``browse_dataset.py`` draws images.

Example::

    python tools/browse_dataset.py CONFIG.py windows.png --split train --num 6

Each row is a window: 2D, network input, mirror image and 3D target. A wrong axis,
swapped sides or a wrong camera shows at once: people stand upright, and left limbs are
green, on the left of people seen from behind, in mirror images too.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

import mmhot.plugin  # noqa: F401 registers datasets and transforms
from mmhot.cli.errors import OneLineParser, run_tool
from mmhot.cli.report import output_file
from mmhot.datasets.clip_dataset import ClipDataset
from mmhot.datasets.data_loading import seed_everything
from mmhot.geometry.keypoint_arrays import mirror_poses
from mmhot.io.atomic import replacing
from mmhot.weights.config_files import read_config_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools.runner import add_config_options, build_from, merge_options, setting

_TITLES = (
    *('2D, pixels', 'network input', 'its mirror image'),
    *('3D target, from the front', 'from the side', 'its mirror image'),
)
_NO_LABELS = ('PackPoseInputs', 'SeedTransforms')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description='Draw windows of a dataset of lifting')
    parser.add_argument('config', help='config file')
    parser.add_argument('target', type=output_file, help='.png to write')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument(
        '--num', type=int, default=4, help='number of windows (default: 4)'
    )
    parser.add_argument('--seed', type=int, default=0, help='random seed (default: 0)')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Draw the windows, one per row."""
    config = read_config_file(args.config)
    merge_options(config, args.cfg_options)
    init_default_scope('mmpose')
    settings = setting(config, f'{args.split}_dataloader.dataset', '--split')
    dataset = build_from(DATASETS, settings, args.config)
    if not isinstance(dataset, ClipDataset):
        raise ValueError(
            f"{args.config}: got images; MMPose's tool of this name draws them"
        )
    seed_everything(args.seed)
    rng = np.random.default_rng(args.seed)
    windows = rng.permutation(len(dataset))[: args.num].tolist()
    figure = Figure(figsize=(3 * len(_TITLES), 3 * len(windows)), layout='constrained')
    grid = figure.subplots(len(windows), len(_TITLES), squeeze=False)
    for row, window in zip(grid, windows, strict=True):
        draw_window(row, dataset, window)
    for axes, title in zip(grid[0], _TITLES, strict=True):
        axes.set_title(f'{title}\n{axes.get_title()}' if axes.get_title() else title)
    with replacing(args.target) as temporary:
        FigureCanvasAgg(figure).print_png(temporary)
    print(f'{len(windows)} of {len(dataset)} windows: {args.target}')


def draw_window(row: np.ndarray, dataset: ClipDataset, window: int) -> None:
    """Draw one window: its first, middle and last frame."""
    sample = dataset.get_data_info(window)
    for transform in dataset.pipeline.transforms:
        if type(transform).__name__ not in _NO_LABELS:
            sample = transform(sample)
            if sample is None:
                row[0].set_title(f'window {window} is left out by the pipeline')
                return
    flips, bones = sample['flip_indices'], dataset.metainfo['skeleton_links']
    colors = np.asarray(dataset.metainfo['skeleton_link_colors']) / 255

    def draw(axes: Axes, poses: np.ndarray, x: int = 0) -> None:
        poses = np.asarray(poses).reshape(-1, *np.shape(poses)[-2:])
        for place, strength in ((0, 0.2), (-1, 0.4), (len(poses) // 2, 1.0)):
            for (start, end), color in zip(bones, colors, strict=True):
                ends = poses[place][[start, end]]
                axes.plot(ends[:, x], ends[:, 1], color=color, alpha=strength)
        axes.set_aspect('equal', adjustable='datalim')
        axes.invert_yaxis()
        axes.tick_params(labelsize=6)

    pixels, inputs = sample['keypoints'], sample['keypoint_labels']
    target = sample['lifting_target_label']
    draw(row[0], pixels)
    camera = sample['camera_param']
    row[0].set(xlim=(0, camera['w']), ylim=(camera['h'], 0))
    row[0].set_aspect('equal', adjustable='box')
    row[0].set_xlabel(f'{sample["clip"]}, frame {sample["frame"]}', fontsize=7)
    draw(row[1], inputs)
    draw(row[2], mirrored(inputs, flips))
    draw(row[3], target)
    draw(row[4], target, x=2)
    draw(row[5], mirrored(target, flips))


def mirrored(poses: np.ndarray, flip_indices: list[int]) -> np.ndarray:
    """Mirror poses as the flip test does."""
    return mirror_poses(torch.as_tensor(np.asarray(poses)), flip_indices).numpy()


if __name__ == '__main__':
    run_tool(parse_args, main)
