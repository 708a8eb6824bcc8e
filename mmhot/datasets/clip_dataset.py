"""Base dataset of lifting: clips cut into windows of frames."""

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from os.path import basename
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from mmhot.datasets.h36m import h36m_metainfo
from mmhot.errors import require_choice
from mmhot.geometry.windows import window_frames, window_starts


@dataclass
class Clip:
    """One recording of one person."""

    name: str  # unique name: subject/take
    subject: str  # person; samplers balance over subjects
    action: str  # label, '' if unknown; metrics average over actions
    fps: float  # frames per second
    arrays: dict[str, np.ndarray]  # arrays (T, ...) to be cut into windows
    # Entries that all windows share, such as the camera
    constants: dict = field(default_factory=dict)
    # Mask of the frames that are annotated and count as targets, (T,); all by default
    valid: np.ndarray | None = None

    @property
    def num_frames(self) -> int:
        """Frames ``T``."""
        return len(next(iter(self.arrays.values())))

    def downsample(self, step: int) -> 'Clip':
        """Keep every ``step``-th frame."""
        return replace(
            self,
            fps=self.fps / step,
            arrays={key: array[::step] for key, array in self.arrays.items()},
            valid=None if self.valid is None else self.valid[::step],
        )


class ClipDataset(BaseDataset):
    """Base class of datasets of windows that are cut from clips.

    A sample holds the clip's constants, ``subject``, ``action``, ``clip``,
    ``clip_length``, ``fps``, and

    * ``seq_len`` frames of each of the clip's arrays, where the first or last frame is
      repeated outside of the clip; ``lifting_target`` is cut to the targets,
    * ``frame_numbers`` (T,) of these frames, within the clip,
    * ``target_frames``, the slice of the targets within the window,
    * ``target_frame_numbers`` (num_targets,), which may lie outside of the clip,
    * ``frame``, the frame of the middle target,
    * ``lifting_target_visible`` (num_targets, K), zero outside of the clip and where it
      is not annotated.

    Args:
        ann_file (str or list[str]): File or files of the clips.
        seq_len (int): Frames ``T`` of a window.
        num_targets (int): Target frames: 1 for the center frame, ``seq_len`` for all.
        stride (int): Frames from one window to the next.
        keep_rest (bool): Whether windows overhang the clip so that no frame is left
            out, see :func:`window_starts`.
        centered (bool): Whether every ``stride``-th frame is the center of a window.
            Other targets of the window may then lie outside of the clip.
        times (int): Repetitions of each window in an epoch.
        dataset_name (str, optional): Name in metrics; by default the metainfo's.
        subjects (Sequence[str], optional): Subjects to use; by default all.
        downsample (int): Step between the frames to use; 2 halves the frame rate.
        **kwargs: Arguments of MMEngine's ``BaseDataset``; ``metainfo`` is Human3.6M's
            by default, ``indices`` select windows.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or does not fit the others, or if
            ``num_targets`` does not fit ``seq_len``.
    """

    METAINFO: dict = h36m_metainfo()
    # Where to get the data, at the end of the message about a missing file
    how_to_get = ''
    _fully_initialized: bool  # MMEngine's

    def __init__(
        self,
        ann_file: str | list[str],
        seq_len: int = 27,
        num_targets: int = 1,
        stride: int = 1,
        keep_rest: bool = True,
        centered: bool = False,
        times: int = 1,
        dataset_name: str | None = None,
        subjects: Sequence[str] | None = None,
        downsample: int = 1,
        **kwargs,
    ) -> None:
        if not 0 < num_targets <= seq_len or (seq_len - num_targets) % 2:
            raise ValueError(
                f'num_targets ({num_targets}) must be from 1 to seq_len ({seq_len}), '
                'and both odd or both even, so that the targets are in the middle'
            )
        for name, value in dict(
            stride=stride, times=times, downsample=downsample
        ).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        self.seq_len = seq_len
        self.num_targets = num_targets
        self.stride = stride
        self.keep_rest = keep_rest
        self.centered = centered
        self.times = times
        self.downsample = downsample
        self._dataset_name = dataset_name
        self._only_subjects = subjects
        # The paths have no root here; MMEngine would add it.
        self.files = [ann_file] if isinstance(ann_file, str) else list(ann_file)
        super().__init__(data_prefix=dict(), serialize_data=False, **kwargs)

    @property
    def dataset_name(self) -> str:
        """Name of the dataset in metrics."""
        return self._dataset_name or self._metainfo['dataset_name']

    @abstractmethod
    def load_clips(self) -> list[Clip]:
        """Read the clips; each camera of a recording has its own clip."""

    def find_file(self, name: str) -> Path:
        """Return the path of a file in ``data_root``.

        Raises:
            FileNotFoundError: If the file does not exist.
        """
        path = Path(self.data_root or '', name)
        if not path.is_file():
            raise FileNotFoundError(f'{path} does not exist; {self.how_to_get}')
        return path

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        return parse_pose_metainfo(metainfo or dict(cls.METAINFO))

    def full_init(self) -> None:
        """Read the clips and number their windows, once."""
        if self._fully_initialized:
            return
        clips = self.load_clips()
        if self._only_subjects is not None:
            present = sorted({clip.subject for clip in clips})
            for subject in self._only_subjects:
                require_choice('subjects', subject, present)
            clips = [clip for clip in clips if clip.subject in self._only_subjects]
        if not clips:
            raise ValueError(
                f'{type(self).__name__}: no clip of {self.files} is left by the '
                "config's subjects and splits"
            )
        self.clips = [clip.downsample(self.downsample) for clip in clips]
        starts = [self._starts(clip.num_frames) for clip in self.clips]
        counts = [len(clip_starts) for clip_starts in starts]
        clip_of_window = np.repeat(np.arange(len(starts)), counts)
        self.clip_of_window = np.tile(clip_of_window, self.times)
        self.start_of_window = np.tile(np.concatenate(starts), self.times)
        if self._indices is not None:
            rows = self._indices
            rows = slice(rows) if isinstance(rows, int) else np.asarray(rows)
            self.clip_of_window = self.clip_of_window[rows]
            self.start_of_window = self.start_of_window[rows]
        self._fully_initialized = True

    def _starts(self, num_frames: int) -> np.ndarray:
        """Return the first target frame of each window of a clip, (W,)."""
        if self.centered:
            centers = window_starts(num_frames, 1, self.stride)
            return centers - (self.num_targets - 1) // 2
        return window_starts(num_frames, self.num_targets, self.stride, self.keep_rest)

    @force_full_init
    def __len__(self) -> int:
        return len(self.clip_of_window)

    @property
    @force_full_init
    def subject_of_window(self) -> np.ndarray:
        """Each window's subject, (S,) of str."""
        subjects = np.array([clip.subject for clip in self.clips])
        return subjects[self.clip_of_window]

    @property
    @force_full_init
    def frames_of_subject(self) -> Counter[str]:
        """Number of frames of each subject, over the clips that have a window."""
        frames: Counter[str] = Counter()
        for number in np.unique(self.clip_of_window):
            clip = self.clips[number]
            frames[clip.subject] += clip.num_frames
        return frames

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return one window, before the pipeline; see the class."""
        clip = self.clips[self.clip_of_window[idx]]
        start = self.start_of_window[idx]
        frames = window_frames([start], self.seq_len, self.num_targets)[0]
        inside = frames.clip(0, clip.num_frames - 1)
        first = start - frames[0]
        targets = slice(first, first + self.num_targets)

        info = {key: array[inside] for key, array in clip.arrays.items()}
        if 'lifting_target' in info:
            info['lifting_target'] = info['lifting_target'][targets]
        visible = inside == frames
        if clip.valid is not None:
            visible &= clip.valid[inside]
        visible = visible[targets, None].astype(np.float32)  # (num_targets, 1)
        facts = dict(
            id=int(idx),
            img_id=int(idx),
            category_id=1,
            clip=clip.name,
            subject=clip.subject,
            action=clip.action,
            fps=clip.fps,
            frame=int(inside[first + self.num_targets // 2]),
            dataset_name=self.dataset_name,
            target_frames=targets,
            frame_numbers=inside,
            target_frame_numbers=frames[targets],
            clip_length=clip.num_frames,
            lifting_target_visible=visible.repeat(self._metainfo['num_keypoints'], 1),
            flip_indices=self._metainfo['flip_indices'],
        )
        return info | facts | clip.constants


def group_images(
    images: np.ndarray, pattern: re.Pattern[str]
) -> Iterator[tuple[re.Match[str], str, np.ndarray, float]]:
    """Group images by clip. Clips are split where frames are missing.

    Args:
        images (np.ndarray): Names or paths of images, (N,) of str.
        pattern (re.Pattern): Pattern of a name. Its first group is the clip, its last
            group the number of the frame.

    Yields:
        tuple[re.Match[str], str, np.ndarray, float]: Match of the clip's first image;
        name of a part, equal to the clip's name if no frame is missing; rows of its
        images in the order of the frames, (T,); and usual step of the frame numbers,
        such as 5 in files with 10 of 50 frames per second.

    Raises:
        ValueError: If a name does not match the pattern.
    """
    clips: dict[str, tuple[re.Match[str], list[tuple[int, int]]]] = {}
    for row, image in enumerate(images.tolist()):
        match = pattern.match(basename(image))
        if match is None:
            raise ValueError(f'image {image} is not named like {pattern.pattern}')
        _, frames = clips.setdefault(match[1], (match, []))
        frames.append((int(match.groups()[-1]), row))
    for clip, (match, frames) in clips.items():
        numbers, rows = np.array(sorted(frames)).T
        steps = np.diff(numbers)
        step = float(np.median(steps)) if len(steps) else 1.0
        parts = split_rows(steps > step)
        for part in parts:
            name = f'{clip}.{numbers[part[0]]}' if len(parts) > 1 else clip
            yield match, name, rows[part], step


def split_rows(ends: np.ndarray) -> list[np.ndarray]:
    """Split N rows into runs.

    Args:
        ends (np.ndarray): Whether a run ends after each row but the last, (N - 1,).

    Returns:
        list[np.ndarray]: Indices of the rows of each run.

    >>> [rows.tolist() for rows in split_rows(np.array([False, True, False]))]
    [[0, 1], [2, 3]]
    """
    return np.split(np.arange(len(ends) + 1), np.flatnonzero(ends) + 1)


def pose_arrays(
    clip: str, keypoints: np.ndarray, joints: np.ndarray
) -> dict[str, np.ndarray]:
    """Check a clip's poses, and name them as transforms expect.

    Args:
        clip (str): Name of the clip, for messages.
        keypoints (np.ndarray): Pixels, and scores if given, (T, 17, 2 or 3).
        joints (np.ndarray): Meters in camera axes, (T, 17, 3).

    Returns:
        dict[str, np.ndarray]: ``keypoints`` (T, 17, 2), ``keypoints_visible`` (T, 17)
        and ``lifting_target`` (T, 17, 3).

    Raises:
        ValueError: If shapes are wrong, there are no frames, or numbers are not finite.
    """
    joints = check_poses(f'joints of {clip}', joints)
    keypoints = check_poses(f'keypoints of {clip}', keypoints, sizes=(2, 3))
    if len(keypoints) != len(joints):
        raise ValueError(
            f'{clip} has {len(keypoints)} 2D poses for {len(joints)} 3D poses: each '
            'frame needs both'
        )
    scores = np.ones(keypoints.shape[:-1], np.float32)
    if keypoints.shape[-1] > 2:
        scores = keypoints[..., 2]
    return dict(
        keypoints=keypoints[..., :2], keypoints_visible=scores, lifting_target=joints
    )


def check_poses(
    name: str, poses: np.ndarray, num_keypoints: int = 17, sizes: Sequence[int] = (3,)
) -> np.ndarray:
    """Check poses, and convert them to float32.

    Args:
        name (str): Name of the poses, for messages.
        poses (np.ndarray): Poses, (T, K, C).
        num_keypoints (int): Keypoints ``K``.
        sizes (Sequence[int]): Possible numbers of coordinates ``C``.

    Returns:
        np.ndarray: The poses, (T, K, C), float32.

    Raises:
        ValueError: If the shape is wrong, there are no frames, or a number is not
            finite.
    """
    poses = np.asarray(poses, np.float32)
    if poses.shape not in [(len(poses) or 'T', num_keypoints, x) for x in sizes]:
        shape = f'(T, {num_keypoints}, {" or ".join(map(str, sizes))})'
        raise ValueError(f'{name} must be {shape}, got {poses.shape}')
    is_finite = np.isfinite(poses).all((1, 2))
    if not is_finite.all():
        frame = is_finite.argmin()
        raise ValueError(f'{name}: frame {frame} has NaN or infinite coordinates')
    return poses
