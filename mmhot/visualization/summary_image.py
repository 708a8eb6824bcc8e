"""Contact sheets of lifted clips: a few frames, drawn as those of the video."""

from pathlib import Path

import numpy as np

from mmhot.io.images import write_png
from mmhot.structures.clips import Clip3D
from mmhot.video.frames import FrameSource
from mmhot.visualization import drawing
from mmhot.visualization.clip_renderer import ClipRenderer
from mmhot.visualization.video import draw_frames

_MOST_FRAMES, _COLUMNS, _HEIGHT = 6, 2, 360


def render_summary_image(
    clip: Clip3D,
    path: str | Path,
    *,
    footage: FrameSource | None = None,
) -> None:
    """Write an image of up to six evenly spaced frames.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The ``.png`` to create or replace.
        footage (FrameSource, optional): The video behind the 2D keypoints.
    """
    renderer = ClipRenderer(clip)
    frames = renderer.frames
    if len(frames) > _MOST_FRAMES:  # without the very first and last
        steps = (np.arange(_MOST_FRAMES) + 0.5) / _MOST_FRAMES * len(frames)
        frames = frames[steps.astype(int)]
    images = {}
    for frame in footage or ():
        if frame.index in frames:
            images[frame.index] = frame.image
        if frame.index >= frames[-1]:
            break
    inputs = ((int(x), clip.seconds(x), images.get(x)) for x in frames)
    drawn = [image.copy() for image, _ in draw_frames(renderer, inputs, _HEIGHT)]
    empty = np.full_like(drawn[0], drawing.BACKGROUND)
    drawn += [empty] * (-len(drawn) % _COLUMNS)
    rows = (drawn[n : n + _COLUMNS] for n in range(0, len(drawn), _COLUMNS))
    write_png(path, np.vstack([np.hstack(row) for row in rows]))
