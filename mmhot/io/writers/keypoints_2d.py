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
    skeleton = get_skeleton(clip.skeleton)
    frame, keypoints, scores = (
        np.concatenate([getattr(track, name) for track in clip.tracks])
        for name in ('frames', 'keypoints', 'scores')
    )
    track = np.concatenate([np.full(len(x.frames), x.track) for x in clip.tracks])
    rows = np.lexsort((track, frame))
    save_arrays(
        path,
        dict(
            frame=frame[rows],
            track=track[rows],
            time=clip.times_of(frame[rows]),
            keypoints_2d=keypoints[rows],
            scores=scores[rows],
            joint_names=np.array(skeleton.joints),
            parents=np.array(skeleton.parents),
            name=np.array(clip.name),
            width=np.array(clip.width),
            height=np.array(clip.height),
            fps=np.array(clip.fps),
        ),
        compressed=True,
    )
