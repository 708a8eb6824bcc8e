"""Shards of rendered people: settings, rendering in several processes, files."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from projects.rendered_people.coco_people import (
    ANNOTATIONS,
    coco_annotation,
    write_coco,
)
from projects.rendered_people.pack_scenery import read_panoramas
from projects.rendered_people.packed_people import (
    PackedPeople,
    join_images,
    write_packed_people,
)
from projects.rendered_people.render.bodies import (
    BodyModel,
    build_anny,
    read_bodies,
    read_body_model,
    sample_bodies,
    write_bodies,
)
from projects.rendered_people.render.labels import Label, label_person
from projects.rendered_people.render.models import Model, read_catalog
from projects.rendered_people.render.props import sample_fabrics, to_srgb
from projects.rendered_people.render.renderer import Renderer
from projects.rendered_people.render.sampling import PoseSampler
from projects.rendered_people.render.scenes import SceneSampler, SceneShares, Shot

# Increase when the same settings and seed give other images: shards of different rules
# must not be mixed.
RULES = 2
# Size of images, and factor by which they are rendered larger.
_CROP_SIZE, _WHOLE_SIZE, _SUPERSAMPLING = (192, 256), (416, 416), 1.5
# Relative step of depth at outlines, and their blur, pixels.
_DEPTH_STEP, _OUTLINE_BLUR = 0.03, (0.4, 0.9)
_QUALITY = 85
_NUM_FABRICS = 240
_MIN_SHARE = 0.02  # of a crop, for its person
# Smaller people in whole images are marked as crowds, which evaluation ignores.
_MIN_AREA, _MIN_SIDE = 60, 5


@dataclass(frozen=True)
class ShardSettings:
    """Settings of a set of shards.

    Attributes:
        motions (tuple[str]): Files of clips.
        panoramas (tuple[str]): Folders or archives of panoramas.
        without_clips (tuple[str]): Prefixes of excluded clips.
        without_panoramas (tuple[str]): Names of excluded panoramas.
        people (int): People per shard; images per shard of whole images.
        bodies (int): Number of body shapes.
        seed (int): Random seed.
        whole_images (bool): Whether to render whole images instead of crops.
        only_clips (tuple[str], optional): Prefixes of included clips. Defaults to all.
        lying (float): Share of people who lie on the floor.
        acrobatic (float): Share of people who do gymnastics, see ``PoseSampler``.
        postures (float): Share of people in other postures, as above.
        seated (float): Minimum share of people on seats, as above.
        children (float): Share of children, see ``sample_bodies``.
        shares (SceneShares): What is in the images.
        models (tuple[str]): Libraries of models of objects.
    """

    motions: tuple[str, ...]
    panoramas: tuple[str, ...]
    without_clips: tuple[str, ...]
    without_panoramas: tuple[str, ...]
    people: int
    bodies: int
    seed: int
    whole_images: bool = False
    only_clips: tuple[str, ...] | None = None
    lying: float = 0.0
    acrobatic: float = 0.0
    postures: float = 0.0
    seated: float = 0.0
    children: float = 0.0
    shares: SceneShares = SceneShares()
    models: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Prefix of the shards' names."""
        return f'{"images" if self.whole_images else "people"}_seed{self.seed}'

    def read_clips(self) -> dict[str, np.ndarray]:
        """Read the included clips."""
        clips = {}
        for path in self.motions:
            clips |= read_motions(Path(path))
        only = self.only_clips or ()
        for prefix in (*self.without_clips, *only):
            if not any(name.startswith(prefix) for name in clips):
                option = 'only' if prefix in only else 'without'
                raise ValueError(f'--{option}-clips: no clip starts with {prefix!r}')
        included = {
            name: clip
            for name, clip in clips.items()
            if name.startswith(only or '') and not name.startswith(self.without_clips)
        }
        if not included:
            raise ValueError(f'all clips of {", ".join(self.motions)} are excluded')
        return included

    def read_panoramas(self) -> list[np.ndarray]:
        """Read the included panoramas; an empty list without panoramas."""
        panoramas = {}
        for path in self.panoramas:
            panoramas |= read_panoramas(Path(path))
        unknown = set(self.without_panoramas) - panoramas.keys()
        if unknown:
            raise ValueError(
                f'--without-panoramas: unknown panorama {", ".join(sorted(unknown))}'
            )
        included = [
            panorama
            for name, panorama in panoramas.items()
            if name not in self.without_panoramas
        ]
        if panoramas and not included:
            files = ', '.join(self.panoramas)
            raise ValueError(f'all panoramas of {files} are excluded')
        return included

    def read_models(self) -> list[Model]:
        """Read the catalogs of the models' libraries."""
        return [model for path in self.models for model in read_catalog(Path(path))]

    def as_json(self) -> dict:
        """Settings as written beside the shards, with digests instead of files."""
        values = asdict(self) | {
            'motions': [_digest(path) for path in self.motions],
            'panoramas': ' '.join(map(_digest, self.panoramas)),
            'models': ' '.join(map(_digest, self.models)),
            'rules': RULES,
        }
        del values['whole_images']  # part of the name
        values |= values.pop('shares')
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


def read_motions(path: Path) -> dict[str, np.ndarray]:
    """Read clips of Human3.6M's joints, (T, 17, 3) in meters, z up, by name."""
    with np.load(path) as clips:
        clips = {name: clip.astype(np.float32) for name, clip in clips.items()}
    for name, clip in clips.items():
        if clip.ndim != 3 or clip.shape[1:] != (17, 3) or not len(clip):
            raise ValueError(
                f'{path}: clip {name} must be (T, 17, 3), got {clip.shape}'
            )
    return clips


def _digest(path: str | Path) -> str:
    """Digest of the content of a file or folder."""
    content, path = hashlib.sha256(), Path(path)
    for file in sorted(path.rglob('*')) if path.is_dir() else [path]:
        if file.is_file():
            content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()[:16]


def render_shards(
    settings: ShardSettings, folder: Path, numbers: list[int], workers: int
) -> Iterator[Path]:
    """Render shards; yield the path of each when it is complete.

    Args:
        settings (ShardSettings): Of the shards.
        folder (Path): Output folder, after :func:`create_bodies`.
        numbers (list[int]): Of the shards.
        workers (int): Number of processes.
    """
    if workers == 1:
        for number in numbers:
            yield _render_shard(settings, folder, number)
        return
    # spawned, since a forked process cannot use OpenGL
    with ProcessPoolExecutor(workers, get_context('spawn')) as pool:
        tasks = [
            pool.submit(_render_shard, settings, folder, number) for number in numbers
        ]
        for task in as_completed(tasks):
            yield task.result()


def shard_path(settings: ShardSettings, folder: Path, number: int) -> Path:
    """File of a shard, written when the shard is complete."""
    name = f'{settings.name}_{number:02d}'
    if settings.whole_images:
        return folder / name / ANNOTATIONS
    return folder / f'{name}.npz'


def create_bodies(settings: ShardSettings, folder: Path) -> None:
    """Sample the bodies and write them, unless they exist."""
    path = _bodies_path(settings, folder)
    if not path.exists():
        seed = (settings.seed, settings.whole_images)
        bodies = sample_bodies(build_anny(), settings.bodies, seed, settings.children)
        write_bodies(bodies, path)


@dataclass
class _RenderedImage:
    """An encoded image, labels of its people, and fx, fy, cx, cy."""

    encoded: bytes
    labels: list[Label]
    intrinsics: np.ndarray


def _render_shard(settings: ShardSettings, folder: Path, number: int) -> Path:
    path = shard_path(settings, folder, number)
    stream = _render(settings, folder, number)
    progress = tqdm(range(settings.people), desc=f'shard {number}')
    images = (next(stream) for _ in progress)
    if settings.whole_images:
        annotated = ((x.encoded, list(map(_annotate, x.labels))) for x in images)
        write_coco(annotated, path.parent)
    else:
        write_packed_people(_pack(list(images)), path)
    stream.close()
    return path


def _pack(crops: list[_RenderedImage]) -> PackedPeople:
    """Pack crops of one person each."""
    images, offsets = join_images([crop.encoded for crop in crops])
    labels = [crop.labels[0] for crop in crops]
    cameras = np.stack([crop.intrinsics for crop in crops])
    return PackedPeople(
        images,
        offsets,
        keypoints=np.maximum(np.stack([label.keypoints for label in labels]), 0),
        visibility=np.stack([label.visibility for label in labels]),
        bboxes=np.stack([label.bbox for label in labels]),
        extras={
            'cam3d': np.stack([label.cam3d for label in labels]),
            'K': cameras.astype(np.float32),
        },
    )


def _annotate(label: Label) -> dict:
    """COCO annotation of a person in a whole image."""
    side = (label.bbox[2:] - label.bbox[:2]).min()
    small = label.area < _MIN_AREA or side < _MIN_SIDE
    outside = label.visibility[:, None] == 0
    keypoints = np.where(outside, 0, label.keypoints)
    return coco_annotation(keypoints, label.visibility, label.bbox, label.area, small)


def _render(
    settings: ShardSettings, folder: Path, number: int
) -> Iterator[_RenderedImage]:
    """Render images endlessly."""
    model, poses, panoramas, models = _shared_assets(settings)
    bodies = read_bodies(_bodies_path(settings, folder))
    whole = settings.whole_images
    rng = np.random.default_rng((settings.seed, number, whole))
    prints = [to_srgb(panorama / 2) for panorama in panoramas]
    final_size = _WHOLE_SIZE if whole else _CROP_SIZE
    size = tuple(int(side * _SUPERSAMPLING) for side in final_size)
    renderer = Renderer(size, sample_fabrics(_NUM_FABRICS, prints, rng))
    scenes = SceneSampler(
        model,
        bodies,
        poses,
        panoramas,
        _NUM_FABRICS,
        size,
        settings.shares,
        models,
    )
    try:
        while True:
            shot = scenes.whole_image(rng) if whole else scenes.crop(rng)
            if shot is None:
                continue
            image, depth, owners = renderer(
                shot.scene, shot.camera, shot.focus, shot.shadow_radius
            )
            people = shot.people if whole else shot.people[:1]
            labels = [
                label_person(model, person, shot.camera, shot.frame, depth, owners)
                for person in people
            ]
            labels = [label for label in labels if label is not None]
            if whole or any(_is_large_enough(label, size) for label in labels):
                image = _blur_outlines(_expose(image, rng), depth, rng)
                clip = _clip_whole_image if whole else _clip_crop
                yield _encode(*clip(image, shot.frame), shot, labels)
    finally:
        renderer.release()


def _is_large_enough(label: Label, size: tuple[int, int]) -> bool:
    return label.is_visible and label.area >= _MIN_SHARE * size[0] * size[1]


@lru_cache(maxsize=1)
def _shared_assets(
    settings: ShardSettings,
) -> tuple[BodyModel, PoseSampler, list[np.ndarray], list[Model]]:
    """Assets that all shards of a process share."""
    model = read_body_model(build_anny())
    poses = PoseSampler(
        settings.read_clips(),
        settings.lying,
        settings.acrobatic,
        settings.postures,
        settings.seated,
    )
    return model, poses, settings.read_panoramas(), settings.read_models()


def _bodies_path(settings: ShardSettings, folder: Path) -> Path:
    return folder / f'bodies_{settings.name}_{settings.bodies}.npz'


def _clip_crop(image: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole rendering, black outside of the frame, and its corner."""
    left, top, right, bottom = np.rint(frame).astype(int)
    inside = np.zeros((*image.shape[:2], 1), bool)
    inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return image * inside, np.zeros(2)


def _clip_whole_image(
    image: np.ndarray, frame: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the rendering inside of the frame, and its corner."""
    left, top, right, bottom = frame.astype(int)
    return image[top:bottom, left:right], frame[:2]


def _expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bright = np.percentile(image.mean(-1), 90)
    return to_srgb(image * rng.uniform(0.5, 1.0) / max(bright, 1e-3))


def _blur_outlines(
    image: np.ndarray, depth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Blur the outlines of surfaces, which cameras do not separate by the pixel."""
    log_depth = np.log(depth).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    steps = cv2.dilate(log_depth, kernel) - cv2.erode(log_depth, kernel) > _DEPTH_STEP
    outlines = cv2.dilate(steps.astype(np.float32), kernel)
    outlines = cv2.GaussianBlur(outlines, (3, 3), 0)[..., None]
    sigma = _SUPERSAMPLING * rng.uniform(*_OUTLINE_BLUR)
    smooth = cv2.GaussianBlur(image, (0, 0), sigma)
    mixed = image + outlines * (smooth.astype(np.float32) - image)
    return np.rint(mixed).astype(np.uint8)


def _encode(
    image: np.ndarray, corner: np.ndarray, shot: Shot, labels: list[Label]
) -> _RenderedImage:
    """Downsample and encode a rendering, and transform its labels."""
    height, width = image.shape[:2]
    size = round(width / _SUPERSAMPLING), round(height / _SUPERSAMPLING)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    success, encoded = cv2.imencode('.webp', small[..., ::-1], quality)
    assert success
    scale = np.array(size) / (width, height)
    box_corner, box_scale = np.tile(corner, 2), np.tile(scale, 2)
    # pixel centers are integers in labels, and at 0.5 in OpenGL
    moved = [
        replace(
            label,
            keypoints=((label.keypoints - corner) * scale - 0.5).astype(np.float32),
            bbox=((label.bbox - box_corner) * box_scale).astype(np.float32),
            area=round(label.area * scale.prod()),
        )
        for label in labels
    ]
    intrinsics = (shot.camera.intrinsics - np.append((0, 0), corner)) * box_scale
    return _RenderedImage(encoded.tobytes(), moved, intrinsics - (0, 0, 0.5, 0.5))
