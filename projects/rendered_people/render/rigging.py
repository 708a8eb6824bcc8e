"""Rigging: bone rotations of a pose, and linear blend skinning."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from projects.rendered_people.render.bodies import Bodies, BodyModel
from projects.rendered_people.render.poses import Pose, frame_of, heading, unit

_BACK = np.array((0.0, 1.0, 0.0))
# Bones from the pelvis (0) over the chest (1) to the head (2).
_SPINE = {'root': 0.0, 'spine05': 0.1, 'spine04': 0.35, 'spine03': 0.6, 'spine02': 0.85}
_SPINE |= {'spine01': 1.0, 'neck01': 1.25, 'neck02': 1.5, 'neck03': 1.75, 'head': 2.0}
_BENT = np.sin(np.radians((8, 28)))  # bends at which a hinge starts to count, and fully


@dataclass
class PosedBody:
    """A body in a pose.

    Attributes:
        rotations (np.ndarray): Of each bone from rest, (J, 3, 3).
        heads (np.ndarray): Of each bone, meters, (J, 3).
        vertices (np.ndarray): Meters, z up, float32 (V, 3).
    """

    rotations: np.ndarray
    heads: np.ndarray
    vertices: np.ndarray


def pose_body(
    model: BodyModel, bodies: Bodies, index: int, pose: Pose, rng: np.random.Generator
) -> PosedBody:
    """Pose a body, with random poses of hands and feet."""
    rest = bodies.heads[index].astype(float)
    rotations = _bone_rotations(model, rest, pose, rng)
    heads = rest.copy()
    for bone, parent in enumerate(model.parents):
        if parent >= 0:
            heads[bone] = heads[parent] + rotations[parent] @ (
                rest[bone] - rest[parent]
            )
    shift = heads - np.einsum('jab,jb->ja', rotations, rest)
    affine = np.concatenate([rotations, shift[..., None]], -1).reshape(-1, 12)
    blended = (model.skin @ affine.astype(np.float32)).reshape(-1, 3, 4)
    vertices = np.einsum('vab,vb->va', blended[..., :3], bodies.vertices[index])
    return PosedBody(rotations, heads, vertices + blended[..., 3])


def _bone_rotations(
    model: BodyModel, rest: np.ndarray, pose: Pose, rng: np.random.Generator
) -> np.ndarray:
    """Rotations of all bones from rest, (J, 3, 3)."""
    single, fingers = {}, {}
    for side in ('left', 'right'):
        arm = _arm(model, rest, pose, side, rng)
        fingers |= _fingers(model, rest, arm[f'wrist.{side[0].upper()}'], side, rng)
        single |= arm | _leg_bones(model, rest, pose, side, rng)
    matrices = Rotation.concatenate(list(single.values())).as_matrix()
    given = dict(zip(single, matrices, strict=True)) | fingers | _spine(pose)
    rotations = np.empty((len(model.parents), 3, 3))
    names = list(model.bones)
    for bone, parent in enumerate(model.parents):
        if names[bone] in given:
            rotations[bone] = given[names[bone]]
        else:
            rotations[bone] = rotations[parent]
    return rotations


def _spine(pose: Pose) -> dict[str, np.ndarray]:
    """Matrices of the bones from the pelvis to the head."""
    trunk = Rotation.concatenate([pose.pelvis, pose.chest, pose.head])
    along = Slerp([0, 1, 2], trunk)(list(_SPINE.values()))
    return dict(zip(_SPINE, along.as_matrix(), strict=True))


def _arm(
    model: BodyModel,
    rest: np.ndarray,
    pose: Pose,
    side: str,
    rng: np.random.Generator,
) -> dict[str, Rotation]:
    letter = side[0].upper()
    ends = pose.limbs[f'{side}_upperarm'], pose.limbs[f'{side}_forearm']
    bones = [f'{bone}.{letter}' for bone in ('upperarm01', 'lowerarm01', 'wrist')]
    first, second, below = _limb(model, rest, pose.chest, bones, ends)
    # the clavicle rises with the arm
    raised = np.clip(pose.chest.inv().apply(ends[0])[2] + 0.3, 0, 1.3) * 0.3
    sign = 1 if side == 'left' else -1
    clavicle = pose.chest * Rotation.from_euler('y', -sign * raised)
    twist = ends[1] * rng.normal(0, np.radians(35))
    bent = below * Rotation.from_euler('xyz', rng.normal(0, 0.22, 3))
    hand = Rotation.from_rotvec(twist) * bent
    return {
        f'clavicle.{letter}': clavicle,
        f'upperarm01.{letter}': first,
        f'upperarm02.{letter}': second,
        f'lowerarm01.{letter}': below,
        f'lowerarm02.{letter}': Rotation.from_rotvec(twist / 2) * below,
        f'wrist.{letter}': hand,
    }


def _fingers(
    model: BodyModel,
    rest: np.ndarray,
    hand: Rotation,
    side: str,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Curl the fingers about the line of the knuckles; return matrices."""
    letter = side[0].upper()

    def head(bone: str) -> np.ndarray:
        return rest[model.bones[f'{bone}.{letter}']]

    knuckles = unit(head('finger5-1') - head('finger2-1'))
    towards = unit(head('finger3-1') - head('wrist'))
    palm = np.cross(knuckles, towards)
    # fingers curl towards the palm, on the thumb's side
    sign = np.sign(palm @ (head('finger1-3') - head('finger3-1')))
    axis = np.cross(towards, sign * palm)
    angles = {}
    curl = rng.uniform(-0.1, 0.9) if rng.random() < 0.8 else rng.uniform(0.9, 1.5)
    for finger in range(1, 6):
        own = (curl + rng.normal(0, 0.2)) * (0.4 if finger == 1 else 1)
        own = min(max(own, -0.2), 1.5) * 0.8
        for part in range(1, 4):
            angles[f'finger{finger}-{part}.{letter}'] = own * part
    turns = Rotation.from_rotvec(axis * np.array(list(angles.values()))[:, None])
    return dict(zip(angles, (hand * turns).as_matrix(), strict=True))


def _leg_bones(
    model: BodyModel,
    rest: np.ndarray,
    pose: Pose,
    side: str,
    rng: np.random.Generator,
) -> dict[str, Rotation]:
    letter = side[0].upper()
    ends = pose.limbs[f'{side}_thigh'], pose.limbs[f'{side}_shin']
    bones = [f'{bone}.{letter}' for bone in ('upperleg01', 'lowerleg01', 'foot')]
    # legs are almost straight at rest, so the knee's axis is given
    first, second, below = _limb(model, rest, pose.pelvis, bones, ends, bends=_BACK)
    return {
        f'upperleg01.{letter}': first,
        f'upperleg02.{letter}': second,
        f'lowerleg01.{letter}': below,
        f'foot.{letter}': _foot(below, ends[1], rng),
    }


def _limb(
    model: BodyModel,
    rest: np.ndarray,
    parent: Rotation,
    bones: list[str],
    ends: tuple[np.ndarray, np.ndarray],
    bends: np.ndarray | None = None,
) -> tuple[Rotation, Rotation, Rotation]:
    """Rotations of an upper limb's two bones, the first less twisted, and the lower.

    Args:
        model (BodyModel): Shared data of bodies.
        rest (np.ndarray): Heads of the bones at rest, (J, 3).
        parent (Rotation): Of the chest or the pelvis.
        bones (list[str]): Bones whose heads are start, hinge and end of the limb.
        ends (tuple): Directions of both parts in the pose.
        bends (np.ndarray): Direction in which the lower part bends; by default from the
            rest pose.
    """
    start, middle, end = (rest[model.bones[bone]] for bone in bones)
    upper, lower = unit(middle - start), unit(end - middle)
    hinge = unit(np.cross(upper, lower if bends is None else bends))
    turned, below = _hinged(parent, (upper, lower, hinge), ends)
    return _between(_swing(parent, upper, ends[0]), turned), turned, below


def _foot(shin: Rotation, direction: np.ndarray, rng: np.random.Generator) -> Rotation:
    """Rotation of a foot: flat below an upright shin, else at a right angle to it."""
    upright = np.clip((-direction[2] - 0.6) / 0.3, 0, 1)
    flat = heading(shin)
    bent = shin * Rotation.from_euler('x', abs(rng.normal(0, np.radians(25))))
    return Slerp([0, 1], Rotation.concatenate([bent, flat]))(upright)


def _hinged(
    parent: Rotation,
    rest: tuple[np.ndarray, np.ndarray, np.ndarray],
    ends: tuple[np.ndarray, np.ndarray],
) -> tuple[Rotation, Rotation]:
    """Rotations of an upper and a lower limb.

    The plane of a bent limb determines its twist; the twist of a straight limb follows
    the parent.

    Args:
        parent (Rotation): Of the chest or the pelvis.
        rest (tuple): Directions of both at rest and of the hinge between them.
        ends (tuple): Directions of both in the pose.
    """
    upper, lower, hinge = rest
    swing = _swing(parent, upper, ends[0])
    cross = np.cross(*ends)
    bent = np.clip((np.linalg.norm(cross) - _BENT[0]) / np.diff(_BENT)[0], 0, 1)
    follow = _swing(swing, lower, ends[1])
    if bent == 0:
        return swing, follow
    cross = unit(cross)
    above = _aligned(upper, hinge, ends[0], cross)
    below = _aligned(lower, hinge, ends[1], cross)
    if bent == 1:
        return above, below
    mix = [
        Slerp([0, 1], Rotation.concatenate(pair))(bent)
        for pair in ((swing, above), (follow, below))
    ]
    return (
        _swing(mix[0], upper, ends[0]),
        _swing(mix[1], lower, ends[1]),
    )


def _aligned(
    rest: np.ndarray, rest_hinge: np.ndarray, direction: np.ndarray, hinge: np.ndarray
) -> Rotation:
    """Rotate a bone and its hinge's axis from rest to those of the pose."""
    return frame_of(direction, hinge) * frame_of(rest, rest_hinge).inv()


def _swing(parent: Rotation, rest: np.ndarray, direction: np.ndarray) -> Rotation:
    """Rotate the parent's rotation minimally so that the bone has a direction."""
    start = parent.apply(rest)
    axis = np.cross(start, direction)
    sine, cosine = np.linalg.norm(axis), start @ direction
    if sine < 1e-6:
        return parent
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine)) * parent


def _between(first: Rotation, second: Rotation) -> Rotation:
    return Slerp([0, 1], Rotation.concatenate([first, second]))(0.5)
