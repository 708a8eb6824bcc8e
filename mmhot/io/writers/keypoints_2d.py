"""Files of 2D keypoints (``.npz``), for skeletons that cannot be lifted."""

from pathlib import Path

import numpy as np

from mmhot.io.arrays import save_arrays
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips import Clip2D


def write_keypoints(clip: Clip2D, path: str | Path) -> None:
    """Write 2D keypoints with the keys of 3D results, sorted by frame and track.

    Args:
        clip (Clip2D): 2D keypoints.
        path (str | Path): File to create or replace.
    """
    tracks, skeleton = clip.tracks, get_skeleton(clip.skeleton)
    frame = np.concatenate([track.frames for track in tracks])
    track = np.repeat(
        [track.track for track in tracks], [len(track.frames) for track in tracks]
    )
    rows = np.lexsort((track, frame))
    arrays = dict(
        frame=frame,
        track=track,
        time=clip.times_of(frame),
        keypoints_2d=np.concatenate([track.keypoints for track in tracks]),
        scores=np.concatenate([track.scores for track in tracks]),
    )
    save_arrays(
        path,
        dict(
            {name: array[rows] for name, array in arrays.items()},
            joint_names=np.array(skeleton.joints),
            parents=np.array(skeleton.parents),
            **{
                k: np.array(getattr(clip, k))
                for k in ('name', 'width', 'height', 'fps')
            },
        ),
        compressed=True,
    )
