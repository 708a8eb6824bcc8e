"""Panoramas, and packed views without people."""

import base64
import io
import sys
import tarfile

import numpy as np
import pytest

import mmhot.plugin  # noqa: F401 registers
from projects.rendered_people import pack_scenery
from projects.rendered_people.pack_scenery import read_panoramas, view
from projects.rendered_people.packed_people import read_packed_people
from projects.rendered_people.training.dataset import RenderedPeopleDataset

OpenEXR = pytest.importorskip('OpenEXR')


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
    monkeypatch.setattr(
        'projects.rendered_people.pack_scenery._tone_map', lambda light: light
    )
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


def test_packed_views_are_samples_without_labels(tmp_path, monkeypatch, capsys):
    light = np.abs(compass(32, 64)) + 0.1
    archive = package(tmp_path / 'package.tgz', town=light, wood=light)
    path = tmp_path / 'scenery.npz'
    command = ['pack_scenery', archive, path, '--count', 3, '--without', 'wood']
    monkeypatch.setattr(sys, 'argv', list(map(str, command)))
    pack_scenery.main()
    assert f'3 views of 1 panoramas written to {path}: town' in capsys.readouterr().out
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
