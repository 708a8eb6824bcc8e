"""Other frame rates."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.windows import resample


@TRANSFORMS.register_module()
class RandomFrameRate(BaseTransform):
    """See the 2D of a window as if it were filmed at another rate.

    People film at 24 to 60 frames per second; a lifter gets that resampled linearly
    to its own rate. This does both steps, with a random phase: what is lost is what
    will be lost. Rates above the window's own change nothing. Required: ``fps``;
    modified: ``keypoints`` (T, K, 2), ``keypoints_visible`` (T, K).

    Args:
        fps (tuple[float, float]): Rates, uniform.
        prob (float): Probability.
    """

    def __init__(
        self, fps: tuple[float, float] = (24.0, 60.0), prob: float = 1.0
    ) -> None:
        self.fps = fps
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Resample; see the class."""
        if np.random.rand() >= self.prob:
            return results
        step = results['fps'] / np.random.uniform(*self.fps)
        phase = np.random.rand() * step
        if step <= 1:
            return results
        num_frames = len(results['keypoints'])
        # the window's ends are filmed too, as nothing is known beyond them
        filmed = np.arange(phase - step, num_frames - 1 + step, step)
        filmed = np.clip(filmed, 0, num_frames - 1)
        back = np.interp(np.arange(num_frames), filmed, np.arange(len(filmed)))
        for key in ('keypoints', 'keypoints_visible'):
            results[key] = resample(resample(results[key], filmed), back)
        return results
