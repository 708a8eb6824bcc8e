"""Encodings of lifters: in camera axes, in image space, and person-centered.

Any axes may lead, so that all windows of a clip are encoded at once. MMPose is not
imported, as lifters also run without it; :mod:`mmhot.codecs.lifting_codecs` makes
codecs for MMPose of these classes.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mmhot.structures.lens import camera_intrinsics

# Frames in the middle of a window. The virtual camera points at their mean joint; the
# mean of fewer frames is noisier.
_CENTER_FRAMES = 9
# Mean distance of joints from their frame's mean in the virtual image, without unit.
_PERSON_SIZE = 0.5
# Least depth in the virtual camera of a joint with depth 1 in the real one; smaller
# depths are clipped. They would be 84 degrees off the axis, which no real image has.
_MIN_DEPTH = 0.1


@dataclass(eq=False)
class CameraEncoding:
    """Encode pixels by the image width, 3D poses by meters in camera axes.

    Both image coordinates are divided by the *width* (x' = 2u/w - 1,
    y' = 2v/w - h/w), as in VideoPose3D, MixSTE, MHFormer, HTNet and NanoHTNet.
    Targets are root-relative meters in camera axes (x right, y down, z away).
    """

    num_keypoints: int = 17  # K, the root first

    auxiliary_encode_keys = {'lifting_target', 'lifting_target_visible', 'camera_param'}
    # Keys of a sample's metainfo that a head passes to `decode`
    auxiliary_decode_keys: ClassVar[tuple[str, ...]] = ('target_root',)

    instance_mapping_table = dict(
        lifting_target='lifting_target', lifting_target_visible='lifting_target_visible'
    )
    label_mapping_table = dict(
        lifting_target_label='lifting_target_label',
        lifting_target_weight='lifting_target_weight',
    )

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
            keypoints_visible (np.ndarray, optional): Scores from 0 to 1, (..., T, K).
            lifting_target (np.ndarray, optional): Meters in camera axes,
                (..., T', K, 3).
            lifting_target_visible (np.ndarray, optional): Above 0.5 where a joint
                counts, (..., T', K[, 1]). By default all do.
            camera_param (dict): Width ``w`` and height ``h`` of the image in pixels; if
                known, focal lengths ``f`` and principal point ``c`` in pixels.

        Returns:
            dict: ``keypoint_labels`` (..., T, K, 2), other values of
            :meth:`encode_inputs`, and, given a target, ``lifting_target_label``
            (..., T', K, 3), ``lifting_target_weight`` (..., T', K) and ``target_root``
            (..., T', 3).

        Raises:
            ValueError: If the image size is unknown or ``K`` is not
                ``num_keypoints``.
        """
        if not camera_param or not {'w', 'h'} <= set(camera_param):
            raise ValueError(
                f'{type(self).__name__} needs the image size: camera_param with '
                f"'w' and 'h', got {camera_param}"
            )
        if keypoints.shape[-2] != self.num_keypoints:
            raise ValueError(
                f'{type(self).__name__} is for {self.num_keypoints} keypoints, got '
                f'{keypoints.shape[-2]}: convert them, or set num_keypoints'
            )
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:-1], np.float32)
        encoded = self.encode_inputs(keypoints, keypoints_visible, camera_param)
        encoded['keypoint_labels_visible'] = keypoints_visible
        if lifting_target is None:
            return encoded

        root = lifting_target[..., 0, :]
        weight = np.ones(lifting_target.shape[:-1], np.float32)
        if lifting_target_visible is not None:
            visible = np.reshape(lifting_target_visible, weight.shape)
            weight = (visible > 0.5).astype(np.float32)
        encoded.update(
            lifting_target=lifting_target,
            lifting_target_visible=weight,
            lifting_target_weight=weight,
            target_root=root,
        )
        return encoded | self.encode_targets(lifting_target, encoded, camera_param)

    def encode_inputs(
        self, keypoints: np.ndarray, scores: np.ndarray, camera_param: dict
    ) -> dict:
        """Encode pixels (..., T, K, 2) as network input, ``keypoint_labels``."""
        width = camera_param['w']
        height = camera_param['h']
        labels = keypoints[..., :2] * (2 / width) - np.array([1, height / width])
        return dict(keypoint_labels=labels.astype(np.float32))

    def encode_targets(
        self, target: np.ndarray, encoded: dict, camera_param: dict
    ) -> dict:
        """Encode meters in camera axes (..., T', K, 3) as ``lifting_target_label``."""
        relative = target - encoded['target_root'][..., None, :]
        return dict(lifting_target_label=relative.astype(np.float32))

    def decode(
        self, encoded: np.ndarray, target_root: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode network output to meters in camera axes.

        Args:
            encoded (np.ndarray): Network output, (..., T', K, 3).
            target_root (np.ndarray, optional): Position of the root in camera axes,
                (..., T', 3), to be added.

        Returns:
            tuple[np.ndarray, np.ndarray]: Poses in meters, (..., T', K, 3), relative to
            the root unless its position is given, and scores of one, (..., T', K).
        """
        keypoints = encoded.copy()
        # Published networks leave the root free in training and overwrite it with zero
        # in evaluation.
        keypoints[..., 0, :] = 0
        if target_root is not None:
            keypoints = keypoints + np.asarray(target_root)[..., None, :]
        return keypoints, np.ones(keypoints.shape[:-1], np.float32)


@dataclass(eq=False)
class ImageSpaceEncoding(CameraEncoding):
    """Encode 3D poses by image coordinates, and depth in the same unit.

    The unit is half the image width. Inputs are encoded as by :class:`CameraEncoding`,
    with scores as third coordinate. Targets are the projected 3D joints relative to the
    projected root, and their depth, scaled as lengths at the root are by the
    projection. MotionBERT and MotionAGFormer are trained on these targets. Decoding
    needs ``unit_size``, the meters per unit at the root.
    """

    # Scale for unknown cameras, meters per half image width: about Human3.6M's, as in
    # MMPose.
    unit_size: float = 2.0
    with_scores: bool = True  # whether inputs have scores as third coordinate

    auxiliary_decode_keys = ('unit_size', 'target_root')

    def encode_inputs(
        self, keypoints: np.ndarray, scores: np.ndarray, camera_param: dict
    ) -> dict:
        """Encode pixels and scores as ``keypoint_labels`` (..., T, K, 2 or 3)."""
        encoded = super().encode_inputs(keypoints, scores, camera_param)
        if self.with_scores:
            parts = encoded['keypoint_labels'], scores[..., None].astype(np.float32)
            encoded['keypoint_labels'] = np.concatenate(parts, -1)
        return encoded

    def encode_targets(
        self, target: np.ndarray, encoded: dict, camera_param: dict
    ) -> dict:
        """Project targets in meters and camera axes, (..., T', K, 3), to image space.

        Returns:
            dict: ``lifting_target_label`` (..., T', K, 3) in image units;
            ``unit_size`` (..., T', 1), meters per unit, for :meth:`decode`; and
            ``lifting_target``, the label in meters, as published.
        """
        # MMPose's inferencers add a target of zeros, which cannot be projected.
        if not np.any(target):
            return super().encode_targets(target, encoded, camera_param)
        focal, center = camera_intrinsics(camera_param)
        root = target[..., :1, :]
        projected = target[..., :2] / target[..., 2:] * focal + center
        pixels_of_meter = focal[0] / root[..., 2:]
        depth = (target[..., 2:] - root[..., 2:]) * pixels_of_meter
        label = np.concatenate([projected, depth], -1)
        label = label - label[..., :1, :]
        half = camera_param['w'] / 2
        label = (label / half).astype(np.float32)
        unit_size = (half / pixels_of_meter[..., 0]).astype(np.float32)
        return dict(
            lifting_target=label * unit_size[..., None],
            lifting_target_label=label,
            unit_size=unit_size,
        )

    def decode(
        self,
        encoded: np.ndarray,
        target_root: np.ndarray | None = None,
        unit_size: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode network output (..., T', K, 3) to meters; see :class:`CameraEncoding`.

        ``unit_size`` is meters per image unit, (..., T', 1). By default it is
        ``self.unit_size``.
        """
        if unit_size is None:
            return super().decode(encoded * self.unit_size, target_root)
        return super().decode(encoded * np.asarray(unit_size)[..., None], target_root)


def look_at_rotation(direction: np.ndarray) -> np.ndarray:
    """Compute the rotation of a camera towards a direction, without roll.

    Args:
        direction (np.ndarray): Directions of any length in camera axes (x right,
            y down, z away), (..., 3), not straight up or down.

    Returns:
        np.ndarray: Rotations, (..., 3, 3). Columns are the rotated camera's axes:
        ``p_camera = rotation @ p_rotated``.

    A camera that turns to the right, towards x, then looks along x:

    >>> look_at_rotation(np.array([2.0, 0.0, 0.0])) @ [0, 0, 1]
    array([1., 0., 0.])
    """
    x, y, z = np.moveaxis(direction, -1, 0)
    level = np.hypot(x, z)
    length = np.hypot(level, y)
    sin_yaw = x / level
    cos_yaw = z / level
    sin_pitch = y / length
    cos_pitch = level / length
    zero = np.zeros_like(x)
    axes = np.array(
        [
            [cos_yaw, zero, -sin_yaw],
            [-sin_yaw * sin_pitch, cos_pitch, -cos_yaw * sin_pitch],
            [sin_yaw * cos_pitch, sin_pitch, cos_yaw * cos_pitch],
        ]
    )
    return np.moveaxis(axes, (1, 0), (-2, -1))


def frame_person(
    keypoints: np.ndarray, focal: np.ndarray, center: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Project windows of keypoints by virtual cameras centered on the person.

    Each window has one camera, so that motion within the window is kept, also towards
    the camera. It points at the mean joint of the window's nine middle frames. Its zoom
    makes the mean distance of joints from their frame's mean 0.5, over all frames.

    Args:
        keypoints (np.ndarray): Finite pixels, (..., T, K, 2).
        focal (np.ndarray): Focal lengths, pixels, (2,).
        center (np.ndarray): Principal point, pixels, (2,).

    Returns:
        tuple[np.ndarray, np.ndarray]: Keypoints in the virtual image, without unit,
        (..., T, K, 2), and rotations (..., 3, 3), ``p_camera = rotation @ p_virtual``.
    """
    first = max((keypoints.shape[-3] - _CENTER_FRAMES) // 2, 0)
    middle = slice(first, keypoints.shape[-3] - first)

    places = ((keypoints - center) / focal).astype(np.float32)
    rays = np.concatenate([places, np.ones_like(places[..., :1])], -1)  # (..., T, K, 3)
    rotation = look_at_rotation(rays[..., middle, :, :].mean((-3, -2)))
    turned = rays @ rotation[..., None, :, :]
    framed = turned[..., :2] / np.maximum(turned[..., 2:], _MIN_DEPTH)

    offsets = framed - framed.mean(-2, keepdims=True)
    distance = np.linalg.norm(offsets, axis=-1).mean((-2, -1))  # (...)
    zoom = _PERSON_SIZE / np.maximum(distance, 1e-6)
    framed = framed * zoom[..., None, None, None]
    return framed.astype(np.float32), rotation.astype(np.float32)


class PersonCenteredEncoding(CameraEncoding):
    """Encode keypoints by a virtual camera centered on the person, one per window.

    Position in the image, size and focal length carry no information about the pose.
    The virtual camera removes them: its optical axis points at the person (yaw, then
    pitch, no roll, so that vertical directions stay vertical), and its zoom normalizes
    the person's size. The network reads and predicts poses in the axes of the virtual
    camera; ``decode`` rotates them to the axes of the real camera.
    """

    auxiliary_decode_keys = ('framing', 'target_root')

    def encode_inputs(
        self, keypoints: np.ndarray, scores: np.ndarray, camera_param: dict
    ) -> dict:
        """Encode pixels (..., T, K, 2) as ``keypoint_labels`` of the same shape.

        The second value, ``framing``, is the rotation of the virtual camera,
        (..., 3, 3), which :meth:`decode` needs.
        """
        focal, center = camera_intrinsics(camera_param)
        labels, rotation = frame_person(keypoints[..., :2], focal, center)
        return dict(keypoint_labels=labels, framing=rotation)

    def encode_targets(
        self, target: np.ndarray, encoded: dict, camera_param: dict
    ) -> dict:
        """Rotate root-relative meters (..., T', K, 3) to the virtual camera's axes."""
        relative = target - encoded['target_root'][..., None, :]
        label = relative @ encoded['framing'][..., None, :, :]
        return dict(lifting_target_label=label.astype(np.float32))

    def decode(
        self,
        encoded: np.ndarray,
        target_root: np.ndarray | None = None,
        framing: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode network output (..., T', K, 3); see :class:`CameraEncoding`.

        Poses are rotated to the real camera by ``framing``, (..., 3, 3).

        Raises:
            ValueError: If ``framing`` is missing.
        """
        if framing is None:
            raise ValueError(
                f'{type(self).__name__}.decode needs the rotation from encode: '
                "add 'framing' to PackPoseInputs' meta_keys"
            )
        rotation = np.asarray(framing)[..., None, :, :]
        return super().decode(encoded @ np.swapaxes(rotation, -1, -2), target_root)


LIFTING_CODECS = {
    'CameraPoseLifting': CameraEncoding,
    'ImageSpacePoseLifting': ImageSpaceEncoding,
    'PersonCenteredPoseLifting': PersonCenteredEncoding,
}
"""Encodings by the names of MMPose's codecs, :mod:`mmhot.codecs.lifting_codecs`."""
