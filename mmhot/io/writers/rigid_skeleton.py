"""Joint rotations of a skeleton with constant bone lengths, from joint positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.skeletons.joints import Skeleton


@dataclass
class RigidMotion:
    """Motion of a skeleton with constant bone lengths.

    Attributes:
        parents (tuple[int]): Parent of each joint, -1 for the root; parents come
            before their children.
        offsets (np.ndarray): Joint positions in the axes of the parent in the rest
            pose, (K, 3): x to the left of the person, y up, z forward; 0 for the root.
        root (np.ndarray): Root positions, (T, 3).
        rotations (np.ndarray): Matrices from the axes of a joint to those of its
            parent, of the root to the world, (T, K, 3, 3).
    """

    parents: tuple[int, ...]
    offsets: np.ndarray
    root: np.ndarray
    rotations: np.ndarray

    def positions(self) -> np.ndarray:
        """Compute joint positions in world axes, (T, K, 3)."""
        num_frames, num_joints = self.rotations.shape[:2]
        positions = np.empty((num_frames, num_joints, 3))
        axes = np.empty((num_frames, num_joints, 3, 3))
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                positions[:, joint] = self.root
                axes[:, joint] = self.rotations[:, joint]
                continue
            axes[:, joint] = axes[:, parent] @ self.rotations[:, joint]
            arm = axes[:, parent] @ self.offsets[joint]
            positions[:, joint] = positions[:, parent] + arm
        return positions


def fit_rigid_skeleton(positions: np.ndarray, skeleton: Skeleton) -> RigidMotion:
    """Fit a skeleton with constant bone lengths to joint positions.

    Bones get their median length and, where several start at one joint (hips and spine,
    neck and shoulders), their mean angles. From the root outwards, every joint is then
    rotated so that its bones point at the given positions, which keeps the errors of
    inner joints from adding up. Joints with one bone rotate as little as possible.

    Args:
        positions (np.ndarray): Joint positions, z up, (T, K, 3), no NaN.
        skeleton (Skeleton): Joint tree with the root first and a joint 'thorax', such
            as ``h36m-17``.

    Returns:
        RigidMotion: Motion in the same axes and unit.

    Raises:
        ValueError: If the shape is wrong or a value is not finite.
    """
    positions = np.asarray(positions, np.float64)
    if positions.ndim != 3 or positions.shape[1:] != (skeleton.num_keypoints, 3):
        raise ValueError(
            f'positions must be (T, {skeleton.num_keypoints}, 3), got {positions.shape}'
        )
    if not len(positions) or not np.isfinite(positions).all():
        raise ValueError('positions must be finite, of at least one frame')
    children = [[] for _ in skeleton.joints]
    for parent, child in skeleton.bones:
        children[parent].append(child)
    offsets = _rest_offsets(positions, skeleton, children)
    root, rotations = _fit_rotations(positions, skeleton.parents, children, offsets)
    return RigidMotion(tuple(skeleton.parents), offsets, root, rotations)


def _rest_offsets(
    positions: np.ndarray, skeleton: Skeleton, children: Sequence[Sequence[int]]
) -> np.ndarray:
    """Compute offsets (K, 3) of the rest pose: standing, arms to the sides."""
    offsets = np.zeros((skeleton.num_keypoints, 3))
    trunk = positions[:, skeleton.index('thorax')] - positions[:, 0]
    frames = {
        skeleton.parents[left]: _frame_across(positions, left, right, trunk)
        for left, right in skeleton.flip_pairs
        if skeleton.parents[left] == skeleton.parents[right]
    }
    for parent, child in skeleton.bones:
        bones = positions[:, child] - positions[:, parent]
        length = np.median(np.linalg.norm(bones, axis=-1))
        if parent in frames:
            # several bones start here: keep their mean angles
            direction = np.einsum('tij,tj->ti', frames[parent], bones).mean(0)
        else:
            direction = _rest_direction(skeleton.joints[child])
        norm = max(np.linalg.norm(direction), 1e-9)
        offsets[child] = direction * (length / norm)
    return offsets


def _rest_direction(joint: str) -> np.ndarray:
    """Return the direction (3,) of a bone in the rest pose."""
    if joint.endswith(('knee', 'foot', 'ankle')):
        return np.array([0.0, -1.0, 0.0])
    if joint.endswith(('elbow', 'wrist')):
        return np.array([1.0 if joint.startswith('left') else -1.0, 0.0, 0.0])
    return np.array([0.0, 1.0, 0.0])


def _frame_across(
    positions: np.ndarray, left: int, right: int, trunk: np.ndarray
) -> np.ndarray:
    """Compute axes left, up, forward (rows) from a joint pair and the trunk."""
    across = _unit(positions[:, left] - positions[:, right])
    forward = _unit(np.cross(across, trunk))
    return np.stack([across, np.cross(forward, across), forward], axis=-2)


def _fit_rotations(
    positions: np.ndarray,
    parents: Sequence[int],
    children: Sequence[Sequence[int]],
    offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute root positions (T, 3) and local rotations (T, K, 3, 3)."""
    num_frames, num_joints = positions.shape[:2]
    axes = np.empty((num_frames, num_joints, 3, 3))
    local = np.empty_like(axes)
    fitted = np.empty((num_frames, num_joints, 3))
    for joint, parent in enumerate(parents):
        below = list(children[joint])
        rest = offsets[below]
        if parent < 0:
            # the root may move too: its error is shared with its neighbors
            group = [joint, *below]
            rest_all = np.concatenate([np.zeros((1, 3)), rest])
            middle = rest_all.mean(0)
            seen = positions[:, group]
            axes[:, joint] = _best_rotation(
                rest_all - middle, seen - seen.mean(1, keepdims=True)
            )
            fitted[:, joint] = seen.mean(1) - axes[:, joint] @ middle
            local[:, joint] = axes[:, joint]
            continue
        fitted[:, joint] = fitted[:, parent] + axes[:, parent] @ offsets[joint]
        wanted = positions[:, below] - fitted[:, joint, None]
        if len(below) > 1:
            axes[:, joint] = _best_rotation(rest, wanted)
        elif below:
            turned = axes[:, parent] @ rest[0]
            axes[:, joint] = _least_rotation(turned, wanted[:, 0]) @ axes[:, parent]
        else:
            axes[:, joint] = axes[:, parent]
        local[:, joint] = np.swapaxes(axes[:, parent], -1, -2) @ axes[:, joint]
    return fitted[:, 0], local


def _best_rotation(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Rotate ``rest`` (N, 3) as close as possible to ``seen`` (T, N, 3): (T, 3, 3)."""
    u, _, vt = np.linalg.svd(np.swapaxes(seen, -1, -2) @ rest)
    sign = np.linalg.det(u @ vt)
    u[..., -1] *= sign[:, None]
    return u @ vt


def _least_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the smallest rotations (T, 3, 3) between directions (T, 3)."""
    source, target = _unit(source), _unit(target)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, (source * target).sum(-1))
    # opposite directions: any perpendicular axis
    spare = np.cross(source, np.eye(3)[np.abs(source).argmin(-1)])
    axis = np.where((sine > 1e-9)[:, None], axis, spare)
    return Rotation.from_rotvec(_unit(axis) * angle[:, None]).as_matrix()


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12)
