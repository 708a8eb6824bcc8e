"""Shards: files of rendered people, one process each."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from bodies import (
    BodyModel,
    build_anny,
    draw_bodies,
    read_bodies,
    read_body_model,
    write_bodies,
)
from fabrics import draw_fabrics, to_screen
from labels import Label, label_actor
from poses import PoseSampler
from renderer import Renderer
from scenes import SceneSampler
from tqdm import tqdm

from mmhot.io.mocap_clips import read_mocap_clips
from mmhot.io.packed_people import PackedPeople, join_images, write_packed_people
from mmhot.io.panoramas import read_panoramas

_SIZE = (192, 256)
_SHARPER = 1.5  # pictures are drawn so much larger, then made smaller
_SHADOWS = 3.0  # metres around a person in which things cast them
_QUALITY = 85
_FABRICS = 240


@dataclass(frozen=True)
class Recipe:
    """What shards are made of.

    Attributes:
        motions (tuple[str]): Files of clips.
        panoramas (str, optional): Folder or archive of places.
        without_clips (tuple[str]): Beginnings of clips' names that are left out.
        without_panoramas (tuple[str]): Names of places that are left out.
        people (int): In a shard.
        bodies (int): Shapes to draw from.
        seed (int): Of all chance.
    """

    motions: tuple[str, ...]
    panoramas: str | None
    without_clips: tuple[str, ...]
    without_panoramas: tuple[str, ...]
    people: int
    bodies: int
    seed: int

    def read_clips(self) -> dict[str, np.ndarray]:
        """Clips that are not left out."""
        clips = {}
        for path in self.motions:
            clips |= read_mocap_clips(Path(path))
        for start in self.without_clips:
            if not any(name.startswith(start) for name in clips):
                raise ValueError(f'no clip begins with {start!r}, to be left out')
        left = {
            name: clip
            for name, clip in clips.items()
            if not name.startswith(self.without_clips)
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
        """As it is kept beside the shards."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


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
    """File of a shard."""
    return folder / f'people_seed{recipe.seed}_{number:02d}.npz'


def prepare(recipe: Recipe, folder: Path) -> None:
    """Draw the bodies, if that has not been done."""
    path = _bodies_path(recipe, folder)
    if not path.exists():
        bodies = draw_bodies(build_anny(), recipe.bodies, recipe.seed)
        write_bodies(bodies, path)


def _render_shard(recipe: Recipe, folder: Path, number: int) -> Path:
    drawn = _render(recipe, folder, number)
    people = [next(drawn) for _ in tqdm(range(recipe.people), desc=f'shard {number}')]
    drawn.close()
    pictures, labels, cameras = zip(*people, strict=True)
    images, offsets = join_images(pictures)
    scale = 1 / _SHARPER
    # the middle of the first pixel is at 0 where keypoints are stored, at 0.5 in OpenGL
    keypoints = np.stack([label.keypoints for label in labels]) * scale - 0.5
    cameras = np.stack(cameras) * scale - (0, 0, 0.5, 0.5)
    packed = PackedPeople(
        images,
        offsets,
        keypoints=np.maximum(keypoints, 0),
        visibility=np.stack([label.visibility for label in labels]),
        bboxes=np.stack([label.bbox for label in labels]) * scale,
        extras={
            'cam3d': np.stack([label.cam3d for label in labels]),
            'K': cameras.astype(np.float32),
        },
    )
    path = shard_path(recipe, folder, number)
    write_packed_people(packed, path)
    return path


def _render(
    recipe: Recipe, folder: Path, number: int
) -> Iterator[tuple[bytes, Label, np.ndarray]]:
    """People without end: encoded pictures, labels, and fx, fy, cx, cy."""
    model, clips, panoramas = _parts(recipe)
    bodies = read_bodies(_bodies_path(recipe, folder))
    rng = np.random.default_rng((recipe.seed, number))
    prints = [to_screen(panorama / 2) for panorama in panoramas]
    size = tuple(int(side * _SHARPER) for side in _SIZE)
    renderer = Renderer(size, draw_fabrics(_FABRICS, prints, rng))
    scenes = SceneSampler(model, bodies, clips, panoramas, _FABRICS, size)
    try:
        while True:
            shot = scenes(rng)
            if shot is None:
                continue
            picture, depth, owners = renderer(
                shot.scene, shot.camera, shot.focus, _SHADOWS
            )
            label = label_actor(
                model, shot.actor, shot.camera, shot.frame, depth, owners
            )
            if label is not None:
                yield _develop(picture, shot.frame, rng), label, shot.camera.intrinsics
    finally:
        renderer.release()


@lru_cache(maxsize=1)
def _parts(recipe: Recipe) -> tuple[BodyModel, PoseSampler, list[np.ndarray]]:
    """What all shards of a process share."""
    model = read_body_model(build_anny())
    return model, PoseSampler(recipe.read_clips()), recipe.read_panoramas()


def _bodies_path(recipe: Recipe, folder: Path) -> Path:
    return folder / f'bodies_seed{recipe.seed}_{recipe.bodies}.npz'


def _develop(picture: np.ndarray, frame: np.ndarray, rng: np.random.Generator) -> bytes:
    """Expose, cut to the photograph, make smaller, and encode."""
    bright = np.percentile(picture.mean(-1), 90)
    shown = to_screen(picture * rng.uniform(0.5, 1.15) / max(bright, 1e-3))
    left, top, right, bottom = np.rint(frame).astype(int)
    inside = np.zeros((*shown.shape[:2], 1), bool)
    inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    small = cv2.resize(shown * inside, _SIZE, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    done, encoded = cv2.imencode('.webp', small[..., ::-1], quality)
    assert done
    return encoded.tobytes()
