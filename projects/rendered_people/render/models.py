"""Models of furniture, vehicles, plants and household goods of Sweet Home 3D.

On Debian, ``apt-get download sweethome3d-furniture`` has five libraries (``.sh3f``).
"""

import re
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation
from trimesh.resolvers import ZipResolver

from projects.rendered_people.render.props import sample_color, to_linear
from projects.rendered_people.render.renderer import Surface

_CATALOG = 'PluginFurnitureCatalog.properties'
_PROPERTY = re.compile(r'^(\w+)#(\d+)\s*=\s*(.*?)\s*$', re.MULTILINE)
# Models of people, and parts of the floor.
_PEOPLE = ('male', 'female', 'mannequin', 'boy', 'girl', 'doll', 'woman')
_FLAT = 0.03  # minimum height, meters
_FILE_LIMIT = 3_000_000  # bytes; a scene has dozens of models
# Maximum length of edges of textured triangles over the model's diagonal, maximum
# number of their triangles, and width of textures in pixels.
_EDGE, _MOST_TRIANGLES, _TEXTURE = 0.025, 30_000, 256
_TRANSPARENT = 0.6  # less opaque materials, such as panes, are left out
# Probabilities of another size, color, of any orientation, and of any height.
_RESIZED, _TINTED, _TILTED, _RAISED = 0.35, 0.4, 0.12, 0.25
# Log range of their longest side, smaller ones are always enlarged; maximum height of
# raised ones, as of those on shelves and walls. Meters.
_SIZES, _SMALL, _HIGHEST = np.log((0.3, 2.5)), 0.4, 2.2
_HELD = 1024  # models in memory, 0.5 GB


@dataclass(frozen=True)
class Model:
    """A model of a library.

    Attributes:
        library (Path): Its archive.
        file (str): OBJ file in it.
        size (tuple): Width, depth and height in meters.
        turn (tuple): Rotation of the OBJ file's axes, row by row.
    """

    library: Path
    file: str
    size: tuple[float, float, float]
    turn: tuple[float, ...]


@dataclass(frozen=True)
class Mesh:
    """Vertices about the middle of the base, z up, with linear colors, all (V, 3)."""

    vertices: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    triangles: np.ndarray


def read_catalog(library: Path) -> list[Model]:
    """Read the models of a library, without those of people.

    Args:
        library (Path): A ``.sh3f`` file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a library, or has no models.
    """
    try:
        with zipfile.ZipFile(library) as archive:
            text = archive.read(_CATALOG).decode('latin1')
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f'{library} is not a furniture library of Sweet Home 3D (.sh3f): {error}'
        ) from error
    entries: dict[str, dict[str, str]] = {}
    for name, number, value in _PROPERTY.findall(text):
        entries.setdefault(number, {})[name] = value
    models = []
    for entry in entries.values():
        file = entry.get('model', '').lstrip('/')
        words = f'{entry.get("name", "")} {file}'.lower()
        if not file.endswith('.obj') or any(word in words for word in _PEOPLE):
            continue
        try:
            size = [float(entry[side]) / 100 for side in ('width', 'depth', 'height')]
            turn = entry.get('modelRotation', '1 0 0 0 1 0 0 0 1').split()
            model = Model(library, file, tuple(size), tuple(map(float, turn)))
            is_usable = size[2] > _FLAT and sizes[file] < _FILE_LIMIT
        except (KeyError, ValueError) as error:
            raise ValueError(
                f'{library}: {file} is described wrongly: {error!r}'
            ) from error
        if is_usable:
            models.append(model)
    if not models:
        raise ValueError(f'{library} has no usable models')
    return models


def place_model(at: np.ndarray, model: Model, rng: np.random.Generator) -> Surface:
    """Place a model on the ground, some in other sizes, colors, heights or turns.

    Args:
        at (np.ndarray): Position, meters, (2,).
        model (Model): The model.
        rng (np.random.Generator): Random numbers.
    """
    mesh = load_model(model)
    scale = 1.0
    if max(model.size) < _SMALL or rng.random() < _RESIZED:
        scale = np.exp(rng.uniform(*_SIZES)) / max(model.size)
    turn = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
    lift = rng.uniform(0, _HIGHEST) if rng.random() < _RAISED else 0.0
    if rng.random() < _TILTED:
        turn = Rotation.random(random_state=rng)
        lift += scale * max(model.size) * rng.uniform(0, 0.8)
    matrix = turn.as_matrix()
    rest = mesh.vertices * scale
    colors = mesh.colors
    if rng.random() < _TINTED:
        tint = to_linear(sample_color(rng))
        gray = colors.mean(1, keepdims=True)
        share = rng.uniform(0.3, 1)
        colors = (1 - share) * colors + share * tint * gray / max(gray.mean(), 0.05)
    return Surface(
        rest @ matrix.T + (*at, lift),
        mesh.normals @ matrix.T,
        rest,
        mesh.normals,
        mesh.triangles,
        color=colors.clip(0, 1),
        gloss=rng.uniform(0, 0.3),
    )


@lru_cache(maxsize=_HELD)
def load_model(model: Model) -> Mesh:
    """Load a model in its size, with the colors of its materials and textures."""
    folder = str(PurePosixPath(model.file).parent)
    with zipfile.ZipFile(model.library) as archive:
        files = {
            name: trimesh.util.wrap_as_stream(archive.read(name))
            for name in archive.namelist()
            if name.startswith(f'{folder}/')
        }
    scene = trimesh.load(
        files[model.file],
        file_type='obj',
        resolver=ZipResolver(files, namespace=folder),
        force='scene',
        process=False,
    )
    diagonal = np.linalg.norm(scene.extents)
    dumped = scene.dump()
    # a model that is all glass stays as it is
    opaque = [part for part in dumped if _opacity(part) >= _TRANSPARENT] or dumped
    parts = [_colored(part, diagonal) for part in opaque]
    vertices, normals, colors, triangles = zip(*parts, strict=True)
    starts = np.cumsum([0, *map(len, vertices[:-1])])
    triangles = [part + start for part, start in zip(triangles, starts, strict=True)]
    turn = np.array(model.turn).reshape(3, 3)
    # the files have y up and the front at z
    to_z_up = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) @ turn
    points, normals = (np.concatenate(x) @ to_z_up.T for x in (vertices, normals))
    low, high = points.min(0), points.max(0)
    scale = np.array(model.size) / np.maximum(high - low, 1e-9)
    points = (points - ((low + high) / 2 * (1, 1, 0) + low * (0, 0, 1))) * scale
    normals = normals / scale
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    parts = points, normals, np.concatenate(colors), np.concatenate(triangles)
    return Mesh(*(x.astype(np.float32) for x in parts[:3]), parts[3].astype(np.int32))


def _opacity(part: trimesh.Trimesh) -> float:
    """Opacity of the material, from 0 to 1."""
    material = getattr(part.visual, 'material', None)
    return float(getattr(material, 'kwargs', {}).get('d', ['1'])[0])


def _colored(part: trimesh.Trimesh, diagonal: float) -> tuple[np.ndarray, ...]:
    """Vertices, normals, linear colors and triangles."""
    # triangles without material have no texture coordinates
    material = getattr(part.visual, 'material', part.visual)
    vertices, triangles = np.array(part.vertices), np.array(part.faces)
    image, uv = getattr(material, 'image', None), getattr(part.visual, 'uv', None)
    if image is None or uv is None:
        diffuse = np.array(material.main_color[:3], float) / 255
        colors = np.broadcast_to(to_linear(diffuse), vertices.shape)
        return vertices, np.array(part.vertex_normals), colors, triangles
    points = np.concatenate([vertices, part.vertex_normals, uv], 1)
    longest = diagonal * _EDGE
    while len(triangles) < _MOST_TRIANGLES / 4:
        corners = points[triangles, :3]
        sides = np.roll(corners, 1, 1) - corners
        is_long = np.linalg.norm(sides, axis=-1).max(1) > longest
        if not is_long.any():
            break
        points, triangles = trimesh.remesh.subdivide(
            points, triangles, np.flatnonzero(is_long)
        )
    vertices, normals, uv = np.split(points, [3, 6], 1)
    pixels = np.asarray(image.convert('RGBA'))
    if pixels.shape[1] > _TEXTURE:
        height = max(round(pixels.shape[0] * _TEXTURE / pixels.shape[1]), 1)
        pixels = cv2.resize(pixels, (_TEXTURE, height), interpolation=cv2.INTER_AREA)
    height, width = pixels.shape[:2]
    # textures repeat, but 0 and 1 are opposite edges
    column, row = (np.float32(1e-4) + uv.T * (1 - 2e-4)) % 1
    column, row = (column * width).astype(int), ((1 - row) * height).astype(int)
    texels = pixels[row.clip(0, height - 1), column.clip(0, width - 1)] / 255
    # leaves are cut out of rectangles
    triangles = triangles[texels[triangles, 3].max(1) > _TRANSPARENT]
    return vertices, normals, to_linear(texels[:, :3]), triangles
