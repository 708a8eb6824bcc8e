"""Panoramas, and packed views without people."""

import base64
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

import mmhot.plugin  # noqa: F401 registers
from mmhot.datasets.packed_people import read_packed_people
from mmhot.datasets.rendered_people import RenderedPeopleDataset
from tools.lab.pack_scenery import read_panoramas, view

ROOT = Path(__file__).parents[2]


def compass(rows=128, columns=256):
    """Panorama whose colors are its directions: blue up, green east, red north."""
    south = (np.arange(rows)[:, None] + 0.5) / rows * np.pi - np.pi / 2
    east = (np.arange(columns) + 0.5) / columns * 2 * np.pi - np.pi
    south, east = np.broadcast_arrays(south, east)
    up, right = -np.sin(south), np.cos(south) * np.sin(east)
    ahead = np.cos(south) * np.cos(east)
    return np.stack([up, right, ahead], -1).astype(np.float32)


def exr(folder, image):
    """Encode a BGR image as EXR, in half precision as in the packages."""
    path = folder / 'one.exr'
    rgb = np.ascontiguousarray(image[..., ::-1]).astype(np.float16)
    OpenEXR.File({}, {'RGB': rgb}).write(str(path))
    encoded = path.read_bytes()
    path.unlink()
    return encoded


def package(path, **images):
    """Write an archive like npm's, with EXR images as data URLs."""
    with tarfile.open(path, 'w:gz') as archive:
        for name, image in images.items():
            encoded = base64.b64encode(exr(path.parent, image)).decode()
            script = f"export default 'data:application/exr;base64,{encoded}'\n"
            member = tarfile.TarInfo(f'package/hdri/{name}.exr.js')
            member.size = len(script)
            archive.addfile(member, io.BytesIO(script.encode()))
    return path


def directions_of(monkeypatch, *args, **settings):
    """Directions of the pixels of a view, (height, width, 3)."""
    monkeypatch.setattr('tools.lab.pack_scenery._tone_map', lambda light: light)
    directions = view(compass(), *args, **settings)
    return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


@pytest.mark.parametrize(('yaw', 'pitch'), [(0, 0), (2.5, 0.4), (-3.1, -0.9)])
def test_a_view_is_that_of_a_pinhole_camera(monkeypatch, yaw, pitch):
    width, height, fov = 61, 41, 1.2
    directions = directions_of(monkeypatch, (width, height), fov, yaw, pitch)
    ahead = np.array(
        [np.sin(pitch), np.cos(pitch) * np.sin(yaw), np.cos(pitch) * np.cos(yaw)]
    )
    right = np.array([0, np.cos(yaw), -np.sin(yaw)])
    down = np.cross(right, ahead)
    down *= -np.sign(down[0])  # upwards is positive
    focal = width / 2 / np.tan(fov / 2)
    for x, y in ((30, 20), (0, 0), (60, 40), (60, 0)):
        wanted = focal * ahead + (x - 30) * right + (y - 20) * down
        wanted /= np.linalg.norm(wanted)
        np.testing.assert_allclose(directions[y, x], wanted, atol=2e-3)


def test_view_follows_roll_and_principal_point(monkeypatch):
    size, fov, pitch, roll, center = (61, 41), 1.2, -0.3, 0.5, (12.0, 55.5)
    directions = directions_of(
        monkeypatch, size, fov, 0, pitch, roll=roll, center=center
    )
    # up, right, ahead; the image's right side is raised
    ahead = np.array([np.sin(pitch), 0, np.cos(pitch)])
    level, above = np.array([0, 1, 0]), np.array([np.cos(pitch), 0, -np.sin(pitch)])
    right = np.cos(roll) * level + np.sin(roll) * above
    below = np.sin(roll) * level - np.cos(roll) * above
    focal = 61 / 2 / np.tan(fov / 2)
    for x, y in ((30, 20), (0, 0), (60, 40), (60, 0)):
        wanted = (x + 0.5 - 12) * right + (y + 0.5 - 55.5) * below + focal * ahead
        wanted /= np.linalg.norm(wanted)
        np.testing.assert_allclose(directions[y, x], wanted, atol=2e-3)


def test_tone_mapping_is_monotonic():
    gray = np.ones((8, 16, 3), np.float32)
    dark, middle, bright, sun = (
        int(view(gray, (4, 4), 1.0, exposure=exposure)[0, 0, 0])
        for exposure in (0.1, 1, 4, 1e4)
    )
    assert dark < 70 < middle < 160 < bright < sun == 255


def test_packages_and_folders_have_the_same_panoramas(tmp_path):
    light = np.abs(compass(32, 64)) + 0.1
    light[0, 0] = np.nan
    light[1, 1] = np.inf
    archive = package(tmp_path / 'package.tgz', town=light, wood=light)
    folder = tmp_path / 'folder'
    folder.mkdir()
    for name in ('town', 'wood'):
        (folder / f'{name}.exr').write_bytes(exr(tmp_path, light))
    packed, loose = read_panoramas(archive), read_panoramas(folder)
    assert list(packed) == list(loose) == ['town', 'wood']
    for name, found in packed.items():
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert np.median(found.mean(-1)) == pytest.approx(1)
        np.testing.assert_allclose(found, loose[name], rtol=1e-5)
    assert packed['town'][0, 0].min() > 1e3  # not a number means overflow


def run(*arguments):
    return subprocess.run(
        [sys.executable, '-m', 'tools.lab.pack_scenery', *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )


def test_packed_views_are_samples_without_labels(tmp_path):
    light = np.abs(compass(32, 64)) + 0.1
    archive = package(tmp_path / 'package.tgz', town=light, wood=light)
    path = tmp_path / 'scenery.npz'
    done = run(archive, path, '--count', 3, '--without', 'wood')
    assert done.stdout == f'3 views of 1 panoramas written to {path}: town\n'
    views = read_packed_people(path)
    assert len(views) == 3
    assert not views.visibility.any()
    images = [views.decode(index) for index in range(3)]
    assert {image.shape for image in images} == {(256, 192, 3)}
    assert (images[0] != images[1]).any()
    dataset = RenderedPeopleDataset(ann_file=str(path), min_keypoints=0, pipeline=[])
    sample = dataset.get_data_info(0)
    assert not sample['keypoints_visible'].any()
    np.testing.assert_allclose(sample['bbox'], [[24.9, 33.2, 167.1, 222.8]], atol=0.1)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nothing.tgz', 'out.npz'], 'nothing.tgz does not exist'),
        (['.', 'out.npz'], '. has no panoramas (.exr, '),
        (
            ['town.tgz', 'out.npz', '--only', 'park'],
            'town.tgz has no park; it has town',
        ),
        (['town.tgz', 'out.npz', '--without', 'town'], '--without excludes all'),
        (['town.tgz', 'out.npz', '--count', '0'], '--count must be at least 1, got 0'),
        (['text.tgz', 'out.npz'], 'text.tgz must be a folder of panoramas or'),
    ],
)
def test_wrong_arguments_get_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    package(tmp_path / 'town.tgz', town=np.ones((8, 16, 3), np.float32))
    (tmp_path / 'text.tgz').write_text('text')
    failed = run(*arguments)
    assert failed.returncode == 2
    assert failed.stderr.startswith(f'pack_scenery.py: error: {message}')
    assert failed.stderr.count('\n') == 1
    assert not Path('out.npz').exists()


def test_damaged_panoramas_are_named(tmp_path):
    (tmp_path / 'town.exr').write_bytes(b'no image')
    with pytest.raises(ValueError, match='town is damaged, or not a color image'):
        read_panoramas(tmp_path)
