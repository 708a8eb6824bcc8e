"""Measure what each step is worth: errors of clips without and with it, on beds.

A bed is a set of clips of one kind with ground truth or references, see
docs/benchmarks.md. A line is printed where a step changes an error. A clip is worse if
its error rises by more than the limit. Example::

    python -m tools.analysis.measure_steps --data-root data/cmu_mocap --real FOLDER
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

import mmhot
from mmhot.chain.calls import INFER
from mmhot.chain.frames.inputs import open_clip
from mmhot.chain.pipelines import KEYPOINTS, POSES, VIDEO, list_steps
from mmhot.chain.plan import VideoPlan
from mmhot.chain.poses.contacts import ANKLES
from mmhot.chain.run import Runner
from mmhot.cli.errors import print_text, run_tool
from mmhot.datasets.transforms.detector_noise import (
    RandomDetectorNoise,
    person_height,
)
from mmhot.errors import align
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.options import Values
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from tools.analysis import measure_floor, motions
from tools.analysis.measure_accuracy import with_true_keypoints

Errors = dict[str, float]
# Function of the step that is left out, or '', that returns the errors of a clip
Clip = Callable[[str], Errors]
# Rise of each error above which a clip is worse, and its unit
LIMITS = {
    'wrong keypoints': (1.0, '%'),
    'missing': (1.0, '%'),
    'IDs': (1.0, '%'),
    'poses': (1.0, 'mm'),
    'places': (5.0, 'mm'),
    'given places': (1.0, 'mm'),
    'ankles': (1.0, 'cm/s'),
    'relative depth': (1.0, '%'),
}
# A camera that is stated to be static cannot be left out.
_STEPS = {
    'given': [name for name in list_steps(POSES) if name != 'camera'],
    'projected': [name for name in list_steps(KEYPOINTS) if name != 'camera'],
    'scene': ['sizes'],
    'real': list_steps(VIDEO)[: list_steps(VIDEO).index('camera')],
    'rendered': list_steps(VIDEO),
}
_H36M = get_skeleton('h36m-17')
_PARTS = ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'foot')
_LIMBS = [f'{side}_{part}' for part in _PARTS for side in ('left', 'right')]
_COCO_LIMBS = get_skeleton('coco-17').indices(
    x.replace('foot', 'ankle') for x in _LIMBS
)
_FOREARMS = [_H36M.indices([f'{x}_elbow', f'{x}_wrist']) for x in ('left', 'right')]
_IS_LEFT_FOREARM = np.isin(np.arange(17), _FOREARMS[0])[:, None]
_MIN_KNOWN = 4  # known limbs of a reference person
_WRONG = 0.1  # distance of a wrong keypoint, as a share of the person's longer side
_OTHER = 0.2  # median distance of keypoints of another person, the same
_FRAMES = 150  # frames of motion capture
_IS_GAP = (np.arange(_FRAMES) - 20) % 60 < 8
_REPEATED = np.arange(_FRAMES) - (np.arange(_FRAMES) % 6 == 5)


class DetectorNoise(RandomDetectorNoise):
    """Noise of the 2D model ``gtpt-t`` in eight real videos.

    Errors of 5,800 keypoints there: deviations of 6 to 9 pixels of a person of 370, of
    which 3 to 5 are new in each frame; 8 to 23 % are larger than 25; scores fall
    slowly with the error. In 11 of 835 poses legs begin to be exchanged, for up to 4
    frames. The references' own errors are in these numbers.
    """

    jitter_std = 1.5
    outlier_share = 0.04
    end_outlier_share = 0.06
    outlier_std = 40.0
    leg_swap_prob = 0.01
    drop_share = 0.002
    copy_prob = 0.002  # probability per frame that a forearm lies on the other one

    def transform(self, results: dict) -> dict:
        """Add noise, and scores that go with it."""
        clean = results['keypoints']
        results = super().transform(results)
        error = np.linalg.norm(results['keypoints'] - clean, axis=-1)
        scores = 0.97 - 1.1 * error / person_height(clean)
        scores += np.random.default_rng(results['id']).normal(0, 0.08, scores.shape)
        is_seen = results['keypoints_visible'] > 0
        results['keypoints_visible'] = scores.clip(0.01, 1) * is_seen
        return results

    def swap(self, rng: np.random.Generator, keypoints: np.ndarray) -> None:
        """Exchange limbs of (T, K, 2), and place forearms on the other ones."""
        super().swap(rng, keypoints)
        for frame in np.flatnonzero(rng.random(len(keypoints)) < self.copy_prob):
            frames = slice(frame, frame + rng.integers(5, 20))
            copied, seen = rng.permutation(_FOREARMS)
            keypoints[frames, copied] = keypoints[frames, seen]


_NOISE = DetectorNoise(strength=(1.7, 1.7), seed=0)


def see(video: Path, cache: Path, without: str) -> tuple[VideoPlan, Clip2D, Any]:
    """Return plan, tracked keypoints and footage of a video."""
    plan = VideoPlan(Values(dict(without=without or ()), INFER.kinds), cache=cache)
    return plan, *Runner().see(plan, open_clip(str(video), None))


def measure_real(video: Path, cache: Path, without: str) -> Errors:
    """Compare the keypoints of a video that are lifted with references."""
    plan, clip, footage = see(video, cache, f'camera,{without}'.strip(','))
    steps = islice(Runner().lift_by_step(plan, clip, footage), len(plan.keypoints))
    *_, (_, clip) = [('', clip), *steps]
    segments = plan.lifter.prepare(clip) if clip.tracks else []
    joints = _H36M.indices(_LIMBS)
    poses = [(segment.frames, segment.keypoints[:, joints]) for segment in segments]
    return compare_keypoints(poses, dict(np.load(video.with_suffix('.npz'))))


def compare_keypoints(
    poses: list[tuple[np.ndarray, np.ndarray]], reference: Mapping[str, np.ndarray]
) -> Errors:
    """Return the share of the references' limbs that are wrong or missing.

    Args:
        poses (list[tuple[np.ndarray, np.ndarray]]): Frames (T,) and pixels of limbs (T,
            12, 2) of each person.
        reference (Mapping[str, np.ndarray]): ``frame`` (N,) and ``keypoints`` in COCO's
            order (N, 17, 2), NaN where unknown.
    """
    wrong = []
    for frame, points in zip(reference['frame'], reference['keypoints'], strict=True):
        known = [joint for joint in _COCO_LIMBS if np.isfinite(points[joint]).all()]
        if len(known) < _MIN_KNOWN:
            continue
        seen = [pixels[frames == frame] for frames, pixels in poses]
        limbs = np.concatenate([np.full((1, 12, 2), np.inf), *seen])
        offsets = limbs[:, [_COCO_LIMBS.index(x) for x in known]] - points[known]
        errors = np.linalg.norm(offsets, axis=-1) / np.ptp(points[known], axis=0).max()
        nearest = min(errors, key=np.median)
        wrong.append((nearest > _WRONG) | (np.median(nearest) > _OTHER))
    return {'wrong keypoints': 100 * float(np.concatenate(wrong).mean())}


def measure_rendered(video: Path, cache: Path, without: str) -> Errors:
    """Compare a rendered clip with the ground truth of its people."""
    files = sorted(video.parent.glob(f'{video.stem}_[0-9].npz'))
    truths = map(motions.GroundTruth.read, files or [video.with_suffix('.npz')])
    return compare_poses(Runner().lift(*see(video, cache, without)), [*truths])


def compare_poses(clip: Clip3D | None, truths: Sequence[motions.GroundTruth]) -> Errors:
    """Compare the poses of a clip in camera axes with the ground truth of its people.

    Returns:
        dict[str, float]: Shares of people's frames that are ``missing``, and of found
        ones with another of the ``IDs`` than most of the person; mean errors of
        ``poses`` relative to the root, of ``places`` after one scale and offset of the
        scene, and of velocities of ``ankles``.
    """
    pairs = []
    others = []
    speeds = []
    for truth in truths if clip else ():
        with suppress(ValueError):  # a person who is never found
            rows = motions.rows_of_person(
                clip, truth.pixels, others=[x.pixels for x in truths]
            )
            person = clip.first_joints(len(_H36M.joints)).take(rows)
            true = (truth.poses + truth.root[:, None])[person.frame]
            pairs.append((person.places(), true))
            others.append(person.track != np.bincount(person.track).argmax())
            speeds.append(ankle_errors(*pairs[-1], person.frame / person.fps))
    count = sum(map(len, others))
    missing = 100 - 100 * count / sum(len(truth.pixels) for truth in truths)
    if not count:
        return {'missing': missing}
    found, true = map(np.concatenate, zip(*pairs, strict=True))
    poses = mpjpe(found - found[:, :1], true - true[:, :1]).mean()
    found, true = (x - x.mean((0, 1)) for x in (found, true))
    scale = (found * true).sum() / (found**2).sum()
    return {
        'missing': missing,
        'IDs': 100 * float(np.concatenate(others).mean()),
        'poses': 1000 * float(poses),
        'places': 1000 * float(np.linalg.norm(scale * found - true, axis=-1).mean()),
        'ankles': float(np.concatenate(speeds).mean()),
    }


def ankle_errors(
    found: np.ndarray, true: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Return errors of ankles' velocities in cm/s, of places (T, 17, 3)."""
    steps = np.diff((found - true)[:, ANKLES], axis=0)
    return 100 * np.linalg.norm(steps, axis=-1).mean(1) / np.diff(seconds)


def measure_projected(clip: Clip2D, truth: motions.GroundTruth, without: str) -> Errors:
    """Compare lifted motion capture with itself."""
    lifted = mmhot.lift(clip, static_camera=True, without=without or ())
    return compare_poses(lifted, [truth])


def measure_given(true: np.ndarray, given: np.ndarray, without: str) -> Errors:
    """Refine given places (T, 17, 3), NaN where missing, and compare with the truth.

    In a frame without a pose the one of the nearest frame counts.
    """
    clip = Clip3D.from_arrays(given, motions.FPS, axes='world')
    clip = mmhot.refine(clip, static_camera=True, without=without or ())
    frames = np.arange(len(true))
    places = clip.places()[abs(clip.frame - frames[:, None]).argmin(1)]
    return {
        'given places': 1000 * np.linalg.norm(places - true, axis=-1).mean(),
        'ankles': float(ankle_errors(places, true, frames / motions.FPS).mean()),
    }


def measure_scene(
    kind: str, bodies: list[np.ndarray], seed: int, without: str
) -> Errors:
    """Measure people on one floor, whose bodies are (60, 17, 3)."""
    kinds = measure_floor.KINDS[kind], 'all' in kind
    rows = measure_floor.measure(np.random.default_rng(seed), bodies, *kinds)
    return {'relative depth': 100 * float(rows[int(without != 'sizes')])}


def _fast(true: np.ndarray) -> np.ndarray:
    """Play a motion (T, 17, 3) at 1.6 times its speed."""
    [(places, _)] = motions.resampled([true], motions.FPS, 1.6)
    return places


def _lying(true: np.ndarray) -> np.ndarray:
    """Lay people (T, 17, 3) on the floor, face up."""
    lying = true[..., [0, 2, 1]] * (1, 1, -1)
    return lying + (0, 0, 0.1 - lying[..., 2].min())


def _gliding(true: np.ndarray) -> np.ndarray:
    """Move people (T, 17, 3) by 3 cm in each frame, as on skates."""
    return true + np.multiply.outer(np.arange(len(true)), [0.03, 0, 0])[:, None]


def _smooth(true: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add errors of 20 mm that last for a quarter of a second to places (T, 17, 3)."""
    noise = gaussian_filter1d(rng.normal(size=true.shape), 6, axis=0)
    return true + 0.02 * noise / noise.std()


# Motions, and what other tools make of them
_MOTIONS = {
    'given': np.asarray,
    'given fast': _fast,
    'given lying': _lying,
    'given gliding': _gliding,
}
_GIVEN: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    'exact': lambda x, rng: x,
    'white': lambda x, rng: x + rng.normal(0, 0.01, x.shape),
    'smooth': _smooth,
    'forearm': lambda x, rng: x + rng.normal(0, 0.02, x.shape) * _IS_LEFT_FOREARM,
    'outliers': lambda x, rng: (
        x + rng.normal(0, 0.3, x.shape) * (rng.random((*x.shape[:2], 1)) < 0.01)
    ),
    'gaps': lambda x, rng: np.where(_IS_GAP[: len(x), None, None], np.nan, x),
    'repeated': lambda x, rng: x[_REPEATED[: len(x)]],
}


def make_beds(args: argparse.Namespace) -> Iterator[tuple[str, dict[str, Clip]]]:
    """Yield the name of each bed, and its clips by name."""
    chosen = motions.select_motions(args.data_root, args.motions, args.subjects)
    bodies = [body[:_FRAMES].astype(float) for body, _ in chosen]
    for (motion, change), (noise, spoil) in product(_MOTIONS.items(), _GIVEN.items()):
        if motion == 'given' or noise in ('exact', 'white'):
            true = [*map(change, bodies)]
            given = [spoil(x, np.random.default_rng(n)) for n, x in enumerate(true)]
            runs = [
                partial(measure_given, *pair) for pair in zip(true, given, strict=True)
            ]
            yield f'{motion} {noise}', {str(n): run for n, run in enumerate(runs)}
    projected = [
        motions.project_motion(body[:_FRAMES], camera, number, noise=_NOISE)
        for number, (body, camera) in enumerate(chosen)
    ]
    white = [(_whitened(*pair), pair[1]) for pair in projected]
    for noise, pairs in ('noise', projected), ('white', white):
        runs = {pair[0].name: partial(measure_projected, *pair) for pair in pairs}
        yield f'projected {noise}', runs
    bodies = [body[::2][: measure_floor.FRAMES] for body, _ in chosen]
    bodies = [body for body in bodies if len(body) == measure_floor.FRAMES]
    for kind in measure_floor.KINDS:
        runs = [partial(measure_scene, kind, bodies, n) for n in range(args.scenes)]
        yield f'scene {kind}', {str(n): run for n, run in enumerate(runs)}
    for bed, run in ('real', measure_real), ('rendered', measure_rendered):
        folder = getattr(args, bed)
        videos = sorted(folder.glob('*.mp4')) if folder else []
        yield bed, {x.stem: partial(run, x, args.cache) for x in videos}


def _whitened(clip: Clip2D, truth: motions.GroundTruth) -> Clip2D:
    """Replace the keypoints of one person by true ones with 4 px of white noise."""
    noise = np.random.default_rng(0).normal(0, 4, truth.pixels.shape)
    return with_true_keypoints(clip, replace(truth, pixels=truth.pixels + noise))


def compare_steps(steps: Sequence[str], clips: Mapping[str, Clip]) -> list[dict]:
    """Compare the errors of clips without and with each step.

    Returns:
        list[dict]: A row for each step and error that it changes: ``step``, ``error``,
        number of ``clips``, mean error ``without`` and ``with`` the step, share of
        clips that are ``worse``, and by how much the error of the ``worst`` clip
        ``rises``.
    """
    whole = {name: run('') for name, run in clips.items()}
    rows = []
    for step in steps:
        less = {name: run(step) for name, run in clips.items()}
        for error, (limit, _) in LIMITS.items():
            known = [x for x in clips if error in less[x] and error in whole[x]]
            pairs = [[less[x][error], whole[x][error]] for x in known]
            pairs = np.reshape(pairs, (-1, 2))
            if np.allclose(pairs[:, :1], pairs[:, 1:]):
                continue
            rises = pairs[:, 1] - pairs[:, 0]
            rows.append(
                {
                    'step': step,
                    'error': error,
                    'clips': len(known),
                    'without': float(pairs[:, 0].mean()),
                    'with': float(pairs[:, 1].mean()),
                    'worse': float((rises > limit).mean()),
                    'worst': known[rises.argmax()],
                    'rises': float(rises.max()),
                }
            )
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    motions.add_motion_arguments(parser, motions=12)
    parser.add_argument('--scenes', type=int, default=3, help='of each kind (3)')
    for name, kind in (('real', 'references'), ('rendered', 'ground truth')):
        parser.add_argument(
            f'--{name}', type=Path, help=f'folder of videos with {kind}'
        )
    parser.add_argument('--beds', nargs='+', default=[''], help='beginnings of names')
    parser.add_argument('--cache', type=Path, help='folder that keeps 2D keypoints')
    parser.add_argument('--out', type=Path, help='.json file of the table')


def main(args: argparse.Namespace) -> None:
    """Print a line for each step that changes an error of a bed."""
    heads = ['bed', 'step', 'error', 'worst', 'clips', 'without', 'with', 'worse']
    lines = [[*heads, 'by more than', 'rises']]
    table = []
    for bed, clips in make_beds(args):
        if clips and bed.startswith(tuple(args.beds)):
            rows = compare_steps(_STEPS[bed.split()[0]], clips)
            table += [dict(bed=bed) | row for row in rows]
    for row in table:
        limit = '{:g} {}'.format(*LIMITS[row['error']])
        cells = row | {x: f'{row[x]:.2f}' for x in ('without', 'with', 'rises')}
        cells |= {'worse': f'{row["worse"]:.0%}', 'by more than': limit}
        lines.append([str(cells[head]) for head in lines[0]])
    print_text(align(lines, left=4))
    if args.out:
        args.out.write_text(json.dumps(table, indent=1))


if __name__ == '__main__':
    run_tool(add_arguments, main)
