"""Embeddings of movements, and search for similar ones in a folder of clips."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmpose.registry import KEYPOINT_CODECS

import mmhot.plugin  # noqa: F401 registers components
from mmhot.apis.command_options import SearchOptions
from mmhot.apis.progress import Bars, no_bar
from mmhot.compat.checkpoints import safe_load
from mmhot.errors import naming, require_file
from mmhot.installation import choose_device
from mmhot.io.arrays import load_arrays, save_arrays
from mmhot.io.lifted import read_lifted
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.lifting.clip_encoder import ClipEncoder
from mmhot.lifting.load_model import config_within
from mmhot.models.lifters.poseclr import PoseCLR
from mmhot.structures.clips import Clip2D, Track2D, check_clip
from mmhot.structures.lens import ideal_camera
from mmhot.structures.windows import window_frames, window_starts
from mmhot.weights.hub import local_file
from mmhot.weights.loading import build_model, load_strictly

INDEX_NAME = '.mmhot-index.npz'
"""Name of an index within its library."""
_PARTS = ('vectors', 'tracks', 'spans')


@dataclass
class Movements:
    """Windows of a clip.

    Attributes:
        vectors (np.ndarray): Unit vectors, (N, D) float32.
        tracks (np.ndarray): Track IDs, (N,) int64.
        spans (np.ndarray): First and last second, (N, 2) float64.
    """

    vectors: np.ndarray
    tracks: np.ndarray
    spans: np.ndarray


class MotionEmbedder(ClipEncoder):
    """Embed the windows of clips with a pre-trained :class:`PoseCLR`.

    Args:
        checkpoint (str or Path): Of a pre-training, with its config; a file or an
            address, see :func:`mmhot.weights.hub.local_file`.
        device (str): PyTorch device. Defaults to 'cpu'.
        batch_size (int): Windows per batch. Defaults to 64.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint of a ``PoseCLR``.
    """

    def __init__(
        self, checkpoint: str | Path, device: str = 'cpu', batch_size: int = 64
    ) -> None:
        path = require_file(local_file(checkpoint))
        content = safe_load(path)
        config = config_within(path, content)
        if config.get('model', {}).get('type') != 'PoseCLR' or 'codec' not in config:
            raise ValueError(
                f'{path} is no checkpoint of a PoseCLR: its config must have a model '
                'of this type, and the codec'
            )
        model: PoseCLR = build_model(config.model, path)
        load_strictly(model, path, content)
        self.device, self.model = device, model.to(device).eval()
        self.seq_len = model.backbone.num_frames
        self.batch_size = batch_size
        codec = KEYPOINT_CODECS.build(config.codec)
        super().__init__(codec, config.get('lifting', {}))

    def __call__(self, clip: Clip2D, stride: float = 0.5) -> Movements:
        """Embed windows of all people.

        Args:
            clip (Clip2D): 2D keypoints.
            stride (float): Seconds from one window to the next. Defaults to 0.5.

        Returns:
            Movements: At least one window of each person; people who are seen for less
            than a window are padded with their first and last pose.

        Raises:
            ValueError: If no keypoint can be converted to Human3.6M's.
        """
        camera = ideal_camera(clip.width, clip.height, None)
        step = max(round(stride * self.fps), 1)
        windows, tracks, spans = [], [], []
        for segment in self.prepare(clip):
            times = clip.times_of(segment.frames)
            keypoints = self.to_model_rate(self.keypoints_of(segment), times)
            length = len(keypoints)
            starts = window_starts(length, self.seq_len, step, keep_rest=False)
            frames = window_frames(starts, self.seq_len, self.seq_len)
            frames = frames.clip(0, length - 1)
            windows.append(keypoints[frames])
            tracks += [segment.track] * len(starts)
            spans.append(times[0] + frames[:, [0, -1]] / self.fps)
        return Movements(
            self._embed(np.concatenate(windows), camera),
            np.array(tracks),
            np.concatenate(spans),
        )

    @torch.inference_mode()
    def _embed(self, windows: np.ndarray, camera: dict) -> np.ndarray:
        """Map windows (N, T, 17, C) to unit vectors (N, D)."""
        inputs, _ = self.encode(windows, camera)
        batches = torch.from_numpy(inputs).split(self.batch_size)
        return torch.cat([self.model(x.to(self.device)) for x in batches]).cpu().numpy()


@dataclass(frozen=True)
class Match:
    """A window of the library that resembles one of the query.

    Attributes:
        clip (str): The file, relative to the library.
        track (int): Track ID.
        begin (float): First second.
        end (float): Last second.
        similarity (float): Cosine with the query's nearest window, at most 1.
        query_begin (float): First second of that window.
    """

    clip: str
    track: int
    begin: float
    end: float
    similarity: float
    query_begin: float


def search(
    query: str | Path | Clip2D,
    library: str | Path,
    checkpoint: str | Path,
    *,
    bars: Bars = no_bar,
    **options: object,
) -> list[Match]:
    """Find the clips with the most similar movements, in any camera, by any person.

    Windows are compared by the cosine of their vectors. The library's are kept in an
    index, which is extended when files are new or changed.

    Args:
        query (str | Path | Clip2D): 2D keypoints, or a file like the library's.
        library (str | Path): Folder, with subfolders, of ``.npz`` files of 2D
            keypoints or results of lifting.
        checkpoint (str | Path): Of PoseCLR's pre-training, with its config.
        bars (Bars): Opens a progress bar.
        **options (object): See :class:`mmhot.apis.command_options.SearchOptions`.

    Returns:
        list[Match]: Best first; the best window of each person of each clip. The
        query's own file is left out.

    Raises:
        FileNotFoundError: If a file or the folder does not exist.
        ValueError: If a file or an argument is wrong, or the library is empty.
    """
    chosen = SearchOptions(checkpoint=checkpoint, **options)
    library = Path(library)
    if not library.is_dir():
        raise FileNotFoundError(f'{library} is no folder')
    given = isinstance(query, Clip2D)
    clip = check_clip(query) if given else _read_clip(Path(query))
    embedder = MotionEmbedder(checkpoint, choose_device(chosen.device))
    path = chosen.index or library / INDEX_NAME
    stride = chosen.stride
    model = dict(checkpoint=_digest(local_file(checkpoint)), stride=stride)
    found = _update(path, library, model, lambda own: embedder(own, stride), bars)
    return _rank(embedder(clip, stride), found, library, clip.source, chosen.top)


def _read_clip(path: Path) -> Clip2D:
    """Read 2D keypoints, also from a result of lifting."""
    with naming(path):
        is_lifted = path.suffix == '.npz' and 'unit' in load_arrays(path, ['unit'])
    if not is_lifted:
        return read_keypoints(path)
    lifted = read_lifted(path)
    people = [lifted.take(lifted.track == track) for track in np.unique(lifted.track)]
    return Clip2D(
        name=lifted.name,
        skeleton=f'h36m-{len(lifted.joint_names)}',
        tracks=[
            Track2D(int(own.track[0]), own.frame, own.keypoints_2d, own.scores)
            for own in people
        ],
        width=lifted.width,
        height=lifted.height,
        fps=lifted.fps,
        source=path,
        times=lifted.seconds(np.arange(lifted.frame[-1] + 1)),
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(require_file(path).read_bytes()).hexdigest()


def _update(
    path: Path,
    library: Path,
    model: dict,
    embed: Callable[[Clip2D], Movements],
    bars: Bars,
) -> dict[str, Movements]:
    """Read an index, embed new and changed files, and write it if there are any."""
    files = {
        file.relative_to(library).as_posix(): file
        for file in sorted(library.rglob('*.npz'))
        if file.is_file() and not _is_hidden(file, library) and file != path
    }
    if not files:
        raise ValueError(f'{library} has no .npz file')
    stats = {name: file.stat() for name, file in files.items()}
    stamps = {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
    known_stamps, known = _read_index(path, model) if path.exists() else ({}, {})
    current = {
        name: known[name]
        for name, stamp in stamps.items()
        if known_stamps.get(name) == stamp
    }
    missing = [name for name in files if name not in current]
    with bars(f'{library}: indexing') as show:
        for done, name in enumerate(missing):
            current[name] = embed(_read_clip(files[name]))
            show(done + 1, len(missing))
    if missing or set(known) - set(current):
        _write_index(path, model, stamps, current)
    return current


def _is_hidden(file: Path, library: Path) -> bool:
    """Whether a file or its folder is hidden, as the cache of ``mmhot infer`` is."""
    return any(part.startswith('.') for part in file.relative_to(library).parts)


def _read_index(
    path: Path, model: dict
) -> tuple[dict[str, list[int]], dict[str, Movements]]:
    """Read an index; empty if it is of another checkpoint or stride."""
    with naming(path):
        arrays = load_arrays(path)
        header = json.loads(str(arrays.get('header', '{}')))
        if {*_PARTS, 'clips'} - set(arrays) or set(header) != {'model', 'stamps'}:
            raise ValueError('is no index of mmhot search; remove it or name another')
        if header['model'] != model:
            return {}, {}
        cuts = np.flatnonzero(np.diff(arrays['clips'])) + 1
        parts = [np.split(arrays[name], cuts) for name in _PARTS]
        movements = [Movements(*part) for part in zip(*parts, strict=True)]
        stamps = header['stamps']
        return stamps, dict(zip(stamps, movements, strict=True))


def _write_index(
    path: Path, model: dict, stamps: dict, movements: dict[str, Movements]
) -> None:
    stamps = {name: stamps[name] for name in movements}
    parts = list(movements.values())
    header = json.dumps(dict(model=model, stamps=stamps))
    clips = np.repeat(np.arange(len(parts)), [len(part.tracks) for part in parts])
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _PARTS
    }
    save_arrays(path, arrays | dict(clips=clips, header=np.array(header)))


def _rank(
    query: Movements,
    found: dict[str, Movements],
    library: Path,
    source: Path | None,
    top: int,
) -> list[Match]:
    """Return the best window of each person of each clip, best first."""
    matches = []
    own_file = None if source is None else Path(source).resolve()
    for name, own in found.items():
        if (library / name).resolve() == own_file:
            continue
        cosines = own.vectors @ query.vectors.T  # (N, Q)
        best = cosines.max(1)
        for track in np.unique(own.tracks):
            rows = np.flatnonzero(own.tracks == track)
            row = rows[best[rows].argmax()]
            nearest = cosines[row].argmax()
            matches.append(
                Match(
                    clip=name,
                    track=int(track),
                    begin=float(own.spans[row, 0]),
                    end=float(own.spans[row, 1]),
                    similarity=float(best[row]),
                    query_begin=float(query.spans[nearest, 0]),
                )
            )
    return sorted(matches, key=lambda match: -match.similarity)[:top]
