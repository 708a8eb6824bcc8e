r"""Train, test and export GTPT on your own keypoints, from a COCO file of an annotator.

Example::

    python tools/train_keypoints.py export/annotations/person_keypoints_default.json \
        export/images kite --epochs 100

CVAT ("COCO Keypoints 1.0") and Label Studio ("COCO", with keypoints) write such files.
docs/own_keypoints.md describes what is written into the folder, which can be changed.
"""

import argparse
import json
import logging
import shlex
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import ceil, sqrt
from pathlib import Path
from pprint import pformat

import mmpose
import numpy as np

from mmhot.cli.errors import print_line, print_text, run_tool
from mmhot.compat.coco_evaluation import PARTS
from mmhot.datasets.coco_checks import (
    MAX_ANNOTATIONS,
    CocoNeeds,
    coco_faults,
    repeated,
)
from mmhot.errors import align, naming, require_file
from mmhot.io.arrays import load_json
from mmhot.io.pickles import safe_load, save_checkpoint
from mmhot.skeletons.joints import spell_joint

_LOGGER = logging.getLogger('mmhot')
_TOOLS = Path(__file__).resolve().parent
_BROWSE = Path(mmpose.__path__[0], '.mim', 'tools', 'misc', 'browse_dataset.py')
_SIGMA = 0.05  # OKS's sigma of every keypoint
_VALIDATION = 10  # every tenth image is for validation
_BATCHES = {100: 8, 1000: 16}  # batch size for fewer objects than these
_LARGE_BATCH = 32  # batch size for more
# Learning rate for batches of 8; it grows with the root of the batch size. The errors
# in docs/own_keypoints.md were measured with it.
_RATE = 1e-3
_MIN_STEPS = 150  # a training with fewer steps gets more epochs
_CHECKPOINTS = 20  # a training validates and saves about so often
_AVERAGED = 20  # the averaged weights are of this part of the steps
_CONFIG = """\
_base_ = 'mmhot::body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192.py'

metainfo = dict(from_file={folder} + 'metainfo.py')
data = dict(data_root={folder}, metainfo=metainfo, data_prefix=dict(img={images}))
loader = dict(batch_size={batch_size}, num_workers=2)
train_dataloader = dict(**loader, dataset=dict(ann_file='train.json', **data))
val = dict(ann_file='val.json', bbox_file=None, **data)
val_dataloader = dict(**loader, dataset=val)
test_dataloader = val_dataloader
val_evaluator = [
    dict(_base_.val_evaluator, ann_file={folder} + 'val.json'),
    # mean error as a share of the box's longer side
    dict(type='NME', norm_mode='use_norm_item', norm_item='bbox_size'),
]
test_evaluator = val_evaluator
model = dict(head=dict(out_channels={count}, metainfo=metainfo, groups='auto'))
load_from = 'mmhot://gtpt-t_coco17_synth'
train_cfg = dict(max_epochs={epochs}, val_interval={interval})
# falls after two thirds, and before the last eighth, as in the released training
steps = [{epochs} * 2 // 3, {epochs} * 7 // 8]
param_scheduler = [dict(type='MultiStepLR', milestones=steps, gamma=0.1, by_epoch=True)]
optim_wrapper = dict(optimizer=dict(lr={lr:.2g}))
auto_scale_lr = dict(base_batch_size={batch_size})
# the average spans a twentieth of the {steps} steps
ema = dict(ema_type='ExponentialMovingAverage', momentum={momentum:.2g})
best = dict(interval={interval}, save_best='NME', rule='less')
default_hooks = dict(checkpoint=best, ema=ema)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('annotations', type=Path, help='.json file of the export')
    parser.add_argument('images', type=Path, help='folder of the images')
    parser.add_argument('folder', type=Path, help='folder to write, new or empty')
    parser.add_argument(
        '--category', help='name of the category (default: the only one)'
    )
    parser.add_argument('--epochs', type=int, default=100, help='(default: 100)')
    parser.add_argument(
        '--batch-size',
        type=int,
        help='(default: 8, from 100 objects on 16, from 1,000 on 32)',
    )
    parser.add_argument(
        '--only-write', action='store_true', help='write the files, do not train'
    )


def main(args: argparse.Namespace) -> int:
    """Write the files and run the tools; return the exit code of the one that fails."""
    if args.folder.exists() and any(args.folder.iterdir()):
        raise ValueError(f'{args.folder} is not empty')
    with naming(require_file(args.annotations)):
        content = load_json(args.annotations, MAX_ANNOTATIONS)
        category = find_category(content, args.category)
        check_category(category)
        people, left_out = collect(content, category)
        check_people(people, content, category)
        metainfo = describe(category)
    for reason, count in left_out.items():
        total = len(content['annotations'])
        _LOGGER.warning('%d of %d annotations left out: %s', count, total, reason)
    for point in metainfo['keypoint_info'].values():
        has_side = spell_joint(point['name']).startswith(('left_', 'right_'))
        if has_side and not point['swap']:
            _LOGGER.warning(
                '%s has no partner on the other side: it is wrong in mirrored images',
                point['name'],
            )
    args.folder.mkdir(parents=True, exist_ok=True)
    locate_images(content['images'], args.images)
    first, guess = write_files(args, category, metainfo, content['images'], people)
    try:
        run_tools(args, args.images / first, guess)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def run_tools(args: argparse.Namespace, image: Path, guess: dict[str, float]) -> None:
    """Check, draw, train, test and export; raise CalledProcessError if a tool fails."""
    config = args.folder / 'config.py'
    work = args.folder / 'work'
    out = args.folder / 'onnx'
    weights = work / f'epoch_{args.epochs}.pth'
    crops = ['--not-show', '--output-dir', args.folder / 'crops']

    def run(*words: str | Path) -> None:
        command = [sys.executable, *map(str, words)]
        print_line(f'$ {shlex.join(["python", *command[1:]])}')
        if not args.only_write:
            subprocess.run(command, check=True)

    def test(weights: Path) -> dict:
        result = weights.with_suffix('.json')
        table = ['--table', 'joints', '--out', result]
        run(_TOOLS / 'test.py', config, weights, '--work-dir', work, *table)
        return {} if args.only_write else load_json(result)

    run(_TOOLS / 'check_dataset.py', config)
    run('-m', 'mmhot.compat', _BROWSE, config, *crops)
    run(_TOOLS / 'train.py', config, '--work-dir', work)
    if args.only_write:
        test(weights)
    else:
        weights = choose_weights(weights, test, guess)
    run('-m', 'mmhot', 'export', config, weights, '--out', out)
    model = ['--pose2d', str(out / 'model.onnx'), '--det-model', 'whole_image']
    options = ['--kpt-thr', '0', '--out-dir', 'results']
    print_line(f'$ {shlex.join(["mmhot", "infer", str(image), *model, *options])}')


def choose_weights(
    averaged: Path, test: Callable[[Path], dict], guess: dict[str, float]
) -> Path:
    """Test the averaged weights of a checkpoint and the last ones; return the better.

    The last ones are written beside it, as ``last.pth``.

    Raises:
        ValueError: If neither is better than a guess, :func:`guess_errors`.
    """
    # MMEngine swaps both: this one has the last weights, in spite of its name.
    content = safe_load(averaged)['ema_state_dict']
    prefix = 'module.'
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in content.items()
        if name.startswith(prefix)
    }
    last = averaged.with_name('last.pth')
    save_checkpoint(dict(state_dict=state), last)
    results = {path: test(path) for path in (averaged, last)}
    errors = {
        path: {name: row['error'] for name, row in result['joints'].items()}
        for path, result in results.items()
    }
    rows = [['mean error', 'guess', averaged.name, last.name]]
    for name, error in guess.items():
        measured = [found.get(name, np.nan) for found in errors.values()]
        rows.append([name or 'all', *(f'{value:.3f}' for value in (error, *measured))])
    precisions = [f'{result["coco/AP"]:.3f}' for result in results.values()]
    rows.append(['AP', '', *precisions])
    print_text(
        f'{align(rows)}\nmean error: share of the longer side of the box; guess: the '
        'mean place in the box'
    )
    best = min(errors, key=lambda path: errors[path][''])
    if errors[best][''] >= guess['']:
        raise ValueError(
            f'the model is not better than a guess ({errors[best][""]:.3f} and '
            f'{guess[""]:.3f}), so it is not exported: look at the crops, take more '
            'images or --epochs'
        )
    return best


def guess_errors(
    train: Sequence[dict], val: Sequence[dict], names: Sequence[str]
) -> dict[str, float]:
    """Measure a guess: each keypoint at its mean place in the boxes of the training.

    Args:
        train (Sequence[dict]): Annotations of the training.
        val (Sequence[dict]): Annotations of the validation.
        names (Sequence[str]): Names of the keypoints.

    Returns:
        dict[str, float]: Mean error by keypoint, as a share of the longer side of the
        box, and of all as ''.
    """
    known, _ = _in_boxes(train)
    wanted, sides = _in_boxes(val)
    offsets = (wanted - _mean(known)) * sides
    errors = np.linalg.norm(offsets, axis=-1) / sides.max(-1)
    by_name = dict(zip(names, _mean(errors).tolist(), strict=True))
    return by_name | {'': float(_mean(errors.ravel()))}


def _in_boxes(people: Sequence[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints relative to boxes, (P, K, 2), and their sides, (P, 1, 2)."""
    points = np.array([person['keypoints'] for person in people], float)
    points = points.reshape(len(people), -1, 3)
    boxes = np.array([person['bbox'] for person in people], float)[:, None]
    points[points[..., 2] == 0] = np.nan
    return (points[..., :2] - boxes[..., :2]) / boxes[..., 2:], boxes[..., 2:]


def _mean(values: np.ndarray) -> np.ndarray:
    """Average values (N, ...) over the first axis without NaN; NaN if all are NaN."""
    with np.errstate(invalid='ignore'):
        return np.nansum(values, 0) / (~np.isnan(values)).sum(0)


def find_category(content: dict, name: str | None) -> dict:
    """Return the category of the keypoints, by default the only one."""
    categories = {x['name']: x for x in content['categories'] if x.get('keypoints')}
    if name is None and len(categories) == 1:
        (name,) = categories
    if name not in categories:
        known = ', '.join(categories) or 'none'
        raise ValueError(f'category must be one with keypoints: {known}; got {name!r}')
    return categories[name]


def check_category(category: dict) -> None:
    """Raise a ValueError if names are there twice, or links lead to no keypoint."""
    names = [name.strip().lower() for name in category['keypoints']]
    ends = {end for link in category.get('skeleton') or () for end in link}
    start = 0 if 0 in ends else 1  # as in COCO
    if twice := repeated(names):
        raise ValueError(f"'keypoints': {twice[0]} is there twice")
    if wrong := sorted(ends.difference(range(start, start + len(names)))):
        raise ValueError(
            f"'skeleton': a link leads to {wrong[0]}, and there are {len(names)} "
            'keypoints'
        )


def check_people(people: list[dict], content: dict, category: dict) -> None:
    """Raise a ValueError for faults that would stop the training."""
    needs = CocoNeeds([*map(str, category['keypoints'])], PARTS[:1])
    used = dict(content, annotations=people, categories=[category])
    for fault in coco_faults(used, needs) if people else ():
        raise ValueError(fault)


def collect(content: dict, category: dict) -> tuple[list[dict], Counter]:
    """Return the annotations of a category, with fields that annotators omit.

    Returns:
        tuple[list[dict], Counter]: The annotations, and numbers of annotations that are
        left out, by the reason.
    """
    people = []
    left_out = Counter[str]()
    for ann in content['annotations']:
        if ann['category_id'] != category['id'] or not ann.get('keypoints'):
            continue
        points = np.reshape(ann['keypoints'], (-1, 3)).astype(float)
        labeled = points[points[:, 2] > 0, :2]
        if not len(labeled):
            left_out['all their keypoints have visibility 0'] += 1
            continue
        if ann.get('iscrowd'):
            left_out['they are crowds (iscrowd 1)'] += 1
            continue
        low = labeled.min(0)
        box = ann.get('bbox') or [*low.tolist(), *np.ptp(labeled, 0).tolist()]
        if not all(box[2:]):
            left_out['their boxes have no size'] += 1
            continue
        fields = dict(
            bbox=box,
            area=ann.get('area') or box[2] * box[3],
            iscrowd=0,
            num_keypoints=len(labeled),
        )
        people.append(ann | fields)
    return people, left_out


def locate_images(images: Sequence[dict], folder: Path) -> None:
    """Make file names relative to the folder, in place; annotators prefix others."""
    by_name = defaultdict(list)
    for path in folder.rglob('*'):
        by_name[path.name].append(path)
    for image in images:
        name = image['file_name'].replace('\\', '/')
        is_inside = not Path(name).is_absolute() and '..' not in Path(name).parts
        if not (is_inside and (folder / name).is_file()):
            same_name = by_name[Path(name).name]
            if len(same_name) != 1:
                count = f'{len(same_name)} files' if same_name else 'no file'
                raise ValueError(f'{folder} has {count} {Path(name).name}')
            name = same_name[0].relative_to(folder).as_posix()
        image['file_name'] = name


def write_files(
    args: argparse.Namespace,
    category: dict,
    metainfo: dict,
    images: list[dict],
    annotations: list[dict],
) -> tuple[str, dict[str, float]]:
    """Write metainfo, config, and the annotations of training and validation.

    Returns:
        tuple[str, dict[str, float]]: Name of the first image of validation, and
        :func:`guess_errors`.
    """
    parts = split_images(images, annotations)
    if not parts['train']['images']:
        raise ValueError(
            f'{args.annotations}: {len(parts["val"]["images"])} images with labeled '
            'keypoints'
        )
    text = f'dataset_info = {pformat(metainfo, sort_dicts=False)}\n'
    (args.folder / 'metainfo.py').write_text(text, encoding='utf-8')
    for split, part in parts.items():
        content = json.dumps(part | {'categories': [category]})
        (args.folder / f'{split}.json').write_text(content, encoding='utf-8')
    train = parts['train']['annotations']
    val = parts['val']['annotations']
    schedule = choose_schedule(len(train), args)
    print_line(
        f'train_keypoints.py: {len(train)} objects to train on, {len(val)} to '
        f'validate; {schedule["steps"]} steps of {schedule["batch_size"]} in '
        f'{args.epochs} epochs, learning rate {schedule["lr"]:.2g}'
    )
    config = _CONFIG.format(
        folder=repr(f'{args.folder.resolve()}/'),
        images=repr(f'{args.images.resolve()}/'),
        count=len(category['keypoints']),
        **schedule,
    )
    (args.folder / 'config.py').write_text(config, encoding='utf-8')
    names = [str(name) for name in category['keypoints']]
    return parts['val']['images'][0]['file_name'], guess_errors(train, val, names)


def split_images(images: list[dict], annotations: list[dict]) -> dict[str, dict]:
    """Split the images with people, and their annotations, into 'val' and 'train'."""
    of_image = defaultdict(list)
    for person in annotations:
        of_image[person['image_id']].append(person)
    used = [image for image in images if image['id'] in of_image]
    every = min(_VALIDATION, max(len(used), 1))
    train = [image for number, image in enumerate(used) if number % every]
    parts = {}
    for split, part in (('val', used[::every]), ('train', train)):
        people = [person for image in part for person in of_image[image['id']]]
        parts[split] = dict(images=part, annotations=people)
    return parts


def choose_schedule(num_objects: int, args: argparse.Namespace) -> dict[str, float]:
    """Choose the settings of the training; ``args.epochs`` grow if they are too few.

    Returns:
        dict[str, float]: Fields of ``_CONFIG``.
    """
    batch_size = args.batch_size or next(
        (size for most, size in _BATCHES.items() if num_objects < most), _LARGE_BATCH
    )
    per_epoch = ceil(num_objects / batch_size)
    if args.epochs * per_epoch < _MIN_STEPS:
        print_line(
            f'train_keypoints.py: {args.epochs} epochs are {args.epochs * per_epoch} '
            f'steps, which are too few, so there are {_MIN_STEPS}'
        )
        args.epochs = ceil(_MIN_STEPS / per_epoch)
    interval = ceil(args.epochs / _CHECKPOINTS)
    while args.epochs % interval:  # the last epoch has a checkpoint
        interval -= 1
    steps = args.epochs * per_epoch
    return dict(
        epochs=args.epochs,
        interval=interval,
        batch_size=batch_size,
        steps=steps,
        lr=_RATE * sqrt(batch_size / 8),
        momentum=min(_AVERAGED / steps, 0.5),
    )


def describe(category: dict) -> dict:
    """Return MMPose's metainfo, in which names with left and right swap in mirrors."""
    names = [str(name) for name in category['keypoints']]
    spelled = {spell_joint(name): name for name in names}
    swaps = {'left_': 'right_', 'right_': 'left_'}
    points = {}
    for index, name in enumerate(names):
        side, _, rest = spell_joint(name).partition('_')
        swap = ''
        if rest and f'{side}_' in swaps:
            swap = spelled.get(swaps[f'{side}_'] + rest, '')
        points[index] = dict(name=name, type='', swap=swap)
    links = category.get('skeleton') or ()
    start = 0 if any(0 in link for link in links) else 1  # as in COCO
    return dict(
        dataset_name=category['name'],
        keypoint_info=points,
        skeleton_info={
            index: dict(link=tuple(names[number - start] for number in link))
            for index, link in enumerate(links)
        },
        joint_weights=[1.0] * len(names),
        sigmas=[_SIGMA] * len(names),
    )


if __name__ == '__main__':
    run_tool(add_arguments, main)
