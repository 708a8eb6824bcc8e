"""Simulated errors of 2D detectors."""

from dataclasses import dataclass

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.datasets.transforms.skeleton_augmentation import LIMBS, fill_midpoints
from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')

# Noise of real detections on Human3.6M, fitted by MotionBERT (Apache-2.0,
# params/synthetic_noise.pth), in pixels for a person of 370 pixels: the Gaussian's
# standard deviations in x and y and its mean in y, and the share of samples that are
# uniform within 15 pixels instead
_FITTED = {
    'root': (1.8, 1.8, 0.0, 0.00),
    'hip': (3.5, 2.6, 0.0, 0.03),
    'knee': (3.3, 2.5, 0.0, 0.12),
    'left_knee': (3.3, 2.5, -2.6, 0.12),
    'foot': (4.6, 2.7, 0.0, 0.14),
    'spine': (3.3, 2.5, 0.0, 0.04),
    'thorax': (2.8, 2.7, -3.3, 0.08),
    'neck_base': (2.7, 2.4, 0.0, 0.03),
    'head': (1.7, 1.8, 0.0, 0.02),
    'shoulder': (4.0, 3.5, -2.0, 0.11),
    'elbow': (2.8, 2.6, 0.0, 0.19),
    'wrist': (2.6, 2.7, 0.0, 0.28),
}
_TABLE = np.array(
    [
        _FITTED.get(joint) or _FITTED[joint.split('_', 1)[1]]  # both sides alike
        for joint in _H36M.joints
    ],
    np.float32,
)
# Height in pixels of a person with the noise of the table, the "table's height"
_NORMAL_HEIGHT = 370.0
# Largest uniform error, pixels at that height, in x and in y
_MAX_UNIFORM = 15.0
_KEY_INTERVAL = 9  # frames between key times of slow errors, 27 key times in 243 frames
_OUTLIER_FRAMES = (1, 8)  # shortest and longest outlier, frames
_SWAP_FRAMES = (3, 12)  # shortest and longest left/right swap, frames
_ENDS = _H36M.indices(['left_wrist', 'right_wrist', 'left_foot', 'right_foot'])


@TRANSFORMS.register_module()
@dataclass(eq=False)
class RandomDetectorNoise(BaseTransform):
    """Add a 2D detector's errors to a window of keypoints.

    The errors are slow errors, white jitter, outliers of a few frames, left/right swaps
    of a whole limb, and dropped joints that hold their last value. At key times slow
    errors have the statistics of real detections, for each joint. They are linear in
    between, where 0.82 (the root of 2/3) of the deviation is left on average. Errors
    scale with the person's height in pixels, as errors of top-down detectors do.

    Modified keys: ``keypoints`` (T, 17, 2); ``keypoints_visible`` (T, 17) becomes the
    detector's confidence. Midpoints by :class:`RandomJointDefinition` are computed
    again from the noisy joints.
    """

    # Range of the factor of slow errors and jitter, drawn uniformly for each window
    strength: tuple[float, float] = (1.0, 1.0)
    prob: float = 1.0  # probability that a window has any noise
    source: str | None = None  # ``dataset_name`` of samples with noise; None for all
    # Seed for evaluation. Noise depends on the seed and the window's ``id`` only; None
    # draws it anew each time.
    seed: int | None = None

    jitter_std = 1.0  # standard deviation of white jitter, pixels at the table's height
    outlier_share = 0.01  # share of frames with an outlier, for most joints
    end_outlier_share = 0.03  # share of frames with an outlier, for wrists and feet
    outlier_std = 25.0  # standard deviation of outliers, pixels at the table's height
    leg_swap_prob = 0.002  # probability per frame that a swap of the legs starts
    arm_swap_prob = 0.001  # probability per frame that a swap of the arms starts
    drop_share = 0.02  # share of dropped joints over all frames

    def transform(self, results: dict) -> dict:
        """Add noise; see the class."""
        if self.source not in (None, results.get('dataset_name')):
            return results
        if self.seed is None:
            # A generator is several times as fast as NumPy's global one.
            rng = np.random.default_rng(np.random.randint(2**31))
        else:
            rng = np.random.default_rng([self.seed, results['id']])
        if rng.random() >= self.prob:
            return results
        clean = results['keypoints']
        unit = person_height(clean) / _NORMAL_HEIGHT

        noisy = clean + self.offsets(rng, len(clean)) * unit
        self.swap(rng, noisy)
        # Confidence depends on the error before dropped joints hold their last value.
        error = noisy - clean
        scores = confidence(rng, np.hypot(error[..., 0], error[..., 1]) / unit)
        self.drop_joints(rng, noisy, scores)
        if 'observed_world' in results:
            fill_midpoints(noisy)

        results['keypoints'] = noisy.astype(np.float32)
        results['keypoints_visible'] = scores
        return results

    def offsets(self, rng: np.random.Generator, num_frames: int) -> np.ndarray:
        """Draw slow errors, jitter and outliers, pixels at the table's height.

        The result is (T, 17, 2).
        """
        noise = slow_noise(rng, num_frames)
        noise += rng.standard_normal(noise.shape, np.float32) * self.jitter_std
        noise *= rng.uniform(*self.strength)
        return noise + self.outliers(rng, num_frames)

    def outliers(self, rng: np.random.Generator, num_frames: int) -> np.ndarray:
        """Draw offsets of outliers in pixels, (T, K, 2), zero elsewhere."""
        offsets = np.zeros((num_frames, _H36M.num_keypoints, 2), np.float32)
        mean_run = sum(_OUTLIER_FRAMES) / 2
        start = np.full(_H36M.num_keypoints, self.outlier_share / mean_run)
        start[_ENDS] = self.end_outlier_share / mean_run
        starts = rng.random(offsets.shape[:2], np.float32) < start
        frames, joints = np.nonzero(starts)
        ends = frames + rng.integers(
            _OUTLIER_FRAMES[0], _OUTLIER_FRAMES[1] + 1, len(frames)
        )
        far = rng.normal(0, self.outlier_std, (len(frames), 2))
        for frame, end, joint, offset in zip(frames, ends, joints, far, strict=True):
            offsets[frame:end, joint] = offset
        return offsets

    def swap(self, rng: np.random.Generator, keypoints: np.ndarray) -> None:
        """Exchange left and right limbs in some frames of (T, K, 2), in place."""
        left_leg, right_leg, left_arm, right_arm = LIMBS
        for prob, left, right in (
            (self.leg_swap_prob, left_leg, right_leg),
            (self.arm_swap_prob, left_arm, right_arm),
        ):
            for frame in np.flatnonzero(rng.random(len(keypoints)) < prob):
                frames = slice(
                    frame, frame + rng.integers(_SWAP_FRAMES[0], _SWAP_FRAMES[1] + 1)
                )
                swapped = keypoints[frames, left].copy()
                keypoints[frames, left] = keypoints[frames, right]
                keypoints[frames, right] = swapped

    def drop_joints(
        self, rng: np.random.Generator, keypoints: np.ndarray, scores: np.ndarray
    ) -> None:
        """Hold the last value of some joints, with a score of zero, in place.

        Args:
            rng (np.random.Generator): Random numbers.
            keypoints (np.ndarray): Pixels, (T, K, 2), changed in place.
            scores (np.ndarray): Scores, (T, K), changed in place.
        """
        dropped = rng.random(scores.shape, np.float32) < self.drop_share
        dropped[0] = False  # there is nothing to hold yet
        kept = np.where(dropped, 0, np.arange(len(dropped))[:, None])
        last = np.maximum.accumulate(kept)[dropped]
        keypoints[dropped] = keypoints[last, np.nonzero(dropped)[1]]
        scores[dropped] = 0


def person_height(keypoints: np.ndarray) -> float:
    """Return the size of a person: the median over frames of their box's longer side.

    Keypoints are (T, K, 2); the result has their unit, pixels.
    """
    return float(np.median(np.ptp(keypoints, axis=1).max(-1)))


def slow_noise(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Draw the fitted noise at key times, and interpolate it linearly, (T, 17, 2)."""
    # Key times reach from up to one interval before the window to at least its end.
    num_keys = (num_frames - 1) // _KEY_INTERVAL + 3
    shape = (num_keys, len(_TABLE), 2)
    keys = rng.standard_normal(shape, np.float32) * _TABLE[:, :2]
    keys[..., 1] += _TABLE[:, 2]
    uniform = rng.random(shape[:2], np.float32) < _TABLE[:, 3]
    keys[uniform] = rng.uniform(-_MAX_UNIFORM, _MAX_UNIFORM, (uniform.sum(), 2))

    times = np.arange(num_frames) / _KEY_INTERVAL + rng.random()
    before = times.astype(int)
    weight = (times - before).astype(np.float32)[:, None, None]
    return keys[before] * (1 - weight) + keys[before + 1] * weight


def confidence(rng: np.random.Generator, error: np.ndarray) -> np.ndarray:
    """Draw a detector's confidence for given errors.

    MotionBERT's fit is a / (d + a) + b d + N(m, s) with the error d in units of half
    the width of a 1000 pixel image.

    Args:
        rng (np.random.Generator): Random numbers.
        error (np.ndarray): Errors in pixels at the table's height, (T, K).

    Returns:
        np.ndarray: Confidences from 0.01 to 1, (T, K).
    """
    distance = error / 500
    score = 0.028 / (distance + 0.028) + 1.1 * distance
    score += 0.143 * rng.standard_normal(error.shape, np.float32) - 0.005
    return score.clip(0.01, 1)
