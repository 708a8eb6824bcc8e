"""Postures of people on the floor, in yoga and in sports, as ranges of angles."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.poses import (
    Pose,
    heading,
    leg_directions,
    raised_arm,
    rotate_pelvis_to,
    rotate_pose,
)

Range = tuple[float, float]
_KEPT_ARMS = 0.35  # share of people who keep the arms of motion capture


@dataclass(frozen=True)
class Leg:
    """Ranges of a leg's angles in degrees, relative to the vertical.

    Attributes:
        flexion (Range): Of the thigh: 0 down, 90 forward, -90 backward.
        spread (Range): Abduction.
        knee (Range): Bending.
        twist (Range): Of the shin about the thigh, outward.
    """

    flexion: Range
    spread: Range = (0, 12)
    knee: Range = (0, 12)
    twist: Range = (-8, 8)


@dataclass(frozen=True)
class Posture:
    """Ranges of a posture's angles in degrees.

    Attributes:
        lean (Range): Of the pelvis: 0 upright, 90 face down, -90 face up.
        back (Range): Forward bending of the chest.
        leg (Leg): The left leg.
        other (Leg, optional): The right leg. Defaults to the ranges of the left one.
        arms (Range): Elevation of the arms from the trunk.
        side (Range): Sideward bending of the chest.
    """

    lean: Range
    back: Range
    leg: Leg
    other: Leg | None = None
    arms: Range = (0, 100)
    side: Range = (-8, 8)


_CROSSED = Leg((70, 92), (30, 60), (105, 142), (-85, -50))
_OUTWARD = Leg((70, 90), (5, 30), (110, 145), (35, 75))
_STRAIGHT = Leg((-8, 8), (0, 15), (0, 8))
_ON_HEELS = Leg((70, 92), (0, 25), (138, 156))
_BEHIND = Leg((-92, -75), (0, 12), (0, 10))
POSTURES = {
    # on the floor
    'legs crossed': Posture((-12, 15), (0, 30), _CROSSED),
    'legs ahead': Posture((-25, 10), (0, 30), Leg((80, 100), (0, 15), (0, 35))),
    'legs apart': Posture((-10, 40), (0, 40), Leg((82, 95), (25, 65), (0, 15))),
    'bent forward': Posture((10, 45), (20, 60), Leg((85, 95), (0, 25)), arms=(60, 150)),
    'on the heels': Posture((-5, 20), (0, 20), _ON_HEELS),
    'legs aside': Posture((-10, 15), (0, 20), _CROSSED, _OUTWARD),
    'one leg ahead': Posture((-5, 35), (0, 40), _CROSSED, Leg((80, 95), (5, 30))),
    'hugged knees': Posture((-20, 5), (5, 35), Leg((118, 140), (0, 25), (95, 135))),
    'one knee up': Posture(
        (-15, 10), (0, 25), _CROSSED, Leg((112, 138), knee=(90, 130))
    ),
    # yoga and gymnastics
    'downward dog': Posture((105, 140), (-10, 15), Leg((-40, -15)), arms=(150, 180)),
    'child': Posture(
        (65, 95), (15, 40), Leg((75, 100), (0, 35), (140, 156)), arms=(0, 180)
    ),
    'plank': Posture((65, 88), (-8, 10), _BEHIND, arms=(70, 100)),
    'cobra': Posture((40, 68), (-40, -15), Leg((-93, -86), (0, 12)), arms=(30, 80)),
    'all fours': Posture(
        (70, 95), (-15, 25), Leg((-12, 12), knee=(80, 98)), arms=(75, 100)
    ),
    'warrior': Posture(
        (-8, 20),
        (-10, 10),
        Leg((55, 90), (5, 25), (55, 95)),
        Leg((-55, -25), (5, 25)),
        (80, 180),
    ),
    'low lunge': Posture(
        (-10, 25),
        (-25, 10),
        Leg((75, 105), knee=(75, 110)),
        Leg((-40, 0), knee=(60, 100)),
    ),
    'triangle': Posture(
        (-5, 20), (0, 15), Leg((-5, 10), (22, 40)), arms=(70, 100), side=(40, 80)
    ),
    'tree': Posture(
        (-5, 5),
        (-5, 5),
        _STRAIGHT,
        Leg((40, 85), (40, 75), (110, 142), (-60, -20)),
        (90, 180),
    ),
    'bridge': Posture(
        (-135, -105), (-15, 10), Leg((82, 100), (5, 25), (85, 115)), arms=(0, 60)
    ),
    'boat': Posture((-55, -25), (0, 20), Leg((112, 145), knee=(0, 45)), arms=(50, 100)),
    'standing bend': Posture(
        (70, 130), (5, 45), Leg((-8, 8), (0, 30), (0, 20)), arms=(60, 180)
    ),
    'splits': Posture((-10, 20), (-10, 15), Leg((75, 92)), Leg((-92, -70))),
    'arabesque': Posture((30, 90), (-30, 5), _STRAIGHT, Leg((-95, -50)), (60, 180)),
    'shoulder stand': Posture(
        (150, 185), (30, 60), Leg((-195, -165), (0, 25), (0, 20)), arms=(0, 70)
    ),
    # sports
    'kick': Posture((-35, 10), (-10, 25), _STRAIGHT, Leg((50, 125), (-5, 50), (0, 60))),
    'sprint': Posture(
        (5, 35), (0, 20), Leg((50, 95), knee=(60, 130)), Leg((-45, -5), knee=(5, 70))
    ),
    'ready': Posture((15, 50), (5, 25), Leg((30, 75), (10, 35), (40, 95))),
    'cycling': Posture(
        (25, 65), (10, 35), Leg((60, 110), knee=(70, 120)), Leg((10, 50), knee=(20, 60))
    ),
    'throw': Posture(
        (-15, 20),
        (-25, 15),
        Leg((15, 60), knee=(10, 60)),
        Leg((-45, 0), knee=(0, 40)),
        (80, 180),
        (-30, 30),
    ),
    'sit-up': Posture(
        (-85, -25), (5, 50), Leg((118, 140), knee=(85, 120)), arms=(60, 180)
    ),
}


def sample_posture(pose: Pose, rng: np.random.Generator, name: str = '') -> Pose:
    """Bring a pose into a posture; its head, or its arms too, stay as they are.

    Args:
        pose (Pose): The pose.
        rng (np.random.Generator): Random numbers.
        name (str): One of ``POSTURES``. Defaults to any.
    """
    posture = POSTURES[name or str(rng.choice(list(POSTURES)))]
    upright = heading(pose.pelvis)
    pelvis = upright * Rotation.from_euler(
        'x', rng.uniform(*posture.lean), degrees=True
    )
    pose = rotate_pelvis_to(pose, pelvis)
    bent = [rng.uniform(*angles) for angles in (posture.back, posture.side)]
    chest = pelvis * Rotation.from_euler('xy', bent, degrees=True)
    pose = rotate_pose(pose, chest * pose.chest.inv(), keep_legs=True)
    limbs = dict(pose.limbs)
    legs = {'left': (1, posture.leg), 'right': (-1, posture.other or posture.leg)}
    raised = rng.uniform(*posture.arms)
    kept = rng.random() < _KEPT_ARMS
    for side, (sign, leg) in legs.items():
        angles = (rng.uniform(*each) for each in vars(leg).values())
        limbs |= leg_directions(upright, side, sign, *angles)
        if not kept:
            own = float(np.clip(raised + rng.normal(0, 15), *posture.arms))
            limbs |= raised_arm(pose.chest, side, sign, own, rng)
    return replace(pose, limbs=limbs, seated=False)
