"""Boxes as detectors draw them, and of people who lie or are upside down."""

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmpose.registry import TRANSFORMS

from mmhot.datasets.transforms.person_crop import RandomBBoxScaleRotation

# Margin around the keypoints, as a fraction of a padded box's longer side.
_MARGIN = 0.13


@TRANSFORMS.register_module()
class RandomBBoxPlacement(RandomBBoxScaleRotation):
    """Scale, rotate and shift boxes, and turn some by any angle.

    Args:
        shift_std (float): Standard deviation of the shift, as a fraction of the padded
            box; clipped at twice that. Simulates boxes of detectors. Defaults to 0.05.
        around_prob (float): Probability of a uniform angle from -180 to 180 degrees
            instead, for people who lie or are upside down. Unless it is 0, rotated
            boxes are fitted to the rotated person. Defaults to 0.
        **kwargs: Arguments of :class:`RandomBBoxScaleRotation`.
    """

    def __init__(
        self, shift_std: float = 0.05, around_prob: float = 0.0, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= around_prob <= 1:
            raise ValueError(f'around_prob must be in [0, 1], got {around_prob}')
        self.shift_std, self.around_prob = shift_std, around_prob

    def transform(self, results: dict) -> dict:
        """Scale, rotate and shift; see the class."""
        center, size = results['bbox_center'], results['bbox_scale']
        scale, angle = self._get_transform_params(len(size))
        shift, is_uniform, uniform = self._draw_placement(len(size))
        if self.around_prob:
            angle = np.where(is_uniform, uniform, angle)
            visible = results['keypoints_visible'] > 0
            people = zip(
                center, size, angle, results['keypoints'], visible, strict=True
            )
            boxes = np.array([_rotate_box(*person) for person in people])
            center, size = boxes[:, 0], boxes[:, 1]
        results['bbox_center'] = (center + shift * size).astype(np.float32)
        results['bbox_scale'] = (size * scale).astype(np.float32)
        results['bbox_rotation'] = angle
        return results

    @cache_randomness
    def _draw_placement(
        self, num_bboxes: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw shifts (N, 2), who is turned by any angle (N,), and by which (N,)."""
        is_uniform = np.random.rand(num_bboxes) < self.around_prob
        uniform = np.random.uniform(-180, 180, num_bboxes)
        shift = self.shift_std * np.random.randn(num_bboxes, 2).clip(-2, 2)
        return shift, is_uniform, uniform


def _rotate_box(
    center: np.ndarray,
    size: np.ndarray,
    angle: float,
    keypoints: np.ndarray,
    visible: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a padded box to a person in a rotated crop.

    Args:
        center (np.ndarray): Center of the upright box, (2,).
        size (np.ndarray): Its width and height, (2,).
        angle (float): Rotation of the crop, degrees.
        keypoints (np.ndarray): Pixels, (K, 2).
        visible (np.ndarray): Keypoints to fit to, bool (K,).

    Returns:
        tuple[np.ndarray, np.ndarray]: Center, and width and height along the crop.
    """
    if not angle or not visible.any():
        return center, size
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    axes = np.array(((cosine, sine), (-sine, cosine)))
    corners = np.abs(axes) @ size / 2
    points = (keypoints[visible] - center) @ axes.T
    # head, hands and feet extend beyond their keypoints, and boxes are padded
    margin = _MARGIN * size.max()
    low = np.maximum(points.min(0) - margin, -corners)
    high = np.minimum(points.max(0) + margin, corners)
    if (high <= low).any():
        return center, size
    return center + (low + high) / 2 @ axes, high - low
