"""Random crops of people: half bodies, scale and rotation of boxes.

They follow the released training of GTPT, Group-based Token Pruning Transformer for
Efficient Human Pose Estimation, ECCV 2024 (https://arxiv.org/abs/2407.10756): half
body, then scale and rotation, then flip.
"""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmpose.datasets.transforms import RandomBBoxTransform, RandomHalfBody
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class InclusiveBBox(BaseTransform):
    """Convert annotated boxes to inclusive corners, clipped to the image.

    MMPose's boxes end at the pixel after the last. Required keys: ``raw_ann_info`` in
    COCO's format and ``img_shape``. Modified key: ``bbox`` (1, 4).
    """

    def transform(self, results: dict) -> dict:
        """Replace the box; see the class."""
        x, y, width, height = results['raw_ann_info']['bbox']
        rows, columns = results['img_shape'][:2]
        left = max(0, x)
        top = max(0, y)
        right = min(columns - 1, left + max(0, width - 1))
        bottom = min(rows - 1, top + max(0, height - 1))
        results['bbox'] = np.array([[left, top, right, bottom]], np.float32)
        return results


@TRANSFORMS.register_module()
class RandomHalfWholeBody(RandomHalfBody):
    """Crop the upper or the lower half of a person at random.

    It differs from MMPose's transform in three ways:

    * Joints that a dataset assigns to neither half, such as COCO-WholeBody's faces and
      hands, belong to the upper half.
    * The half that is drawn is used if at least three of its joints are visible;
      otherwise the lower half if it has three, and else the upper half.
    * A half of fewer than two joints, or without extent, leaves the box as it is.
    """

    def __init__(self, prob: float = 0.3) -> None:
        super().__init__(
            min_total_keypoints=9,
            min_upper_keypoints=3,
            min_lower_keypoints=3,
            prob=prob,
            # The released code tests whether a standard normal number is below 0.5.
            upper_prioritized_prob=0.6915,
        )

    def transform(self, results: dict) -> dict:
        """Crop a half; see the class."""
        lower = results['lower_body_ids']
        num_keypoints = results['keypoints'].shape[1]
        # The dataset's own list stays as it is.
        upper = [joint for joint in range(num_keypoints) if joint not in lower]
        halved = super().transform({**results, 'upper_body_ids': upper})
        flat = halved['bbox_scale'].max(axis=1) <= 0
        for key in ('bbox_center', 'bbox_scale'):
            results[key] = np.where(flat[:, None], results[key], halved[key])
        return results

    @cache_randomness
    def _random_select_half_body(
        self,
        keypoints_visible: np.ndarray,
        upper_body_ids: list[int],
        lower_body_ids: list[int],
    ) -> list[list[int] | None]:
        """Select the visible joints of a half of each person, or None for all joints.

        ``keypoints_visible`` is (N, K) or (N, K, 2).
        """
        if keypoints_visible.ndim == 3:
            keypoints_visible = keypoints_visible[..., 0]
        halves = []
        for visible in keypoints_visible > 0:
            half = None
            is_drawn = visible.sum() >= self.min_total_keypoints
            if is_drawn and np.random.rand() < self.prob:
                upper = [joint for joint in upper_body_ids if visible[joint]]
                lower = [joint for joint in lower_body_ids if visible[joint]]
                has_upper = len(upper) >= self.min_upper_keypoints
                has_lower = len(lower) >= self.min_lower_keypoints
                draws_upper = np.random.rand() < self.upper_prioritized_prob
                is_upper = (draws_upper and has_upper) or not has_lower
                half = upper if is_upper else lower
            halves.append(half if half and len(half) >= 2 else None)
        return halves


@TRANSFORMS.register_module()
class RandomBBoxScaleRotation(RandomBBoxTransform):
    """Scale and rotate boxes by clipped normal factors.

    MMPose's transform truncates the normal distribution at one standard deviation
    instead, and shifts by default, unlike the published training.

    Args:
        scale_std (float): Standard deviation of the scale around one.
        scale_limit (float, optional): Largest distance of the scale from one;
            ``scale_std`` if not given.
        rotate_std (float): Standard deviation of the angle, degrees.
        rotate_limit (float, optional): Largest angle; by default twice ``rotate_std``.
        rotate_prob (float): Probability of a rotation.
    """

    def __init__(
        self,
        scale_std: float = 0.35,
        scale_limit: float | None = None,
        rotate_std: float = 45.0,
        rotate_limit: float | None = None,
        rotate_prob: float = 0.6,
    ) -> None:
        super().__init__(rotate_factor=rotate_std, rotate_prob=rotate_prob)
        self.scale_std = scale_std
        self.scale_limit = scale_std if scale_limit is None else scale_limit
        self.rotate_limit = 2 * rotate_std if rotate_limit is None else rotate_limit

    def transform(self, results: dict) -> dict:
        """Scale and rotate; see the class."""
        scale, angle = self._get_transform_params(len(results['bbox_scale']))
        results['bbox_scale'] = (results['bbox_scale'] * scale).astype(np.float32)
        results['bbox_rotation'] = angle
        return results

    @cache_randomness
    def _get_transform_params(self, num_bboxes: int) -> tuple:
        """Draw scales (N, 1) and angles in degrees (N,)."""
        deviation = self.scale_std * np.random.randn(num_bboxes, 1)
        scale = 1 + deviation.clip(-self.scale_limit, self.scale_limit)
        angle = self.rotate_factor * np.random.randn(num_bboxes)
        angle = angle.clip(-self.rotate_limit, self.rotate_limit)
        rotated = np.random.rand(num_bboxes) < self.rotate_prob
        return scale, np.where(rotated, angle, 0.0)
