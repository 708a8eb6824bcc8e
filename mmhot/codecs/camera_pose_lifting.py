"""Codec of published lifters: image coordinates by width, meters around the root."""

import numpy as np
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS


@KEYPOINT_CODECS.register_module()
class CameraPoseLifting(BaseKeypointCodec):
    """Encode pixels by the image width, 3D poses by meters in camera axes.

    Both image coordinates are divided by the *width* (x' = 2u/w - 1,
    y' = 2v/w - h/w), as in VideoPose3D, MixSTE, MHFormer, HTNet and NanoHTNet.
    Targets are root-relative meters in camera axes (x right, y down, z away).

    Args:
        num_keypoints (int): Keypoints ``K``.
        root_index (int): Index of the root joint.
    """

    auxiliary_encode_keys = {
        'lifting_target',
        'lifting_target_visible',
        'camera_param',
    }
    # what a head reads from a sample's metainfo and passes to `decode`
    auxiliary_decode_keys = ('target_root',)

    instance_mapping_table = dict(
        lifting_target='lifting_target',
        lifting_target_visible='lifting_target_visible',
    )
    label_mapping_table = dict(
        lifting_target_label='lifting_target_label',
        lifting_target_weight='lifting_target_weight',
    )

    def __init__(self, num_keypoints: int = 17, root_index: int = 0) -> None:
        super().__init__()
        self.num_keypoints = num_keypoints
        self.root_index = root_index

    def encode(
        self,
        keypoints: np.ndarray,
        keypoints_visible: np.ndarray | None = None,
        lifting_target: np.ndarray | None = None,
        lifting_target_visible: np.ndarray | None = None,
        camera_param: dict | None = None,
    ) -> dict:
        """Encode a window of pixels and, if given, its 3D target.

        Args:
            keypoints (np.ndarray): Pixels, (..., T, K, 2).
            keypoints_visible (np.ndarray, optional): (..., T, K).
            lifting_target (np.ndarray, optional): Meters in camera axes,
                (..., T', K, 3).
            lifting_target_visible (np.ndarray, optional): (..., T', K[, 1]).
            camera_param (dict): ``w`` and ``h`` in pixels; ``f`` and ``c`` if known.

        Returns:
            dict: ``keypoint_labels`` (..., T, K, 2), other values of
            :meth:`encode_inputs`, and, given a target, ``lifting_target_label``
            (..., T', K, 3), ``lifting_target_weight`` (..., T', K) and ``target_root``
            (..., T', 3).

        Raises:
            ValueError: If the image size is unknown or ``K`` differs.
        """
        if not camera_param or not {'w', 'h'} <= set(camera_param):
            raise ValueError(
                f'{type(self).__name__} needs the image size: camera_param with '
                f"'w' and 'h', got {camera_param}"
            )
        if keypoints.shape[-2] != self.num_keypoints:
            raise ValueError(
                f'{type(self).__name__} is for {self.num_keypoints} keypoints, '
                f'got {keypoints.shape[-2]}'
            )
        encoded = self.encode_inputs(keypoints, camera_param)
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:-1], np.float32)
        encoded['keypoint_labels_visible'] = keypoints_visible
        if lifting_target is None:
            return encoded

        root = lifting_target[..., self.root_index, :]
        weight = np.ones(lifting_target.shape[:-1], np.float32)
        if lifting_target_visible is not None:
            visible = np.reshape(lifting_target_visible, weight.shape)
            weight = (visible > 0.5).astype(np.float32)
        relative = lifting_target - root[..., None, :]
        encoded.update(
            lifting_target=lifting_target,
            lifting_target_visible=weight,
            lifting_target_label=self.encode_targets(relative, encoded),
            lifting_target_weight=weight,
            target_root=root,
        )
        return encoded

    def encode_inputs(self, keypoints: np.ndarray, camera_param: dict) -> dict:
        """Encode pixels (..., T, K, 2) as network input, ``keypoint_labels``."""
        w, h = camera_param['w'], camera_param['h']
        labels = keypoints[..., :2] * (2 / w) - np.array([1, h / w])
        return dict(keypoint_labels=labels.astype(np.float32))

    def encode_targets(self, relative: np.ndarray, encoded: dict) -> np.ndarray:
        """Encode root-relative meters in camera axes (..., T', K, 3)."""
        return relative.astype(np.float32)

    def decode(
        self, encoded: np.ndarray, target_root: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode network output to meters in camera axes.

        Args:
            encoded (np.ndarray): Network output, (..., T', K, 3).
            target_root (np.ndarray, optional): Position of the root in camera axes,
                (..., T', 3), to be added.

        Returns:
            tuple[np.ndarray, np.ndarray]: Keypoints (..., T', K, 3), root-relative
            (the root is exactly zero) or at ``target_root``, and scores (..., T', K)
            of one: lifters estimate none.
        """
        keypoints = encoded.copy()
        # the root of published networks is free in training, overwritten in evaluation
        keypoints[..., self.root_index, :] = 0
        if target_root is not None:
            keypoints = keypoints + np.asarray(target_root)[..., None, :]
        return keypoints, np.ones(keypoints.shape[:-1], np.float32)
