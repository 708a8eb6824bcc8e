"""Cameras and markers of the demo's rendered walk, written as other programs do."""

import numpy as np
import pytest
from paths import DEMO

from mmhot.skeletons.joints import get_skeleton
from tools.analysis.measure_cameras import lift, read_cameras, read_markers

WALK = DEMO / 'walk.mp4'
H36M = get_skeleton('h36m-17').joints


@pytest.fixture(scope='module')
def truth():
    with np.load(WALK.with_suffix('.npz')) as arrays:
        return dict(arrays)


def write_trc(path, places, units='m'):
    """Write the markers of Human3.6M's joints (T, 17, 3), z up, as Pose2Sim does."""
    trunk = {'thorax': 'Neck', 'neck_base': 'Nose', 'head': 'Head'}
    names = {
        n: trunk.get(joint) or side[0].upper() + part.replace('foot', 'ankle').title()
        for n, joint in enumerate(H36M)
        for side, _, part in [joint.partition('_')]
        if part or joint in trunk
    }
    turned = places[:, list(names)][..., [1, 2, 0]] * (1000 if units == 'mm' else 1)
    rows = [
        f'{n}\t{n / 25}\t' + '\t'.join(map(str, x.ravel()))
        for n, x in enumerate(turned)
    ]
    heads = 'DataRate\tUnits', f'25\t{units}'
    columns = 'Frame#\tTime\t' + '\t\t\t'.join(names.values())
    path.write_text('\n'.join(['PathFileType\t4', *heads, columns, '', *rows, '']))


def write_qualisys(folder, truth):
    place = ' '.join(
        f'{x}="{1000 * y}"' for x, y in zip('xyz', truth['cam_center'], strict=True)
    )
    turn = np.diag([1, -1, -1]) @ truth['R_world_to_cam']
    turn = ' '.join(
        f'r{i + 1}{j + 1}="{turn[i, j]}"' for i in range(3) for j in range(3)
    )
    (fx, _, cx), (_, fy, cy), _ = 64 * truth['K']
    lens = ' '.join(
        f'{x}Distortion{n}="0"' for x in ('radial', 'tangental') for n in (1, 2)
    )
    focal = f'focalLengthU="{fx}" focalLengthV="{fy}"'
    center = f'centerPointU="{cx}" centerPointV="{cy}"'
    (folder / 'a.qca.txt').write_text(
        '<calibration><camera><fov_video right="1279" bottom="719"/>'
        f'<transform {place} {turn}/><intrinsic {focal} {center} {lens}/>'
        '</camera></calibration>'
    )


@pytest.mark.parametrize('units', ['m', 'mm'])
def test_cameras_project_markers_to_the_rendered_joints(truth, tmp_path, units):
    write_qualisys(tmp_path, truth)
    write_trc(tmp_path / 'a.trc', truth['h36m_world3d'], units)
    (camera,) = read_cameras(tmp_path)
    assert camera.lens.size == (1280, 720)
    pixels, seen = camera.project(read_markers(tmp_path / 'a.trc'))
    limbs = [n for n, joint in enumerate(H36M) if '_' in joint and joint != 'neck_base']
    np.testing.assert_allclose(pixels[:, limbs], truth['h36m_2d'][:, limbs], atol=0.1)
    np.testing.assert_allclose(seen[:, limbs], truth['h36m_cam3d'][:, limbs], atol=1e-4)


def test_true_keypoints_of_two_people_are_lifted_and_measured(truth, tmp_path):
    write_qualisys(tmp_path, truth)
    (camera,) = read_cameras(tmp_path)
    markers = truth['h36m_world3d'].astype(float)
    both = np.stack([markers, markers + [1.0, 0.5, 0.0]])
    view = lift(WALK, camera, both, 'true')
    missing, error_2d, absolute, turned, aligned, knee, peaks, *_ = view.measure(0)
    assert (missing, round(error_2d, 3)) == (0, 0)
    # 31 mm, 24 mm, 4 and -4 degrees
    assert aligned < turned <= absolute < 45
    assert knee < 6
    assert -8 < peaks < 2
    assert view.joint_errors().mean() < 45
