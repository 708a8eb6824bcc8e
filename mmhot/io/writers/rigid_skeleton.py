"""Joint rotations of a body with constant bones, from joint positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.skeletons.joints import Skeleton


@dataclass
class RigidMotion:
    """A tree of bones of constant length that moves by rotations.

    Attributes:
        parents (tuple[int]): Parent of each joint, -1 for the root; parents come
            before their children.
        offsets (np.ndarray): Position of each joint in its parent's axes when nothing
            is turned, (K, 3): x to the person's left, y up, z forward. The root's is
            zero.
        root (np.ndarray): The root's position, (T, 3).
        rotations (np.ndarray): Matrices from a joint's axes to its parent's, the
            root's to the world's, (T, K, 3, 3).
    """

    parents: tuple[int, ...]
    offsets: np.ndarray
    root: np.ndarray
    rotations: np.ndarray

    def positions(self) -> np.ndarray:
        """Positions of all joints in the world, (T, K, 3)."""
        num_frames, num_joints = self.rotations.shape[:2]
        positions = np.empty((num_frames, num_joints, 3))
        axes = np.empty((num_frames, num_joints, 3, 3))
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                positions[:, joint], axes[:, joint] = (
                    self.root,
                    self.rotations[:, joint],
                )
                continue
            axes[:, joint] = axes[:, parent] @ self.rotations[:, joint]
            arm = axes[:, parent] @ self.offsets[joint]
            positions[:, joint] = positions[:, parent] + arm
        return positions


def fit_rigid_skeleton(positions: np.ndarray, skeleton: Skeleton) -> RigidMotion:
    """Fit a body with constant bones to joint positions.

    Bones get the median of their lengths, and where several leave one joint (hips and
    spine, neck and shoulders) their mean angles. From the root outwards every joint is
    then turned so that the bones reach for the positions given; errors of inner joints
    are thus not handed on. Joints with one bone turn as little as they can.

    Args:
        positions (np.ndarray): Joints in a world that is z up, (T, K, 3), no NaN.
        skeleton (Skeleton): Their tree, with the root first and a joint 'thorax', as
            ``h36m-17`` has.

    Returns:
        RigidMotion: In the same world and unit.

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
    root, rotations = _reach(positions, skeleton.parents, children, offsets)
    return RigidMotion(tuple(skeleton.parents), offsets, root, rotations)


def _rest_offsets(
    positions: np.ndarray, skeleton: Skeleton, children: Sequence[Sequence[int]]
) -> np.ndarray:
    """Offsets (K, 3) of a person who stands with the arms to the sides."""
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
            # of the joints that several bones leave: their mean angle
            direction = np.einsum('tij,tj->ti', frames[parent], bones).mean(0)
        else:
            direction = _rest_direction(skeleton.joints[child])
        norm = max(np.linalg.norm(direction), 1e-9)
        offsets[child] = direction * (length / norm)
    return offsets


def _rest_direction(joint: str) -> np.ndarray:
    """Where a bone points in the rest pose."""
    if joint.endswith(('knee', 'foot', 'ankle')):
        return np.array([0.0, -1.0, 0.0])
    if joint.endswith(('elbow', 'wrist')):
        return np.array([1.0 if joint.startswith('left') else -1.0, 0.0, 0.0])
    return np.array([0.0, 1.0, 0.0])


def _frame_across(
    positions: np.ndarray, left: int, right: int, trunk: np.ndarray
) -> np.ndarray:
    """Axes left, up, forward as rows (T, 3, 3), of a joint pair along the trunk."""
    across = _unit(positions[:, left] - positions[:, right])
    forward = _unit(np.cross(across, trunk))
    return np.stack([across, np.cross(forward, across), forward], axis=-2)


def _reach(
    positions: np.ndarray,
    parents: Sequence[int],
    children: Sequence[Sequence[int]],
    offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Root path (T, 3) and local rotations (T, K, 3, 3)."""
    num_frames, num_joints = positions.shape[:2]
    axes = np.empty((num_frames, num_joints, 3, 3))
    local = np.empty_like(axes)
    fitted = np.empty((num_frames, num_joints, 3))
    for joint, parent in enumerate(parents):
        below = list(children[joint])
        rest = offsets[below]
        if parent < 0:
            # the root may move as well: its error is shared with its neighbors
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
    """Rotations (T, 3, 3) that bring ``rest`` (N, 3) closest to ``seen`` (T, N, 3)."""
    u, _, vt = np.linalg.svd(np.swapaxes(seen, -1, -2) @ rest)
    sign = np.linalg.det(u @ vt)
    u[..., -1] *= sign[:, None]
    return u @ vt


def _least_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Smallest rotations (T, 3, 3) that turn directions (T, 3) into others."""
    source, target = _unit(source), _unit(target)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, (source * target).sum(-1))
    # opposite directions: any axis across them will do
    spare = np.cross(source, np.eye(3)[np.abs(source).argmin(-1)])
    axis = np.where((sine > 1e-9)[:, None], axis, spare)
    return Rotation.from_rotvec(_unit(axis) * angle[:, None]).as_matrix()


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12)
