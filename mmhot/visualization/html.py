"""Self-contained web page (``.html``) that plays a lifted clip."""

import base64
import html
import json
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from mmhot.clips import Clip3D
from mmhot.io.atomic import replacing

# Units: positions relative to an origin per person in millimeters, quarter pixels.
_MILLIMETERS = 1000
_PIXEL_STEPS = 4
_SIDES = ('left', 'right')


def write_html(clip: Clip3D, path: str | Path) -> None:
    """Write a page that plays a clip in any browser, offline.

    Args:
        clip (Clip3D): In ``'world'`` axes.
        path (str | Path): The file to create or replace.

    Raises:
        ValueError: If the clip has other axes.
    """
    if clip.axes != 'world':
        raise ValueError(f"the page needs 'world' axes, got {clip.axes!r}")
    folder = files('mmhot.visualization') / 'viewer'
    parts = {
        name: (folder / file).read_text(encoding='utf-8')
        for name, file in (
            ('page', 'viewer.html'),
            ('style', 'viewer.css'),
            ('script', 'bundle.js'),
        )
    }
    # escaped, so that no text can end the <script>
    data = json.dumps(_content(clip), ensure_ascii=False).replace('<', '\\u003c')
    page = Template(parts['page']).substitute(
        title=html.escape(clip.name),
        style=parts['style'],
        script=parts['script'],
        clip=data,
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding='utf-8')


def _content(clip: Clip3D) -> dict:
    """Collect the data that the page's script reads."""
    first = int(clip.frame.min())
    return {
        # timestamps of all frames, for variable frame rates
        'times': None if clip.time is None else _times(clip, first),
        'fps': clip.fps,
        'width': int(clip.width),
        'height': int(clip.height),
        'first': first,
        'count': int(clip.frame.max()) - first + 1,
        'joints': list(clip.joint_names),
        'parents': [int(parent) for parent in clip.parents],
        'sides': [_side(name) for name in clip.joint_names],
        'pixelSteps': _PIXEL_STEPS,
        'people': [_person(clip, track) for track in np.unique(clip.track).tolist()],
        'facts': _facts(clip),
    }


def _times(clip: Clip3D, first: int) -> str:
    seconds = clip.seconds(np.arange(first, clip.frame.max() + 1))
    return _encode(seconds, np.float32)


def _side(joint: str) -> int:
    """Return 0 for the middle, 1 for left, 2 for right."""
    sides = [number for number, side in enumerate(_SIDES, 1) if joint.startswith(side)]
    return sides[0] if sides else 0


def _person(clip: Clip3D, track: int) -> dict:
    rows = clip.track == track
    root = np.nan_to_num(clip.root_3d[rows].astype(np.float64))
    # 16 bits cover 32 meters to each side of the mean position
    origin = np.round(root.mean(0), 3)
    positions = clip.keypoints_3d[rows] + (root - origin)[:, None]
    limit = np.iinfo(np.int16).max
    millimeters = np.nan_to_num(positions * _MILLIMETERS).clip(-limit, limit)
    pixels = np.nan_to_num(clip.keypoints_2d[rows] * _PIXEL_STEPS).clip(-limit, limit)
    return {
        'track': track,
        'origin': origin.tolist(),
        'frames': _encode(clip.frame[rows], np.int32),
        'positions': _encode(millimeters.round(), np.int16),
        'pixels': _encode(pixels.round(), np.int16),
        'certain': _encode(clip.scores[rows] > 0, np.uint8),
    }


def _encode(array: np.ndarray, kind: type) -> str:
    """Encode an array in base64, little-endian as in browsers."""
    little = np.dtype(kind).newbyteorder('<')
    return base64.b64encode(np.ascontiguousarray(array, little).tobytes()).decode()


def _facts(clip: Clip3D) -> dict[str, str]:
    """Collect the properties of the clip that the page lists."""
    frames = len(np.unique(clip.frame))
    lens = f'{clip.focal_length:.0f} px{" (assumed)" if clip.focal_assumed else ""}'
    return {
        'Model': clip.model,
        'Frames': f'{frames} at {clip.fps:g} per second',
        'Image': f'{clip.width} x {clip.height}',
        'Focal length': lens,
        'Unit': 'meters, z up from the floor',
        'Keys': 'space, arrows (Shift: 10 frames), Home, End, + and -, f, s, t, v, 2, '
        'i, d, Shift+1 to Shift+9',
    }
