"""``.glb`` files contain people of the lifted proportions who move as lifted."""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from glb_files import Glb
from rendered_clips import joined, rendered
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mmhot.chain.lifting.world import place_people, to_world
from mmhot.io.writers.glb import write_glb
from mmhot.io.writers.mannequin import make_mannequin
from mmhot.io.writers.rigid_skeleton import fit_rig
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.io.writers.trc import in_y_up


@pytest.fixture(scope='module')
def clip():
    """Two people: one for 60 frames, the other from 20 on with a gap."""
    whole = to_world(place_people(rendered('walk')), static_camera=True)
    first = whole.take(whole.frame < 60)
    frame = whole.frame
    second = whole.take((frame >= 20) & (frame < 90) & ((frame < 50) | (frame >= 70)))
    second = replace(second, track=second.track + 3, root_3d=second.root_3d + [1, 2, 0])
    both = joined(first, second)
    return both.take(np.lexsort((both.track, both.frame)))


@pytest.fixture(scope='module')
def glb(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp('glb') / 'two.glb'
    write_glb(clip, path)
    return Glb(path)


def motions(clip):
    tracks = np.unique(clip.track)
    people = [clip.take(clip.track == track) for track in tracks]
    return [(person, fit_rig(person.places(), HUMAN_IK)) for person in people]


def test_joints_move_as_those_of_the_rigid_skeleton(clip, glb):
    channels = glb.channels()
    (scene,) = glb.document['scenes']
    assert [glb.nodes[root]['name'] for root in scene['nodes']] == [
        'Person 1',
        'Person 2',
    ]
    for root, (person, motion) in zip(scene['nodes'], motions(clip), strict=True):
        joints = glb.document['skins'][glb.nodes[root]['skin']]['joints']
        assert len(joints) == len(HUMAN_IK.joints) == 27
        assert glb.nodes[joints[0]]['name'] == 'Hips'
        expected = in_y_up(motion.positions())
        times = channels[joints[0], 'translation'][0]
        np.testing.assert_allclose(times, person.frame / 25, atol=1e-6)
        for frame in (0, 17, len(person) - 1):
            result = [glb.matrices(x, channels, frame)[:3, 3] for x in joints]
            np.testing.assert_allclose(result, expected[frame], atol=1e-3)
    lifted = person.places()[:, HUMAN_IK.joints.index('root')]
    assert np.linalg.norm(motion.root - lifted, axis=-1).mean() < 0.01


def test_quaternions_do_not_jump(glb):
    turns = [x for (_, way), (_, x) in glb.channels().items() if way == 'rotation']
    assert len(turns) > 30
    for turn in turns:
        np.testing.assert_allclose(np.linalg.norm(turn, axis=-1), 1, atol=1e-5)
        assert (turn[1:] * turn[:-1]).sum(-1).min() > 0


def test_people_are_hidden_while_the_clip_lacks_them(glb):
    hips = [each['joints'][0] for each in glb.document['skins']]
    shown = [glb.channels()[node, 'scale'] for node in hips]
    np.testing.assert_allclose(shown[0][0], [0, 60 / 25])
    np.testing.assert_allclose(shown[0][1], [[1] * 3, [0] * 3])
    np.testing.assert_allclose(shown[1][0] * 25, [0, 20, 50, 70], atol=1e-5)
    np.testing.assert_allclose(shown[1][1][:, 0], [0, 1, 0, 1])
    samplers = glb.document['animations'][0]['samplers']
    assert sum(each['interpolation'] == 'STEP' for each in samplers) == 2


def test_mesh_is_bound_to_the_rest_pose(glb):
    skin = glb.document['skins'][0]
    inverse = glb.array(skin['inverseBindMatrices']).reshape(-1, 4, 4)
    inverse = np.swapaxes(inverse, 1, 2)  # columns first
    hips = glb.matrices(skin['joints'][0], {}, 0)
    for joint, matrix in zip(skin['joints'], inverse, strict=True):
        np.testing.assert_allclose(glb.matrices(joint, {}, 0) @ matrix, hips, atol=1e-5)
    attributes = glb.document['meshes'][0]['primitives'][0]['attributes']
    weights, normals = (glb.array(attributes[name]) for name in ('WEIGHTS_0', 'NORMAL'))
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert glb.array(attributes['JOINTS_0']).max() < 27


def test_mannequin_has_the_proportions_of_the_person(clip):
    _, motion = motions(clip)[0]
    mannequin = make_mannequin(motion, HUMAN_IK)
    rest = dict(zip(HUMAN_IK.joints, motion.rest(), strict=True))
    low, high = mannequin.vertices.min(0), mannequin.vertices.max(0)
    # soles are on the floor when the ankles are 8 cm above it
    feet = min(rest[f'{side}_foot'][1] for side in ('left', 'right'))
    assert low[1] == pytest.approx(feet - 0.08, abs=0.005)
    assert high[1] == pytest.approx(rest['head'][1], abs=0.04)
    assert high[0] == pytest.approx(rest['left_hand_end'][0], abs=0.02)
    np.testing.assert_allclose(low[0], -high[0], atol=0.03)
    assert mannequin.vertices[:, 2].max() < 0.25
    first, second, third = mannequin.vertices[mannequin.faces].swapaxes(0, 1)
    volume = (first * np.cross(second, third)).sum() / 6
    assert 0.05 < volume < 0.08  # cubic meters, so surfaces face outwards


def test_shoulders_of_raised_arms_do_not_tear(clip):
    person, _ = motions(clip)[0]
    places = person.places().copy()
    names = person.joint_names
    for side in ('left', 'right'):
        arm = [names.index(f'{side}_{x}') for x in ('shoulder', 'elbow', 'wrist')]
        inside = places[:, names.index('thorax')] - places[:, arm[0]]
        places[:, arm[0]] += 0.3 * inside + [0, 0, 0.14]
        for joint, height in ((arm[1], 0.28), (arm[2], 0.53)):
            places[:, joint] = places[:, arm[0]] + [0, 0, height]
    motion = fit_rig(places, HUMAN_IK)
    mesh, rest = make_mannequin(motion, HUMAN_IK), motion.rest()
    positions, axes = (array[0] for array in motion.placed())
    bones = mesh.vertices[:, None] - rest[mesh.joints]
    moved = (
        np.einsum('vkij,vkj->vki', axes[mesh.joints], bones) + positions[mesh.joints]
    )
    moved = (mesh.weights[..., None] * moved).sum(1)
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    lengths, posed = (
        np.linalg.norm(np.diff(x[edges], axis=1)[:, 0], axis=-1)
        for x in (mesh.vertices, moved)
    )
    # 1.82 if clavicles do not rise with the shoulders
    assert np.percentile(posed / lengths, 99.5) < 1.7


def test_mannequin_is_one_closed_surface(clip):
    _, motion = motions(clip)[0]
    mannequin = make_mannequin(motion, HUMAN_IK)
    count = len(mannequin.vertices)
    assert 4000 < count < 5500
    edges = mannequin.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edges, faces = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    assert (faces % 2 == 0).all()
    assert (faces != 2).sum() < 20
    pieces, _ = connected_components(
        coo_matrix((np.ones(len(edges)), edges.T), (count, count))
    )
    assert pieces == 1


def test_single_frames_are_written(clip, tmp_path):
    clip.take(clip.frame == 30).save(tmp_path / 'one.glb')
    assert len(Glb(tmp_path / 'one.glb').document['scenes'][0]['nodes']) == 2


@pytest.mark.slow(reason='needs npm and the registry')
def test_validator_finds_nothing(clip, tmp_path):
    path = tmp_path / 'a.glb'
    write_glb(clip, path)
    npm = shutil.which('npm') or pytest.skip('npm is not installed')
    install = [npm, 'install', '--prefix', tmp_path, 'gltf-validator@2.0.0-dev.3.10']
    subprocess.run(install, check=True, capture_output=True)
    script = (
        "require('gltf-validator').validateBytes(new Uint8Array("
        "require('fs').readFileSync(process.argv[1])))"
        '.then(report => console.log(JSON.stringify(report.issues)))'
    )
    node = ['node', '-e', script, path]
    output = subprocess.run(node, cwd=tmp_path, check=True, capture_output=True).stdout
    issues = json.loads(output)
    assert issues['messages'] == []
    assert issues['numErrors'] == issues['numWarnings'] == 0
