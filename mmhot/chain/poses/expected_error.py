"""Expected error of each joint in each frame: evidence of doubt, and a fitted model.

Each joint has a generalized linear model: the logarithm of the expected distance from
the ground truth is linear in the evidence. Both sides of the body share coefficients,
which are fitted to one lifter and are in a file beside its weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.chain.lifting.lifted import Evidence, Lifted, LiftedStep
from mmhot.errors import naming
from mmhot.io.arrays import load_object
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import get_skeleton, part_of
from mmhot.structures.clips_3d import Clip3D

_H36M = get_skeleton('h36m-17')
_PARENTS = np.maximum(_H36M.parents, 0)
_SHOULDERS = _H36M.indices(['left_shoulder', 'right_shoulder'])

EVIDENCE = (
    'disagreement',
    'mean disagreement',
    'correction by bone lengths',
    'mean correction',
    'confidence',
    'mean confidence',
    'distance from the root',
    'share of the bone along the line of sight',
    'share of the shoulders along the line of sight',
    'constant',
)
"""Names of the evidence; disagreement and correction are logarithms of meters."""


@dataclass(frozen=True)
class EvidenceScales:
    """Settings of the evidence; the coefficients were fitted with these values."""

    smoothing: float = 0.08  # seconds; standard deviation of the filter over time
    offset: float = 0.002  # m; added to distances before their logarithm
    confident: float = 0.8  # higher scores count as this: 2D models differ above it
    # m; largest expected error, as the model may extrapolate far beyond its data
    max_error: float = 0.5


@dataclass(frozen=True, kw_only=True)
class ExpectErrors(LiftedStep):
    """Step ``errors``: predict the error of each joint in each frame."""

    name = 'errors'

    scales: EvidenceScales = EvidenceScales()

    def __call__(self, clip: Clip3D, lifted: Lifted) -> Clip3D:
        """Add the expected errors if the lifter has coefficients and gave evidence."""
        if lifted.evidence is None or lifted.weights is None:
            return clip
        coefficients = read_coefficients(lifted.weights)
        if coefficients is None:
            return clip
        errors = np.zeros(clip.scores.shape, np.float32)
        for rows in clip.stretches():
            numbers = gather_evidence(clip, lifted.evidence, rows, self.scales)
            errors[rows] = predict_errors(numbers, coefficients, self.scales)
        return replace(clip, expected_error=errors)


def predict_errors(
    numbers: np.ndarray,
    coefficients: Mapping[str, Sequence[float]],
    scales: EvidenceScales = EvidenceScales(),
) -> np.ndarray:
    """Predict errors from evidence.

    Args:
        numbers (np.ndarray): Evidence, see :func:`gather_evidence`, (T, 17, E).
        coefficients (Mapping[str, Sequence[float]]): E coefficients for the logarithm
            of the error, in the order of :data:`EVIDENCE`, by the name of the joint
            without its side.
        scales (EvidenceScales): Settings; ``max_error`` limits the result.

    Returns:
        np.ndarray: Expected errors, meters, 0 for the root, (T, 17).
    """
    table = np.array([coefficients[part_of(joint)] for joint in _H36M.joints[1:]])
    logarithms = (numbers[:, 1:] * table).sum(-1).clip(max=np.log(scales.max_error))
    return np.pad(np.exp(logarithms), ((0, 0), (1, 0)))


def read_coefficients(weights: Path) -> dict[str, list[float]] | None:
    """Read the coefficients of a lifter.

    Args:
        weights (Path): File of its weights; ``NAME.errors.json`` is read beside it.

    Returns:
        dict[str, list[float]] | None: See :func:`predict_errors`; None without a file.
    """
    path = weights.with_name(f'{weights.stem}.errors.json')
    if not path.is_file():
        return None
    with naming(path):
        return load_object(path)['coefficients']


def gather_evidence(
    clip: Clip3D,
    evidence: Evidence,
    rows: np.ndarray,
    scales: EvidenceScales = EvidenceScales(),
) -> np.ndarray:
    """Compute the evidence for consecutive frames of a person.

    Args:
        clip (Clip3D): Lifted poses.
        evidence (Evidence): What the lifter recorded, for all rows of the clip.
        rows (np.ndarray): Rows of the person, (T,).
        scales (EvidenceScales): Settings of the evidence.

    Returns:
        np.ndarray: Numbers in the order of :data:`EVIDENCE`, (T, 17, E).
    """

    def smooth(values: np.ndarray) -> np.ndarray:
        sigma = scales.smoothing * clip.fps
        values = values.astype(np.float64)
        return scipy.ndimage.gaussian_filter1d(values, sigma, axis=0, mode='nearest')

    disagreement = np.log(smooth(evidence.disagreement[rows]) + scales.offset)
    correction = np.log(smooth(evidence.correction[rows]) + scales.offset)
    confidence = smooth(np.minimum(clip.confidence[rows], scales.confident))
    poses = clip.keypoints_3d[rows]
    left, right = np.moveaxis(poses[:, _SHOULDERS], 1, 0)
    directions = evidence.directions[rows]
    numbers = [
        disagreement,
        disagreement.mean(1, keepdims=True),
        correction,
        correction.mean(1, keepdims=True),
        confidence,
        confidence.mean(1, keepdims=True),
        np.linalg.norm(poses, axis=-1),
        _share_along(poses - poses[:, _PARENTS], directions),
        _share_along((left - right)[:, None], directions),
        np.ones(1),
    ]
    return np.stack([np.broadcast_to(x, poses.shape[:2]) for x in numbers], -1)


def _share_along(vectors: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return how far vectors (T, K, 3) are along directions (T, 3), 0 to 1, (T, K)."""
    along = np.abs((vectors * unit_vectors(directions)[:, None]).sum(-1))
    return along / np.linalg.norm(vectors, axis=-1).clip(1e-3)
