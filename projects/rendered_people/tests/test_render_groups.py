"""Groups that touch, views from behind, and decoys of the renderer of people."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

slow = pytest.mark.slow(reason='renders with anny and OpenGL')


@pytest.fixture
def only(modules, monkeypatch):
    """A function that makes all groups of one kind."""
    return lambda kind: monkeypatch.setattr(modules.groups, '_KINDS', ((kind, 1.0),))


def skin(sampler, person, parts=()):
    """Skin of a person, without parts of the body, (N, 3)."""
    indices = sampler.model.skinned
    kept = ~np.any([sampler.group._parts[part][indices] for part in parts], axis=0)
    return person.posed.vertices[indices[kept] if parts else indices]


def distance(one, other):
    return cKDTree(one).query(other)[0].min()


@slow
@pytest.mark.parametrize('kind', ['row', 'around', 'hands', 'hug'])
def test_people_of_a_group_touch_without_overlapping(scenes, only, kind):
    only(kind)
    sampler = scenes((96, 96))
    rng = np.random.default_rng(0)
    ignored = ('left', 'right', 'legs') if kind == 'hug' else ('left', 'right')
    numbers, seats, touching, apart = [], [], [], []
    for _ in range(10):
        people = sampler.group(rng)
        numbers.append(len(people))
        seats.append(people[0].seated)
        assert [person.owner for person in people] == list(range(1, len(people) + 1))
        np.testing.assert_array_equal(people[0].posed.heads[0, :2], 0)
        if people[0].seated:
            # all on the first person's bench
            heights = [person.posed.heads[0, 2] for person in people]
            assert np.ptp(heights) < 1e-3
            lowest = [skin(sampler, person)[:, 2].min() for person in people]
            assert min(lowest) > -1e-5
            away = [np.linalg.norm(each.posed.heads[0, :2]) for each in people]
            assert people[0].bench >= max(away)
            assert not any(person.seated for person in people[1:])
        else:
            lowest = [skin(sampler, person)[:, 2].min() for person in people]
            np.testing.assert_allclose(lowest, 0, atol=1e-5)
        for index, person in enumerate(people[1:], 1):
            other = people[max(index - 2, 0)]
            touching.append(distance(skin(sampler, person), skin(sampler, other)))
            pair = (skin(sampler, each, ignored) for each in (person, other))
            apart.append(distance(*pair))
    # of the skin, below clothes
    assert np.mean(np.array(touching) < 0.05) > 0.9
    assert min(apart) > 0.005
    assert np.mean(apart) > 0.02
    assert set(numbers) <= ({2} if kind == 'hug' else {2, 3, 4})
    assert any(seats) == (kind in ('row', 'around'))


@slow
def test_a_share_of_people_is_seen_from_behind(scenes):
    sampler = scenes((96, 128))
    facing = {}
    for share in (0, 1):
        sampler.shares = replace(sampler.shares, behind=share)
        rng = np.random.default_rng(0)
        shots = filter(None, (sampler.crop(rng) for _ in range(40)))
        facing[share] = np.mean(
            [
                shot.people[0].front @ (shot.camera.eye - shot.focus) > 0
                for shot in shots
            ]
        )
    assert facing[0] > 0.5
    assert facing[1] < 0.25


@slow
def test_decoys_have_no_owner_and_leave_people_as_they_are(modules, scenes):
    sampler = scenes((96, 96))
    fabrics = np.full((4, 4, 4, 3), 128, np.uint8)
    renderer = modules.renderer.Renderer((96, 96), fabrics)
    shots = {}
    for share in (0, 1):
        sampler.shares = replace(sampler.shares, decoys=share)
        samples = (sampler.whole_image(np.random.default_rng(n)) for n in range(12))
        shots[share] = list(filter(None, samples))
    more = 0
    for plain, shot in zip(*shots.values(), strict=True):
        # decoys are sampled last
        for one, other in zip(plain.people, shot.people, strict=True):
            np.testing.assert_array_equal(one.posed.vertices, other.posed.vertices)
        added = shot.scene.surfaces[len(plain.scene.surfaces) :]
        more += bool(added)
        assert all(surface.owner == 0 for surface in added)
        people = {surface.owner for surface in shot.scene.surfaces} - {0}
        assert people <= {person.owner for person in shot.people}
    assert more >= 6
    # from nearby, a decoy alone is seen, and belongs to no person
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = modules.renderer.Camera(
        np.array([48, 48, 48.0, 48]), rotation, np.array([0, 1, 1.5]), (96, 96)
    )
    light = modules.renderer.Light(
        np.array([0, 0, 1.0]), np.zeros(3), np.ones(3), np.ones(3)
    )
    rng = np.random.default_rng(0)
    for _ in range(6):
        surfaces = sampler.decoy(np.zeros(2), -np.pi / 2, True, rng)
        background = np.zeros((96, 96, 3), np.float32)
        scene = modules.renderer.Scene(light, background, surfaces)
        _, depth, owners = renderer(scene, camera, np.zeros(3), 3.0)
        assert (depth < 10).mean() > 0.01
        assert not owners.any()
    renderer.release()
