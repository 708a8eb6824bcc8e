"""Groups of people who touch: side by side, arm in arm, hand in hand, hugging."""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from projects.rendered_people.render.bodies import Bodies, BodyModel
from projects.rendered_people.render.layers import garment_coordinates
from projects.rendered_people.render.people import Person, move_person, place_person
from projects.rendered_people.render.poses import FRONT, LEFT, Pose, rotate_pose, unit
from projects.rendered_people.render.sampling import PoseSampler

# Kinds of groups and their probabilities; numbers of people side by side.
_KINDS = (('row', 0.25), ('around', 0.25), ('hands', 0.27), ('hug', 0.23))
_NUMBERS = ((2, 0.6), (3, 0.27), (4, 0.13))
# Probabilities of seats, of both arms around each other, of a child's hand.
_SEATED, _BOTH_ARMS, _WITH_CHILD = 0.3, 0.4, 0.5
_CHILD = 0.6  # maximum age, see Bodies.traits
# Spread of headings in degrees.
_TURNED, _TURNED_SEATED, _TURNED_HUG = 14, 5, 12
# Meters: between the skin of people who touch, between people hand in hand, from skin
# to a wrist, from wrist to palm; maximum share of an arm's length between its ends.
_CLOTHES, _APART, _WRIST, _PALM, _STRAIGHT = 0.03, (0.06, 0.3), 0.035, 0.07, 0.985
# People who hug: meters aside, so that heads and feet are side by side, degrees of
# leaning forward.
_HUG_ASIDE, _HUG_LEAN = (0.09, 0.14), (1, 7)
# Distance at which the search for contact starts, its tolerance; every fifth vertex.
_FAR, _TOLERANCE, _EVERY = 2.0, 0.003, 5
_KNEES = 0.55  # height in garment coordinates
_UP = np.array((0.0, 0.0, 1.0))
_OTHER = {'left': 'right', 'right': 'left'}
_SIGNS = {'left': 1, 'right': -1}


@dataclass
class _Member:
    """A person with all that is needed to pose the person again.

    Attributes:
        body (int): Index of the body.
        pose (Pose): With the pelvis' heading 0.
        turn (Rotation): Heading.
        seed (int): Of hands and feet.
        at (np.ndarray): Position on the ground, (2,).
        level (float, optional): Height of the pelvis; by default feet are on the floor.
        free (set[str]): What does not count for the distance to others: 'left' and
            'right' arms, or 'legs' below the knees.
        person (Person): In this pose.
    """

    body: int
    pose: Pose
    turn: Rotation
    seed: int
    at: np.ndarray = field(default_factory=lambda: np.zeros(2))
    level: float | None = None
    free: set[str] = field(default_factory=set)
    person: Person = None


class GroupSampler:
    """Samples groups of people who touch each other.

    Args:
        model (BodyModel): Shared data of bodies.
        bodies (Bodies): Body shapes.
        poses (PoseSampler): Poses.
    """

    def __init__(self, model: BodyModel, bodies: Bodies, poses: PoseSampler) -> None:
        self.model, self.bodies, self.poses = model, bodies, poses
        places = garment_coordinates(model)
        on_arm = places[:, 0] > 0
        right = model.template[:, 0] < 0
        self._parts = {
            'left': on_arm & ~right,
            'right': on_arm & right,
            'legs': places[:, 1] < _KNEES,
        }
        self._trunk = model.skinned[~on_arm[model.skinned]]
        self._children = np.flatnonzero(bodies.traits[:, 1] < _CHILD)

    def __call__(self, rng: np.random.Generator) -> list[Person]:
        """Sample two to four people; the first is at the origin, owners are from 1."""
        kinds, shares = zip(*_KINDS, strict=True)
        kind = str(rng.choice(kinds, p=shares))
        heading = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
        members = (
            self._hug(heading, rng) if kind == 'hug' else self._row(kind, heading, rng)
        )
        people = [
            replace(member.person, owner=owner)
            for owner, member in enumerate(members, 1)
        ]
        if people[0].seated:
            # one bench for all
            away = max(np.linalg.norm(member.at) for member in members)
            people[0].bench = away + rng.uniform(0.3, 0.8)
            for person in people[1:]:
                person.seated = False
        return people

    def _row(
        self, kind: str, heading: Rotation, rng: np.random.Generator
    ) -> list[_Member]:
        """Sample people side by side, each but the first beside an earlier one."""
        numbers, shares = zip(*_NUMBERS, strict=True)
        seated = kind != 'hands' and rng.random() < _SEATED
        spread = _TURNED_SEATED if seated else _TURNED
        members = [self._member(heading, spread, rng, seated)]
        for _ in range(1, rng.choice(numbers, p=shares)):
            child = kind == 'hands' and rng.random() < _WITH_CHILD
            members.append(self._member(heading, spread, rng, seated, child))
        if seated:
            # as high as the tallest's seat: feet of others hang
            level = max(member.person.posed.heads[0, 2] for member in members)
            for member in members:
                member.level = level
                self._set_level(member)
        first = str(rng.choice(('left', 'right')))
        for index, other in enumerate(members[1:], 1):
            one = members[max(index - 2, 0)]
            side = first if index % 2 else _OTHER[first]
            direction = heading.apply(_SIGNS[side] * LEFT)
            if kind == 'row':
                self._approach(one, other, direction, _CLOTHES)
            elif kind == 'hands':
                one.free.add(side)
                other.free.add(_OTHER[side])
                self._approach(one, other, direction, rng.uniform(*_APART))
                self._join_hands(one, other, side, rng)
            else:
                self._lay_arms(one, other, side, direction, rng)
        return members

    def _hug(self, heading: Rotation, rng: np.random.Generator) -> list[_Member]:
        """Sample two people, chest to chest, with their arms around each other."""
        behind = heading * Rotation.from_euler('z', np.pi)
        members = [
            self._member(each, _TURNED_HUG, rng, lean=rng.uniform(*_HUG_LEAN))
            for each in (heading, behind)
        ]
        one, other = members
        one.free = other.free = {*_SIGNS, 'legs'}
        aside = rng.choice((-1, 1)) * rng.uniform(*_HUG_ASIDE)
        self._approach(one, other, heading.apply(FRONT), _CLOTHES, aside)
        high, low = self._by_height(members, rng)
        for member, bone, rise in ((high, 'spine01', 0.5), (low, 'spine03', -0.6)):
            partner = other if member is one else one
            reaches = {}
            for side, sign in _SIGNS.items():
                at = self._on_back(partner, bone, -sign * rng.uniform(0, 0.12))
                reaches[side] = at, member.turn.apply(sign * LEFT) + rise * _UP
            self._reach(member, reaches)
        return members

    def _lay_arms(
        self,
        one: _Member,
        other: _Member,
        side: str,
        direction: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Lay one person's arm, or both, around the other, who stands at a side."""
        inner = {id(one): side, id(other): _OTHER[side]}
        high, low = self._by_height((one, other), rng)
        laying = {'both': (high, low), 'high': (high,), 'low': (low,)}
        kind = 'both' if rng.random() < _BOTH_ARMS else rng.choice(('high', 'low'))
        for member in (one, other):
            if any(member is each for each in laying[kind]):
                member.free.add(inner[id(member)])
            else:
                self._lower_arm(member, inner[id(member)], rng)
        self._approach(one, other, direction, _CLOTHES)
        for member in laying[kind]:
            partner = other if member is one else one
            bone = 'spine01' if member is high else 'spine04'
            across = -_SIGNS[inner[id(partner)]] * rng.uniform(-0.12, 0.06)
            elbow = 0.3 * (_UP if member is high else -_UP)
            elbow = elbow - partner.turn.apply(FRONT)
            at = self._on_back(partner, bone, across)
            self._reach(member, {inner[id(member)]: (at, elbow)})

    def _join_hands(
        self, one: _Member, other: _Member, side: str, rng: np.random.Generator
    ) -> None:
        """Move two people's hands to a point between them, low but within reach."""
        arms = [self._joints(one, side), self._joints(other, _OTHER[side])]
        starts = np.array([joints[0] for joints in arms])
        lengths = np.array([self._length(joints) + _PALM for joints in arms])
        middle = starts.mean(0)
        middle += one.turn.apply(FRONT) * rng.uniform(-0.1, 0.15)
        across = np.linalg.norm((starts - middle)[:, :2], axis=1)
        down = np.sqrt(np.maximum((_STRAIGHT * lengths) ** 2 - across**2, 0))
        lowest, highest = starts[:, 2] - down, starts[:, 2] + down
        middle[2] = min(lowest.max(), highest.min()) + rng.uniform(0, 0.05)
        for member, each in ((one, side), (other, _OTHER[side])):
            start = self._joints(member, each)[0]
            target = middle - _PALM * unit(middle - start)
            self._reach(member, {each: (target, -member.turn.apply(FRONT))})

    def _on_back(self, member: _Member, bone: str, left: float) -> np.ndarray:
        """Position of a wrist on the back at a bone, or meters to the left of it."""
        index, posed = self.model.bones[bone], member.person.posed
        turn = posed.rotations[index]
        # the surface's nearest point to one behind it
        behind = posed.heads[index] + turn @ (left, 0.3, 0)
        skin = posed.vertices[self._trunk]
        nearest = skin[np.linalg.norm(skin - behind, axis=1).argmin()]
        return nearest + turn @ (0, _WRIST, 0)

    def _reach(
        self, member: _Member, reaches: dict[str, tuple[np.ndarray, np.ndarray]]
    ) -> None:
        """Move wrists to targets or towards them.

        Args:
            member (_Member): The person.
            reaches (dict[str, tuple[np.ndarray, np.ndarray]]): By side, the target and
                the direction in which the elbow points.
        """
        for _ in range(2):  # the shoulder moves with the arm
            limbs = {}
            for side, (target, pole) in reaches.items():
                start, elbow, wrist = self._joints(member, side)
                first, second = np.linalg.norm((elbow - start, wrist - elbow), axis=1)
                ahead, away = unit(target - start), np.linalg.norm(target - start)
                away = np.clip(away, 0.4 * first, _STRAIGHT * (first + second))
                cosine = (first**2 + away**2 - second**2) / (2 * first * away)
                cosine = np.clip(cosine, -1, 1)
                bend = unit(pole - ahead * (pole @ ahead))
                upper = cosine * ahead + np.sqrt(1 - cosine**2) * bend
                limbs |= _arm(side, upper, unit(away * ahead - first * upper))
            self._set_limbs(member, limbs)

    def _lower_arm(self, member: _Member, side: str, rng: np.random.Generator) -> None:
        """Let an arm hang."""
        upper = unit(rng.normal((0.12 * _SIGNS[side], 0.05, -1), 0.05))
        lower = unit(rng.normal((0.02 * _SIGNS[side], -0.15, -1), 0.08))
        turn = member.turn
        self._set_limbs(member, _arm(side, turn.apply(upper), turn.apply(lower)))

    def _set_limbs(self, member: _Member, limbs: dict[str, np.ndarray]) -> None:
        """Pose a person anew with directions of limbs in the world."""
        turned = member.turn.inv().apply(list(limbs.values()))
        limbs = dict(zip(limbs, turned, strict=True))
        member.pose = replace(member.pose, limbs=member.pose.limbs | limbs)
        self._place(member)

    def _approach(
        self,
        one: _Member,
        other: _Member,
        direction: np.ndarray,
        gap: float,
        aside: float = 0.0,
    ) -> None:
        """Move a person along a direction until the gap between skins is left.

        Each step is as long as the distance of the surfaces, so that none is missed.
        """
        tree = cKDTree(self._skin(one))
        start = np.append(one.at, 0) + aside * np.cross(_UP, direction)
        skin = self._skin(other) + start
        away = _FAR
        left = _FAR
        while left > _TOLERANCE and away > 0:
            left = tree.query(skin + away * direction)[0].min() - gap
            away -= left
        shift = start + away * direction
        other.at = shift[:2]
        move_person(other.person, shift)

    def _skin(self, member: _Member) -> np.ndarray:
        """Vertices that count for the distance to others, of a person, (N, 3)."""
        skin = self.model.skinned
        counts = np.ones(len(skin), bool)
        for part in member.free:
            counts &= ~self._parts[part][skin]
        return member.person.posed.vertices[skin[counts][::_EVERY]].astype(float)

    def _member(
        self,
        heading: Rotation,
        spread: float,
        rng: np.random.Generator,
        seated: bool = False,
        child: bool = False,
        lean: float = 0.0,
    ) -> _Member:
        body = int(rng.integers(len(self.bodies.vertices)))
        if child and len(self._children):
            body = int(rng.choice(self._children))
        turn = heading * Rotation.from_euler('z', rng.normal(0, np.radians(spread)))
        pose = self.poses.upright(rng, seated)
        ahead = Rotation.from_euler('x', lean, degrees=True)
        pose = rotate_pose(pose, ahead, keep_legs=False)
        member = _Member(body, pose, turn, int(rng.integers(2**32)))
        self._place(member)
        return member

    def _place(self, member: _Member) -> None:
        member.person = place_person(
            self.model,
            self.bodies,
            member.body,
            member.pose,
            member.turn,
            member.at,
            0,
            np.random.default_rng(member.seed),
        )
        self._set_level(member)

    @staticmethod
    def _set_level(member: _Member) -> None:
        if member.level is not None:
            rise = member.level - member.person.posed.heads[0, 2]
            move_person(member.person, rise * _UP)

    def _by_height(
        self, members: tuple[_Member, ...], rng: np.random.Generator
    ) -> list[_Member]:
        """Two people, the one with higher shoulders first unless they are similar."""
        neck = self.model.bones['neck01']
        heights = [
            member.person.posed.heads[neck, 2] + rng.normal(0, 0.05)
            for member in members
        ]
        return [members[index] for index in np.argsort(heights)[::-1]]

    def _joints(self, member: _Member, side: str) -> np.ndarray:
        """Shoulder, elbow and wrist in the world, (3, 3)."""
        names = ('upperarm01', 'lowerarm01', 'wrist')
        bones = [self.model.bones[f'{name}.{side[0].upper()}'] for name in names]
        return member.person.posed.heads[bones]

    @staticmethod
    def _length(joints: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(joints, axis=0), axis=1).sum())


def _arm(side: str, upper: np.ndarray, lower: np.ndarray) -> dict[str, np.ndarray]:
    return {f'{side}_upperarm': upper, f'{side}_forearm': lower}
