"""Noise of whole clips, whatever windows they are cut into."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from mmpose.registry import TRANSFORMS

from mmhot.datasets.transforms.body import fill_midpoints
from mmhot.datasets.transforms.detector_noise import (
    NORMAL_HEIGHT,
    RandomDetectorNoise,
    confidence,
    person_height,
)


@dataclass(frozen=True)
class _Errors:
    """A detector's errors in a clip.

    Attributes:
        offset (np.ndarray): Pixels at a person of 370 pixels, (T, K, 2).
        joint (np.ndarray): The joint that each is taken for, (T, K).
        frame (np.ndarray): The frame that each was last seen in, (T, K).
    """

    offset: np.ndarray
    joint: np.ndarray
    frame: np.ndarray


@TRANSFORMS.register_module()
class RandomClipDetectorNoise(RandomDetectorNoise):
    """:class:`RandomDetectorNoise` that a frame has in every window that sees it.

    There, windows have unrelated errors. Lifters that predict one frame of each seem to
    shake by that, ten times as much as they do on a video. For evaluation: a clip's
    errors are a function of its name, of ``seed`` and of what they are made of, and its
    windows should come in order. Required keys besides: ``clip``, ``clip_length``,
    ``frame_numbers``. ``strength`` and ``prob`` are drawn for each clip.

    Args:
        seed (int): See above.
        **settings: Other arguments of :class:`RandomDetectorNoise`.
    """

    def __init__(self, seed: int = 0, **settings) -> None:
        super().__init__(seed=seed, **settings)
        self._latest: tuple[str, _Errors | None] = ('', None)

    def transform(self, results: dict) -> dict:
        """Add noise; see the class."""
        if self.source not in (None, results.get('dataset_name')):
            return results
        errors = self._of_clip(results['clip'], results['clip_length'])
        if errors is None:
            return results
        frames, clean = results['frame_numbers'], results['keypoints']
        unit = person_height(clean) / NORMAL_HEIGHT
        noisy = clean + errors.offset[frames] * unit
        noisy = np.take_along_axis(noisy, errors.joint[frames][..., None], 1)
        error = np.linalg.norm(noisy - clean, axis=-1)
        rng = np.random.default_rng([self.seed, results['id']])
        scores = confidence(rng, error / unit)
        # a window does not see what was before it
        last = np.maximum(errors.frame[frames], frames[0])
        scores[last < frames[:, None]] = 0
        place = np.searchsorted(frames, last)
        noisy = np.take_along_axis(noisy, place[..., None], 0)
        if 'observed_world' in results:
            fill_midpoints(noisy)
        results['keypoints'] = noisy.astype(np.float32)
        results['keypoints_visible'] = scores
        return results

    def _of_clip(self, clip: str, num_frames: int) -> _Errors | None:
        """A clip's errors, None if it has none; the latest clip's are kept."""
        if self._latest[0] != clip:
            rng = np.random.default_rng([self.seed, crc32(clip.encode())])
            has_noise = rng.random() < self.prob
            errors = self._draw(rng, num_frames) if has_noise else None
            self._latest = (clip, errors)
        return self._latest[1]

    def _draw(self, rng: np.random.Generator, num_frames: int) -> _Errors:
        offset = self.offsets(rng, num_frames)
        shape = offset.shape[:2]
        joint = np.broadcast_to(np.arange(shape[1])[:, None], (*shape, 1)).copy()
        self.swap(rng, joint)
        frame = np.broadcast_to(
            np.arange(num_frames)[:, None, None], (*shape, 1)
        ).copy()
        self.drop_joints(rng, frame, np.ones(shape))
        return _Errors(offset, joint[..., 0], frame[..., 0])
