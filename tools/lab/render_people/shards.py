"""Shards: files of rendered people, one process each."""

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

from mmhot.datasets.mocap_dataset import read_mocap_clips
from mmhot.datasets.packed_people import PackedPeople, join_images, write_packed_people
from tools.lab.coco_people import ANNOTATIONS, coco_annotation, write_coco
from tools.lab.panoramas import read_panoramas

from .bodies import (
    BodyModel,
    build_anny,
    draw_bodies,
    read_bodies,
    read_body_model,
    write_bodies,
)
from .fabrics import draw_fabrics, to_screen
from .labels import Label, label_actor
from .poses import PoseSampler
from .renderer import Renderer
from .scenes import Framings, SceneSampler, Shot

# How large pictures are, and how much larger they are drawn.
_PEOPLE, _PHOTOGRAPHS = ((192, 256), 1.5), ((416, 416), 1.5)
# How much farther what is behind an outline is, and how soft those are, pixels.
_JUMP, _SOFT = 0.03, (0.4, 0.9)
_HERE = Path(__file__).parent
_QUALITY = 85
_FABRICS = 240
_ENOUGH = 0.02  # of a crop, for the person that it is about
# Evaluations pass over those who take less of a photograph, in pixels.
_SMALLEST_AREA, _SMALLEST_SIDE = 60, 5


@dataclass(frozen=True)
class Recipe:
    """What shards are made of.

    Attributes:
        motions (tuple[str]): Files of clips.
        panoramas (str, optional): Folder or archive of places.
        without_clips (tuple[str]): Beginnings of clips' names that are left out.
        without_panoramas (tuple[str]): Names of places that are left out.
        people (int): In a shard; photographs, if it is of those.
        bodies (int): Shapes to draw from.
        seed (int): Of all chance.
        photographs (bool): Whole ones with everybody in them, instead of crops.
        only_clips (tuple[str], optional): Beginnings of clips' names that are taken;
            by default all are.
        lying (float): Share of people who lie on the floor, beside who tumbled.
        acrobatic (float): Share of people who do gymnastics, see ``PoseSampler``.
        framings (Framings): How crops are framed.
    """

    motions: tuple[str, ...]
    panoramas: str | None
    without_clips: tuple[str, ...]
    without_panoramas: tuple[str, ...]
    people: int
    bodies: int
    seed: int
    photographs: bool = False
    only_clips: tuple[str, ...] | None = None
    lying: float = 0.0
    acrobatic: float = 0.0
    framings: Framings = Framings()

    @property
    def name(self) -> str:
        """How names of its shards begin."""
        return f'{"photographs" if self.photographs else "people"}_seed{self.seed}'

    def read_clips(self) -> dict[str, np.ndarray]:
        """Clips that are taken and not left out."""
        clips = {}
        for path in self.motions:
            clips |= read_mocap_clips(Path(path))
        only = self.only_clips or ()
        for start in (*self.without_clips, *only):
            if not any(name.startswith(start) for name in clips):
                what = 'taken' if start in only else 'left out'
                raise ValueError(f'no clip begins with {start!r}, to be {what}')
        left = {
            name: clip
            for name, clip in clips.items()
            if name.startswith(only or '') and not name.startswith(self.without_clips)
        }
        if not left:
            raise ValueError(f'no clip is left of {", ".join(self.motions)}')
        return left

    def read_panoramas(self) -> list[np.ndarray]:
        """Places that are not left out; none if there are none to read."""
        found = read_panoramas(Path(self.panoramas)) if self.panoramas else {}
        unknown = set(self.without_panoramas) - found.keys()
        if unknown:
            raise ValueError(f'there is no panorama {", ".join(sorted(unknown))}')
        left = [
            place for name, place in found.items() if name not in self.without_panoramas
        ]
        if found and not left:
            raise ValueError(f'no panorama is left of {self.panoramas}')
        return left

    def as_json(self) -> dict:
        """As it is kept beside the shards, whose names say the rest.

        Files are told by what is in them, and so is this tool.
        """
        values = asdict(self) | {
            'motions': [_fingerprint(path) for path in self.motions],
            'panoramas': self.panoramas and _fingerprint(self.panoramas),
            'sources': _fingerprint(*_HERE.glob('*.py'), _HERE / 'shaders'),
        }
        del values['photographs']
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


def _fingerprint(*paths: str | Path) -> str:
    """What tells files and folders of other content apart."""
    content = hashlib.sha256()
    for path in sorted(map(Path, paths)):
        for file in sorted(path.rglob('*')) if path.is_dir() else [path]:
            if file.is_file():
                content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()[:16]


def render_shards(
    recipe: Recipe, folder: Path, numbers: list[int], workers: int
) -> Iterator[Path]:
    """Render shards, and tell each as it is done.

    Args:
        recipe (Recipe): What they are made of.
        folder (Path): Where to; :func:`prepare` has been there.
        numbers (list[int]): Of the shards.
        workers (int): Processes at a time.
    """
    if workers == 1:
        for number in numbers:
            yield _render_shard(recipe, folder, number)
        return
    # new processes, since one that was forked cannot use OpenGL
    with ProcessPoolExecutor(workers, get_context('spawn')) as pool:
        tasks = [
            pool.submit(_render_shard, recipe, folder, number) for number in numbers
        ]
        for task in as_completed(tasks):
            yield task.result()


def shard_path(recipe: Recipe, folder: Path, number: int) -> Path:
    """File of a shard, written when it is complete."""
    name = f'{recipe.name}_{number:02d}'
    if recipe.photographs:
        return folder / name / ANNOTATIONS
    return folder / f'{name}.npz'


def prepare(recipe: Recipe, folder: Path) -> None:
    """Draw the bodies, if that has not been done."""
    path = _bodies_path(recipe, folder)
    if not path.exists():
        bodies = draw_bodies(
            build_anny(), recipe.bodies, (recipe.seed, recipe.photographs)
        )
        write_bodies(bodies, path)


@dataclass
class _Drawn:
    """A picture, who is in it, and fx, fy, cx, cy."""

    encoded: bytes
    labels: list[Label]
    intrinsics: np.ndarray


def _render_shard(recipe: Recipe, folder: Path, number: int) -> Path:
    path = shard_path(recipe, folder, number)
    drawn = _render(recipe, folder, number)
    count = tqdm(range(recipe.people), desc=f'shard {number}')
    pictures = (next(drawn) for _ in count)
    if recipe.photographs:
        annotated = ((p.encoded, list(map(_annotate, p.labels))) for p in pictures)
        write_coco(annotated, path.parent)
    else:
        write_packed_people(_pack(list(pictures)), path)
    drawn.close()
    return path


def _pack(drawn: list[_Drawn]) -> PackedPeople:
    """Crops of one person each."""
    images, offsets = join_images([picture.encoded for picture in drawn])
    labels = [picture.labels[0] for picture in drawn]
    cameras = np.stack([picture.intrinsics for picture in drawn])
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
    """Somebody in a photograph as COCO has it."""
    side = (label.bbox[2:] - label.bbox[:2]).min()
    small = label.area < _SMALLEST_AREA or side < _SMALLEST_SIDE
    outside = label.visibility[:, None] == 0
    keypoints = np.where(outside, 0, label.keypoints)
    return coco_annotation(keypoints, label.visibility, label.bbox, label.area, small)


def _render(recipe: Recipe, folder: Path, number: int) -> Iterator[_Drawn]:
    """Pictures without end."""
    model, clips, panoramas = _parts(recipe)
    bodies = read_bodies(_bodies_path(recipe, folder))
    rng = np.random.default_rng((recipe.seed, number, recipe.photographs))
    prints = [to_screen(panorama / 2) for panorama in panoramas]
    shown, sharper = _PHOTOGRAPHS if recipe.photographs else _PEOPLE
    size = tuple(int(side * sharper) for side in shown)
    renderer = Renderer(size, draw_fabrics(_FABRICS, prints, rng))
    scenes = SceneSampler(
        model, bodies, clips, panoramas, _FABRICS, size, recipe.framings
    )
    draw, cut = scenes.crop, _crop
    if recipe.photographs:
        draw, cut = scenes.photograph, _photograph
    try:
        while True:
            shot = draw(rng)
            if shot is None:
                continue
            picture, depth, owners = renderer(
                shot.scene, shot.camera, shot.focus, shot.shadows
            )
            labels = [
                label_actor(model, actor, shot.camera, shot.frame, depth, owners)
                for actor in (shot.actors if recipe.photographs else shot.actors[:1])
            ]
            labels = [label for label in labels if label is not None]
            if recipe.photographs or any(_is_enough(label, size) for label in labels):
                picture = _soften(_expose(picture, rng), depth, sharper, rng)
                shown, corner = cut(picture, shot.frame)
                yield _develop(shown, corner, shot, labels, sharper)
    finally:
        renderer.release()


def _is_enough(label: Label, size: tuple[int, int]) -> bool:
    return label.is_telling and label.area >= _ENOUGH * size[0] * size[1]


@lru_cache(maxsize=1)
def _parts(recipe: Recipe) -> tuple[BodyModel, PoseSampler, list[np.ndarray]]:
    """What all shards of a process share."""
    model = read_body_model(build_anny())
    poses = PoseSampler(recipe.read_clips(), recipe.lying, recipe.acrobatic)
    return model, poses, recipe.read_panoramas()


def _bodies_path(recipe: Recipe, folder: Path) -> Path:
    return folder / f'bodies_{recipe.name}_{recipe.bodies}.npz'


def _crop(shown: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole picture, black where the photograph has ended, and its corner."""
    left, top, right, bottom = np.rint(frame).astype(int)
    inside = np.zeros((*shown.shape[:2], 1), bool)
    inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return shown * inside, np.zeros(2)


def _photograph(shown: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of the picture that is the photograph, and its corner."""
    left, top, right, bottom = frame.astype(int)
    return shown[top:bottom, left:right], frame[:2]


def _expose(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bright = np.percentile(picture.mean(-1), 90)
    return to_screen(picture * rng.uniform(0.5, 1.0) / max(bright, 1e-3))


def _soften(
    picture: np.ndarray, depth: np.ndarray, sharper: float, rng: np.random.Generator
) -> np.ndarray:
    """Mix what meets at outlines, which no camera separates by the pixel."""
    far = np.log(depth).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    jumps = cv2.dilate(far, kernel) - cv2.erode(far, kernel) > _JUMP
    outlines = cv2.dilate(jumps.astype(np.float32), kernel)
    outlines = cv2.GaussianBlur(outlines, (3, 3), 0)[..., None]
    smooth = cv2.GaussianBlur(picture, (0, 0), sharper * rng.uniform(*_SOFT))
    mixed = picture + outlines * (smooth.astype(np.float32) - picture)
    return np.rint(mixed).astype(np.uint8)


def _develop(
    shown: np.ndarray,
    corner: np.ndarray,
    shot: Shot,
    labels: list[Label],
    sharper: float,
) -> _Drawn:
    """Make a part of a picture smaller, with what is known of it, and encode it."""
    height, width = shown.shape[:2]
    size = round(width / sharper), round(height / sharper)
    small = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    done, encoded = cv2.imencode('.webp', small[..., ::-1], quality)
    assert done
    scale = np.array(size) / (width, height)
    # the middle of the first pixel is at 0 where keypoints are stored, at 0.5 in OpenGL
    moved = [
        replace(
            label,
            keypoints=((label.keypoints - corner) * scale - 0.5).astype(np.float32),
            bbox=((label.bbox - np.tile(corner, 2)) * np.tile(scale, 2)).astype(
                np.float32
            ),
            area=round(label.area * scale.prod()),
        )
        for label in labels
    ]
    shift = np.append((0, 0), corner)
    intrinsics = (shot.camera.intrinsics - shift) * np.tile(scale, 2)
    return _Drawn(encoded.tobytes(), moved, intrinsics - (0, 0, 0.5, 0.5))
