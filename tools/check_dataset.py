"""Check the datasets of a config, or clips of motion capture, for likely mistakes.

Lifting data: units, axes, bones, suspicious frames. Configs of 2D pose and detection:
fields, boxes and keypoints of COCO's format, and every image.

Example::

    python tools/check_dataset.py my_config.py
    python tools/check_dataset.py clips.npz

docs/data.md says where files come from.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS

import mmhot.plugin  # noqa: F401 registers datasets
from mmhot.cli.errors import run_tool
from mmhot.datasets.clip_dataset import Clip
from mmhot.datasets.coco_checks import MAX_ANNOTATIONS, annotation_faults, needs_of
from mmhot.datasets.transforms.skeleton_augmentation import hip_frame
from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.io.arrays import load_json
from mmhot.skeletons.joints import get_skeleton
from mmhot.weights.config_files import read_config_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools.runner import naming_config, setting
from tools.training_data import (
    SPLITS,
    evaluators_of,
    innermost_datasets,
)

_H36M = get_skeleton('h36m-17')
_MAX_SHOWN = 8  # faults of a dataset, or places of a warning
# People mostly look ahead if their root is faster. A warning needs so many frames of
# it. Higher values warn less often.
_WALKING = 0.7  # m/s
_MIN_WALKING_FRAMES = 50
LIMBS = ('right_leg', 'left_leg', 'right_arm', 'left_arm')
# Limits of joints relative to the root. Faster joints are glitches; higher values find
# fewer.
_MAX_SPEED = 12.0  # m/s
_MAX_ACCELERATION = 450.0  # m/s^2
_MARGIN = 3  # frames before and after a glitch that are glitches, too
# Difference of a bone's length from its median that soft tissue explains, as a share.
_MAX_STRETCH = 0.1
# Difference of a left and a right bone, as a share; above, sides may be mixed up.
_MAX_ASYMMETRY = 0.1
LEG_LENGTHS = (0.4, 1.3)  # meters, hip to knee to foot; small children to tall adults


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'path', type=Path, help='config (.py), or clips of motion capture (.npz)'
    )


def main(args: argparse.Namespace) -> int:
    """Check a path; return 1 if files are missing or something is suspicious."""
    path = args.path
    if path.suffix == '.py':
        config = read_config_file(path)
        with naming_config(config):
            datasets = coco_datasets(config)
        if datasets:
            return min(sum(starmap(report_coco, datasets)), 1)
    problems = 0
    for title, settings in lifting_datasets(path):
        print(f'{title}:')
        try:
            problems += report(settings)
        except (FileNotFoundError, ValueError) as error:
            print(f'  ERROR: {error}')
            problems += 1
    return min(problems, 1)


def coco_datasets(config: Config) -> list[tuple[Any, list[ConfigDict]]]:
    """List the datasets of a config in COCO's format, each file once.

    Returns:
        list[tuple]: Datasets, built without reading their files, and the settings of
        the metrics that evaluate each of them.
    """
    datasets = {}
    DefaultScope.get_instance('check', scope_name=config.get('default_scope', 'mmpose'))
    for split in SPLITS:
        evaluators = [x for x in evaluators_of(config, split) if 'Coco' in x.type]
        metrics = [ConfigDict({'use_area': True, **x}) for x in evaluators]
        for settings in innermost_datasets(config.get(f'{split}_dataloader')):
            if str(settings.get('ann_file')).endswith('.json'):
                # Only the settings are needed, not the annotations.
                dataset = DATASETS.build(
                    {**settings, 'pipeline': [], 'lazy_init': True}
                )
                if needs_of(dataset):
                    datasets[dataset.ann_file] = dataset, metrics
    return [*datasets.values()]


def report_coco(dataset: Any, metrics: Sequence[Any]) -> int:
    """Print the faults of a dataset in COCO's format; return their number."""
    print(f'{dataset.ann_file}:')
    faults = annotation_faults(dataset, metrics)
    folder = dataset.data_prefix.get('img') or ''
    if not faults and '://' not in folder:
        content = load_json(Path(dataset.ann_file), MAX_ANNOTATIONS)
        faults = list(image_faults(content, Path(folder)))
    for fault in faults[:_MAX_SHOWN]:
        print(f'  ERROR: {fault}')
    if len(faults) > _MAX_SHOWN:
        print(f'  and {len(faults) - _MAX_SHOWN} more')
    if not faults:
        print('  no fault')
    return len(faults)


def image_faults(content: dict, folder: Path) -> Iterator[str]:
    """Yield a line for each annotated image that is missing or cannot be read."""
    ids = {ann['image_id'] for ann in content['annotations']}
    for image in (image for image in content['images'] if image['id'] in ids):
        path = folder / image['file_name']
        size = image['width'], image['height']
        if not path.is_file():
            yield f"image {image['id']}, 'file_name': {path} does not exist"
            continue
        data = np.fromfile(path, np.uint8)  # as MMCV reads it
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if pixels is None:
            yield f'image {image["id"]}: {path} cannot be read as an image'
        elif pixels.shape[1::-1] != size:
            yield (
                f"image {image['id']}, 'width' and 'height': got {size}, but "
                f'{path} has {pixels.shape[1::-1]}'
            )


def lifting_datasets(path: Path) -> list[tuple[str, dict]]:
    """List titles and settings of a config's training and validation, or of clips."""
    if path.suffix != '.py':
        clips = dict(type='MocapDataset', data_root='', ann_file=str(path))
        return [('Motion capture clips', clips)]
    config = read_config_file(path)
    datasets = []
    for split in ('train', 'val'):
        settings = setting(config, f'{split}_dataloader.dataset', 'path').to_dict()
        if 'seq_len' not in settings:
            raise ValueError(
                f'{path} has the dataset {settings["type"]}, not one of lifting'
            )
        datasets.append((f'{path.stem}, {split}', settings | dict(pipeline=[])))
    return datasets


def report(settings: dict) -> int:
    """Print what a dataset contains; return the number of warnings."""
    if settings['type'] == 'MocapDataset':
        # Without cameras the dataset has each clip once.
        settings = settings | dict(camera_file=None, sources=())
    try:
        clips = DATASETS.build(settings).clips
    except (AttributeError, KeyError, TypeError) as error:
        # The config has a wrong name or argument, and the message says which.
        raise ValueError(f'the dataset: {error}') from error
    frames = np.array([clip.num_frames for clip in clips])
    seconds = sum(clip.num_frames / clip.fps for clip in clips)
    valid = sum(valid_frames(clip).sum() for clip in clips)
    print(
        f'  {len(clips)} clips of {frames.min()} to {frames.max()} frames, '
        f'{frames.sum():,} in all, {seconds / 60:.1f} min at {clips[0].fps:g} fps'
        + (f', {valid:,} frames annotated' if valid < frames.sum() else '')
    )
    if not valid:
        raise ValueError('no frame is annotated')
    for what in ('subject', 'action'):
        names = {getattr(clip, what) for clip in clips} - {''}
        print(f'  {what}s: {", ".join(sorted(names)) or "not stated"}')
    warnings = [
        *warn_of_bodies(clips),
        *warn_of_direction(clips),
        *warn_of_frames(clips, 'millimeters_per_pixel' not in settings),
    ]
    for warning in warnings:
        print(f'  WARNING: {warning}')
    if not warnings:
        print('  nothing suspicious')
    return len(warnings)


def joints_of(clip: Clip) -> np.ndarray:
    """Return the joints of a clip in meters, (T, 17, 3)."""
    world = clip.arrays.get('joints_world')
    return clip.arrays['lifting_target'] if world is None else world


def valid_frames(clip: Clip) -> np.ndarray:
    """Return which frames of a clip are annotated, (T,) bool."""
    return np.full(clip.num_frames, True) if clip.valid is None else clip.valid


def warn_of_bodies(clips: Sequence[Clip]) -> Iterator[str]:
    """Print bone lengths; yield warnings about units, axes and sides."""
    joints = np.concatenate([joints_of(clip)[valid_frames(clip)] for clip in clips])
    leg = leg_length(joints)
    lengths = np.median(bone_lengths(joints, _H36M.bones), axis=0)
    length_to = dict(zip(_H36M.joints[1:], lengths, strict=True))
    print(f'  leg {leg:.3f} m; bones, median mm, to the joint:')
    sizes = (f'{name} {1000 * size:.0f}' for name, size in length_to.items())
    print('   ', ', '.join(sizes))
    if not LEG_LENGTHS[0] < leg < LEG_LENGTHS[1]:
        yield f'legs of {leg:.3g} m: the unit is not the meter'
    for left, right in _H36M.flip_pairs:
        names = _H36M.joints[left], _H36M.joints[right]
        one, other = (length_to[name] for name in names)
        if abs(one - other) > _MAX_ASYMMETRY * max(one, other):
            yield f'bones to {names[0]}, {one:.3f} m, and {names[1]}, {other:.3f} m'
    axis, sign = (2, 1) if 'joints_world' in clips[0].arrays else (1, -1)
    upright = sign * (joints[:, _H36M.index('head')] - joints[:, 0])[:, axis] > 0
    print(f'  head above root in {upright.mean():.1%} of frames')
    if upright.mean() < 0.5:
        yield 'the head is mostly below the root: wrong vertical axis or sign'


def warn_of_direction(clips: Sequence[Clip]) -> Iterator[str]:
    """Yield a warning if people mostly move backwards."""
    ahead = []
    for clip in clips:
        joints = joints_of(clip)
        _, up, forward = np.moveaxis(hip_frame(joints)[:-1], 1, 0)
        velocity = np.diff(joints[:, 0], axis=0) * clip.fps
        velocity -= (velocity * up).sum(-1, keepdims=True) * up
        is_moving = np.linalg.norm(velocity, axis=-1) > _WALKING
        ahead.append((velocity * forward).sum(-1)[is_moving] > 0)
    ahead = np.concatenate(ahead)
    if len(ahead) < _MIN_WALKING_FRAMES:
        return
    print(f'  facing the direction of travel in {ahead.mean():.1%} of moving frames')
    if ahead.mean() < 0.5:
        yield 'people mostly move backwards: sides are swapped, or an axis is mirrored'


def warn_of_frames(clips: Sequence[Clip], has_scale: bool) -> Iterator[str]:
    """Yield warnings that name the frames of impossible motion and stretched bones."""
    glitches = [find_glitches(joints_of(clip), clip.fps) for clip in clips]
    found = {'joints faster than 12 m/s or 450 m/s^2': glitches}
    if has_scale:  # otherwise the lengths of bones change with the depth
        stretched = [find_stretched(joints_of(clip)) for clip in clips]
        found['limb bones that differ by 10 %'] = stretched
    for what, frames_of_clips in found.items():
        total = 0
        places = []
        for clip, frames in zip(clips, frames_of_clips, strict=True):
            runs = good_stretches(frames & valid_frames(clip), 1)
            total += sum(run.stop - run.start for run in runs)
            places += [f'{clip.name} {run.start}-{run.stop - 1}' for run in runs]
        left = len(places) - _MAX_SHOWN
        more = f' and {left} more' if left > 0 else ''
        if total:
            yield f'{total} frames with {what}: {", ".join(places[:_MAX_SHOWN])}{more}'


def find_glitches(joints: np.ndarray, fps: float) -> np.ndarray:
    """Find frames in which a joint moves faster than people do, (T,) bool.

    A joint is too fast above 12 m/s or 450 m/s^2 relative to the root. The three frames
    before and after are marked, too.

    Args:
        joints (np.ndarray): Human3.6M's joints, meters, (T, 17, 3).
        fps (float): Frames per second.
    """
    relative = joints.astype(np.float64) - joints[:, :1]
    suspicious = np.zeros(len(joints), bool)
    for order, limit in ((1, _MAX_SPEED), (2, _MAX_ACCELERATION)):
        change = np.diff(relative, n=order, axis=0) * fps**order
        fast = np.linalg.norm(change, axis=-1).max(-1, initial=0) > limit
        for shift in range(order + 1):
            suspicious[shift : shift + len(fast)] |= fast
    around = np.convolve(suspicious, np.ones(2 * _MARGIN + 1), 'same') > 0
    return around if suspicious.any() else suspicious


def good_stretches(good: np.ndarray, min_frames: int) -> list[slice]:
    """Return the runs of at least ``min_frames`` good frames, by their mask (T,)."""
    edges = np.flatnonzero(np.diff(good, prepend=False, append=False))
    runs = edges.reshape(-1, 2).tolist()
    return [slice(start, end) for start, end in runs if end - start >= min_frames]


def leg_length(joints: np.ndarray) -> float:
    """Compute the median length of both legs of (T, 17, 3), hip to knee to foot."""
    lengths = bone_lengths(joints, _H36M.bones)
    legs = []
    for side in ('right', 'left'):
        # The bone to a joint is at its index - 1, as the root has no bone.
        bones = [joint - 1 for joint in _H36M.indices(f'{side}_leg')[1:]]
        legs.append(lengths[:, bones].sum(-1))
    return float(np.median(legs))


def find_stretched(joints: np.ndarray) -> np.ndarray:
    """Find frames in which a limb's bone differs by over 10 % from its median length.

    Joints are (T, 17, 3), the mask is (T,), bool.
    """
    bones = [joint - 1 for name in LIMBS for joint in _H36M.indices(name)[1:]]
    lengths = bone_lengths(joints, _H36M.bones)[:, bones]
    usual = np.median(lengths, axis=0)
    return (np.abs(lengths / np.maximum(usual, 1e-9) - 1) > _MAX_STRETCH).any(-1)


if __name__ == '__main__':
    run_tool(add_arguments, main)
