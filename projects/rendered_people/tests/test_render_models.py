"""Models of furniture libraries in rendered scenes, and their colors."""

import zipfile

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

slow = pytest.mark.slow(reason='renders with anny and OpenGL')

CATALOG = """name=Test
name#1=Cupboard
model#1=/goods/box.obj
width#1=60
depth#1=40
height#1=200

name#2=Sitting female
model#2=/goods/box.obj
width#2=60
depth#2=40
height#2=100

name#3=Rug
model#3=/goods/box.obj
width#3=200
depth#3=300
height#3=1

name#4=Turned
model#4=/goods/box.obj
modelRotation#4=0 0 1 0 1 0 -1 0 0
width#4=60
depth#4=40
height#4=200
"""
# a cuboid of 2 x 4 x 1, y up, whose front at z = 1 has the print, whose back is glass
BOX = """mtllib box.mtl
v 0 0 0
v 2 0 0
v 2 4 0
v 0 4 0
v 0 0 1
v 2 0 1
v 2 4 1
v 0 4 1
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl print
f 5/1 6/2 7/3
f 5/1 7/3 8/4
usemtl paint
f 1 5 8
f 1 8 4
f 6 2 3
f 6 3 7
usemtl glass
f 2 1 4
f 2 4 3
"""
MATERIALS = """newmtl print
Kd 1 1 1
map_Kd print.png
newmtl paint
Kd 1 0 0
newmtl glass
Kd 0 0 1
d 0.2
"""


@pytest.fixture
def library(tmp_path):
    print = np.zeros((64, 64, 3), np.uint8)
    print[:32] = 0, 255, 0  # its upper half is green
    encoded = cv2.imencode('.png', print)[1].tobytes()
    path = tmp_path / 'goods.sh3f'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('PluginFurnitureCatalog.properties', CATALOG)
        archive.writestr('goods/box.obj', BOX)
        archive.writestr('goods/box.mtl', MATERIALS)
        archive.writestr('goods/print.png', encoded)
    return path


@slow
def test_catalogs_lack_people_and_parts_of_the_floor(modules, library, tmp_path):
    first, second = modules.models.read_catalog(library)
    assert first.size == (0.6, 0.4, 2.0)
    assert second.turn == (0, 0, 1, 0, 1, 0, -1, 0, 0)
    wrong = tmp_path / 'wrong.sh3f'
    wrong.write_text('text')
    with pytest.raises(ValueError, match=r'wrong\.sh3f is not a furniture library'):
        modules.models.read_catalog(wrong)


@slow
def test_models_have_their_size_and_colors(modules, library):
    model, turned = modules.models.read_catalog(library)
    mesh = modules.models.load_model(model)
    assert_allclose(mesh.vertices.min(0), (-0.3, -0.2, 0), atol=1e-6)
    assert_allclose(mesh.vertices.max(0), (0.3, 0.2, 2), atol=1e-6)
    # no glass
    assert mesh.colors[:, 2].max() == 0
    front = mesh.vertices[:, 1] < -0.199
    upper, side = mesh.vertices[:, 2] > 1.05, mesh.colors[:, 0] == 1
    painted = front & ~side
    assert_allclose(np.unique(mesh.colors[painted & upper], axis=0), [(0, 1, 0)])
    lower = painted & (mesh.vertices[:, 2] < 0.95)
    assert_allclose(np.unique(mesh.colors[lower], axis=0), [(0, 0, 0)])
    assert side.sum() == 8
    # the print is on another side, and the catalog's size holds
    mesh = modules.models.load_model(turned)
    assert_allclose(np.ptp(mesh.vertices, axis=0), (0.6, 0.4, 2.0), atol=1e-6)
    green = mesh.colors[:, 1] == 1
    assert_allclose(np.abs(mesh.vertices[green, 0]), 0.3, atol=1e-6)
