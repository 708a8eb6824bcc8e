"""People in a scene: a body in a pose, at a position."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.bodies import Bodies, BodyModel
from projects.rendered_people.render.poses import FRONT, Pose
from projects.rendered_people.render.rigging import PosedBody, pose_body


@dataclass
class Person:
    """A person in a scene.

    Attributes:
        body (int): Index of the body.
        posed (PosedBody): In the world, meters, z up.
        front (np.ndarray): Direction of the chest, unit vector on the ground, (3,).
        seated (bool): Whether the person gets a seat.
        owner (int): Number of the person, from 1; 1 is the main person.
        bench (float): Half of the minimum width of the seat, meters; 0 for any seat.
    """

    body: int
    posed: PosedBody
    front: np.ndarray
    seated: bool
    owner: int
    bench: float = 0.0


def place_person(
    model: BodyModel,
    bodies: Bodies,
    body: int,
    pose: Pose,
    turn: Rotation,
    at: np.ndarray,
    owner: int,
    rng: np.random.Generator,
) -> Person:
    """Pose a body and place it on the ground.

    Args:
        model (BodyModel): Shared data of bodies.
        bodies (Bodies): Body shapes.
        body (int): Index of the body.
        pose (Pose): The pose.
        turn (Rotation): Of the whole pose about the vertical.
        at (np.ndarray): Position of the pelvis on the ground, meters, (2,).
        owner (int): Number of the person.
        rng (np.random.Generator): Random numbers, for hands and feet.
    """
    posed = pose_body(model, bodies, body, pose, rng)
    front = (turn * pose.chest).apply(FRONT) * (1, 1, 0)
    # the mesh has hidden vertices, some of them lower
    shift = np.append(at, -posed.vertices[model.skinned, 2].min())
    root = posed.heads[0] * (1, 1, 0)
    matrix = turn.as_matrix()
    posed = PosedBody(
        rotations=matrix @ posed.rotations,
        heads=(posed.heads - root) @ matrix.T + shift,
        vertices=((posed.vertices - root) @ matrix.T + shift).astype(np.float32),
    )
    front = front / max(np.linalg.norm(front), 1e-6)
    return Person(body, posed, front, pose.seated, owner)


def move_person(person: Person, shift: np.ndarray) -> None:
    """Move a person by a vector in meters, (3,)."""
    person.posed.heads += shift
    person.posed.vertices += shift.astype(np.float32)
