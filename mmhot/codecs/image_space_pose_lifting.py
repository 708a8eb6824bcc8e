"""Codec of MotionBERT: image coordinates with depth to scale."""

import numpy as np
from mmpose.registry import KEYPOINT_CODECS

from mmhot.codecs.camera_pose_lifting import CameraPoseLifting
from mmhot.lens import camera_intrinsics


@KEYPOINT_CODECS.register_module()
class ImageSpacePoseLifting(CameraPoseLifting):
    """Encode 3D poses by their image coordinates, with depth to scale.

    Inputs are those of :class:`CameraPoseLifting` and the keypoints' scores. Targets
    are the projections of the 3D joints, in the same units and relative to the root's,
    and their depth at the scale of the root. MotionBERT and MotionAGFormer are trained
    on these. Decoding needs the scale, ``unit_size``: meters per image unit, which is
    half the image width.

    Args:
        num_keypoints (int): Keypoints ``K``.
        root_index (int): Index of the root joint.
        unit_size (float): Scale for unknown cameras: about that of Human3.6M, as in
            MMPose.
        with_scores (bool): Whether inputs have scores as third coordinate.
    """

    auxiliary_decode_keys = ('unit_size', 'target_root')

    def __init__(
        self,
        num_keypoints: int = 17,
        root_index: int = 0,
        unit_size: float = 2.0,
        with_scores: bool = True,
    ) -> None:
        super().__init__(num_keypoints, root_index)
        self.unit_size, self.with_scores = unit_size, with_scores

    def encode(
        self,
        keypoints: np.ndarray,
        keypoints_visible: np.ndarray | None = None,
        lifting_target: np.ndarray | None = None,
        lifting_target_visible: np.ndarray | None = None,
        camera_param: dict | None = None,
    ) -> dict:
        """Encode a window; see :class:`CameraPoseLifting`.

        Returns:
            dict: The same keys; ``keypoint_labels`` (..., T, K, 3) have scores,
            ``lifting_target`` is the label in meters, as in published evaluations,
            and ``unit_size`` (..., T', 1) is for :meth:`decode`.
        """
        encoded = super().encode(
            keypoints,
            keypoints_visible,
            lifting_target,
            lifting_target_visible,
            camera_param,
        )
        if self.with_scores:
            scores = np.asarray(encoded['keypoint_labels_visible'], np.float32)
            parts = encoded['keypoint_labels'], scores[..., None]
            encoded['keypoint_labels'] = np.concatenate(parts, -1)
        # MMPose's inferencers add a target of zeros, which cannot be projected
        if lifting_target is None or not np.any(lifting_target):
            return encoded
        label, unit_size = self._project(lifting_target, camera_param)
        encoded.update(
            lifting_target=label * unit_size[..., None],
            lifting_target_label=label,
            unit_size=unit_size,
        )
        return encoded

    def _project(
        self, target: np.ndarray, camera_param: dict
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels (..., T', K, 3) and meters per unit (..., T', 1)."""
        focal, center = camera_intrinsics(camera_param)
        root = target[..., self.root_index : self.root_index + 1, :]
        projected = target[..., :2] / target[..., 2:] * focal + center
        pixels_of_meter = focal[0] / root[..., 2:]
        depth = (target[..., 2:] - root[..., 2:]) * pixels_of_meter
        label = np.concatenate([projected, depth], -1)
        label = label - label[..., self.root_index : self.root_index + 1, :]
        half = camera_param['w'] / 2
        unit_size = half / pixels_of_meter[..., 0]
        return (label / half).astype(np.float32), unit_size.astype(np.float32)

    def decode(
        self,
        encoded: np.ndarray,
        unit_size: np.ndarray | None = None,
        target_root: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode network output to meters.

        Args:
            encoded (np.ndarray): Network output, (..., T', K, 3).
            unit_size (np.ndarray, optional): Meters per image unit, (..., T', 1); by
                default the constructor's.
            target_root (np.ndarray, optional): As in the parent class.

        Returns:
            tuple[np.ndarray, np.ndarray]: Keypoints (..., T', K, 3) and scores.
        """
        if unit_size is None:
            return super().decode(encoded * self.unit_size, target_root)
        size = np.asarray(unit_size)[..., None]
        return super().decode(encoded * size, target_root)
