r"""Fit and test the expected error of joints (`mmhot/motion/expected_error.py`).

Motion capture is seen by virtual cameras, a third each with ground-truth 2D keypoints,
with the errors of 2D detectors, and with those and limbs occluded for 0.2 to 1.5
seconds: low confidence and errors of a tenth of the person's height, or no keypoint.
Prints the coefficients, and tests them on the subject of the split ``val``. Writes both
to a file, and draws the test: joints in ten groups by their expected error. Example::

    python -m tools.analysis.fit_expected_error docs/images/expected_errors.json \
        docs/images/expected_errors.png --data-root data/cmu_mocap
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmhot.cli.errors import OneLineParser, print_line, print_text, run_safely
from mmhot.cli.report import output_file
from mmhot.datasets.transforms.detector_noise import person_height
from mmhot.errors import align
from mmhot.io.atomic import replacing
from mmhot.lifting.lifter import Lifter
from mmhot.motion.expected_error import ErrorModel, gather_evidence
from mmhot.skeletons.joints import get_skeleton, part_of
from mmhot.structures.clips import Clip2D
from tools.analysis.measure_accuracy import with_true_keypoints
from tools.analysis.motions import project_motion, select_motions

_H36M = get_skeleton('h36m-17')
# Subjects of the fit: own skeletons, and neither the test's nor those of other tests.
_SUBJECTS = [f'S{x:02}' for x in (1, 3, 5, 6, 11, 13, 14, 16, 17, 29, 49, 64, 118, 127)]
_OCCLUDED = [
    [f'{side}_{part}' for part in parts]
    for side in ('left', 'right')
    for parts in (
        ('foot',),
        ('knee', 'foot'),
        ('hip', 'knee', 'foot'),
        ('wrist',),
        ('elbow', 'wrist'),
    )
]
_OCCLUDED.append(_OCCLUDED[1] + _OCCLUDED[6])  # both legs behind a table
# Errors of guesses, in heights of the person; of least squares.
_WRONG, _RIDGE, _ROUNDS = 0.07, 50.0, 15
KINDS = {'true': 'ground truth', 'noisy': 'noisy', 'occluded': 'occluded'}
_GROUPS = 10


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('table', type=output_file, help='.json file to write')
    parser.add_argument('figure', type=output_file, help='.png file to write')
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument('--motions', type=int, default=50, help='of the fit')
    parser.add_argument('--test-motions', type=int, default=20)
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Fit, print, write and draw."""
    for option in ('motions', 'test_motions'):
        if getattr(args, option) < 1:
            name = option.replace('_', '-')
            raise ValueError(f'--{name} must be at least 1')
    seen = [collect(args.data_root, args.motions, kind, _SUBJECTS) for kind in KINDS]
    evidence, errors = (np.concatenate(each) for each in zip(*seen, strict=True))
    table = fit(evidence, errors)
    for part, row in table.items():
        print_line(f'    {part!r}: ({", ".join(f"{value:.2f}" for value in row)}),')
    tests = []
    model = ErrorModel(table)
    for kind in KINDS:
        evidence, errors = collect(args.data_root, args.test_motions, kind)
        tests.append({'2D': kind, **compare(model.expect(evidence), errors)})
    lines = [['2D', 'correlation', *map(str, range(1, _GROUPS + 1))]]
    for each in tests:
        rows = ([f'{value:.0f}' for value in each[key]] for key in ('expected', 'true'))
        heads = [f'{each["2D"]}, expected', f'{each["correlation"]:.2f}'], ['error', '']
        lines += [[*head, *row] for head, row in zip(heads, rows, strict=True)]
    print_text(align(lines, left=2))
    coefficients = {part: np.round(row, 2).tolist() for part, row in table.items()}
    document = {'coefficients': coefficients, 'tests': tests}
    with replacing(args.table) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + '\n')
    draw(tests, args.figure)


def collect(
    data_root: Path, count: int, kind: str, subjects: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Lift motions; returns evidence (T, 17, E) and errors in meters (T, 17)."""
    lifter, evidence, errors = Lifter(), [], []
    for seed, motion in enumerate(select_motions(data_root, count, subjects)):
        clip, truth = project_motion(*motion, seed)
        if kind == 'true':
            clip = with_true_keypoints(clip, truth)
        elif kind == 'occluded':
            clip = occlude(clip, np.random.default_rng(seed))
        lifted, found = lifter.lift(clip, lifter.prepare(clip))
        evidence.append(gather_evidence(lifted, found, np.arange(len(lifted))))
        errors.append(np.linalg.norm(lifted.keypoints_3d - truth.poses, axis=-1))
    return np.concatenate(evidence), np.concatenate(errors)


def occlude(clip: Clip2D, rng: np.random.Generator) -> Clip2D:
    """Occlude limbs of the one person of a clip, one after another."""
    (track,) = clip.tracks
    keypoints, scores = track.keypoints.copy(), track.scores.copy()
    size = person_height(keypoints)
    begin = int(rng.integers(100))
    while begin < len(keypoints):
        end = begin + int(rng.integers(10, 75))
        joints = _H36M.indices(_OCCLUDED[rng.integers(len(_OCCLUDED))])
        window = np.ix_(range(begin, min(end, len(keypoints))), joints)
        if rng.random() < 0.35:
            keypoints[window], scores[window] = np.nan, 0
        else:
            # a guess that is wrong by a constant and drifts
            shape = keypoints[window].shape
            drift = np.cumsum(rng.normal(0, 1, shape), 0) / len(window[0]) ** 0.5
            offsets = rng.normal(0, 1, shape[1:]) + drift
            keypoints[window] += offsets * _WRONG * size
            guessed = rng.uniform(0.05, 0.45) + rng.normal(0, 0.08, shape[:2])
            scores[window] = guessed.clip(0.01, 1)
        begin = end + int(rng.integers(30, 150))
    return replace(clip, tracks=[replace(track, keypoints=keypoints, scores=scores)])


def fit(evidence: np.ndarray, errors: np.ndarray) -> dict[str, np.ndarray]:
    """Fit the mean of gamma-distributed errors (iteratively reweighted least squares).

    Args:
        evidence (np.ndarray): (T, 17, E), the last is constant.
        errors (np.ndarray): Meters, (T, 17).

    Returns:
        dict[str, np.ndarray]: Coefficients (E,) by part of the body, without its side.
    """
    table = {}
    for part in dict.fromkeys(map(part_of, _H36M.joints[1:])):
        joints = [j for j, name in enumerate(_H36M.joints) if part_of(name) == part]
        inputs = evidence[:, joints].reshape(-1, evidence.shape[-1])
        target = errors[:, joints].ravel()
        # constant columns (a hip's bone starts at the root) keep a scale of 1
        scale = inputs.std(0) + (inputs.std(0) < 1e-6)
        inputs = inputs / scale
        normal = inputs.T @ inputs + _RIDGE * np.eye(len(scale))
        weights = np.zeros(len(scale))
        weights[-1] = np.log(target.mean())
        for _ in range(_ROUNDS):
            expected = np.exp(inputs @ weights)
            # errors far above the expected ones would overshoot
            residuals = ((target - expected) / expected).clip(max=5)
            weights += np.linalg.solve(normal, inputs.T @ residuals)
        table[part] = weights / scale
    return table


def compare(expected: np.ndarray, errors: np.ndarray) -> dict[str, float | list[float]]:
    """Compare expected and true errors, both in meters, (T, 17).

    Returns:
        dict: ``correlation`` without the mean of each joint; for ten groups of equal
        size, sorted by expected error, the means ``expected`` and ``true``, and the
        quartiles ``low`` and ``high`` of the true errors, in mm.
    """
    expected, errors = (1000 * each[:, 1:] for each in (expected, errors))
    own, true = (each - each.mean(0) for each in (expected, errors))
    within = (own * true).sum() / np.sqrt((own**2).sum() * (true**2).sum())
    tenths = np.array_split(np.argsort(expected.ravel()), _GROUPS)
    groups = [(expected.ravel()[tenth], errors.ravel()[tenth]) for tenth in tenths]
    rows = {
        'expected': [own.mean() for own, _ in groups],
        'true': [true.mean() for _, true in groups],
        'low': [np.quantile(true, 0.25) for _, true in groups],
        'high': [np.quantile(true, 0.75) for _, true in groups],
    }
    means = {key: [round(float(x), 2) for x in row] for key, row in rows.items()}
    return {'correlation': round(float(within), 2), **means}


def draw(tests: Sequence[Mapping], target: Path) -> None:
    """Plot true against expected errors of each test of a file, with quartiles."""
    figure = Figure(figsize=(10, 3.8), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(tests), sharex=True, sharey=True, squeeze=False)[0]
    largest = max(max(each['expected'] + each['high']) for each in tests) * 1.05
    for axes, each in zip(panels, tests, strict=True):
        expected, true = each['expected'], np.array(each['true'])
        axes.plot([0, largest], [0, largest], ':', color='#9aa3ad', linewidth=1)
        axes.vlines(expected, each['low'], each['high'], color='#9dbcf2', linewidth=4)
        axes.plot(expected, true, 'o-', color='#2f6fde')
        axes.set_title(f'2D: {KINDS[each["2D"]]}', fontsize=10)
        axes.set_xlabel('expected error, mm')
        axes.set_xlim(0, largest)
        axes.set_ylim(0, largest)
        axes.set_aspect('equal')
        axes.grid(alpha=0.3)
    panels[0].set_ylabel('true error, mm: mean, quartiles')
    with replacing(target) as temporary:
        figure.savefig(temporary, format='png', dpi=110)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('fit_expected_error.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
