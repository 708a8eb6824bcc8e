"""Self-contained web page (``.html``) that plays a lifted clip."""

import base64
import html
import json
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

import numpy as np

from mmhot.errors import escape
from mmhot.frames.sources import FrameObserver
from mmhot.geometry.rotations import rotation_vectors
from mmhot.io.atomic import replacing
from mmhot.io.writers.angles import clip_angles, joint_of
from mmhot.io.writers.export import Export
from mmhot.io.writers.gait import clip_strides
from mmhot.io.writers.mannequin import make_mannequin, nearest_bones
from mmhot.io.writers.rigid_skeleton import Y_UP, RigidMotion, fit_rig
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.poses.camera import stable_keypoints
from mmhot.poses.contacts import ANKLES, predict_contacts
from mmhot.skeletons.joint_angles import angle_names
from mmhot.skeletons.joints import get_skeleton
from mmhot.skeletons.side_colors import SIDE_COLORS, side_of
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.people import People
from mmhot.visualization.fading import FADING, doubts

_BODY = get_skeleton('h36m-17')
# Units: positions relative to an origin per person in millimeters, quarter pixels.
_MILLIMETERS = 1000
_PIXEL_STEPS = 4
_TURN_STEPS = 10_000  # steps per radian of a rotation vector
_ANGLE_STEPS = 10  # steps per degree
_ERROR_STEP = 3  # millimeters; resolution of expected errors
_ERROR_STEPS = 255  # most of these steps, which a byte holds
VIDEO_ERROR = 1.8
"""True over expected error in videos: 1.91 and 1.61 for the two of ``make demo``."""
_STANDS = 0.5  # least probability of a contact that is shown
_SIDES = ('middle', 'left', 'right')
# Frames of the video are thumbnails; of longer videos every second one, and so on.
_FRAME_SIDE = 480  # pixels; longer side of thumbnails
_JPEG_QUALITY = 70
_MAX_FRAME_BYTES = 10_000_000
_MAX_NOTEBOOK_BYTES = 5_000_000


class Thumbnails(FrameObserver):
    """JPEG images of frames: of all, of every second one, and so on, below 10 MB.

    They are made while the 2D model looks at a video, so that a page of a short one
    needs not decode it again.
    """

    name = 'thumbnails'
    is_kept = False

    def __init__(self, first: int = 0) -> None:
        self.images: dict[int, bytes] = {}
        self._first = first
        self._step = 1

    def observe(
        self,
        index: int,
        image: np.ndarray,
        people: People | None = None,
        new_shot: bool = False,
    ) -> None:
        """Keep a frame's image (H, W, 3)."""
        if (index - self._first) % self._step:
            return
        self.images[index] = _thumbnail(image)
        while sum(map(len, self.images.values())) > _MAX_FRAME_BYTES:
            self._step *= 2
            self.images = {
                number: image
                for number, image in self.images.items()
                if (number - self._first) % self._step == 0
            }


def write_html(clip: Clip3D, path: str | Path, export: Export = Export()) -> None:
    """Write a page that plays a clip in ``'world'`` axes in any browser, offline.

    The video is shown behind the 2D keypoints as small JPEG images: of all frames, of
    every second one, and so on, for a file of less than 15 MB.
    """
    folder = files('mmhot.visualization') / 'viewer'
    page, style, bundle, script = (
        (folder / name).read_text(encoding='utf-8')
        for name in ('viewer.html', 'viewer.css', 'bundle.js', 'viewer.js')
    )
    if not len(clip):
        raise ValueError(f'{escape(path)}: the clip has no poses to show')
    images = _images(clip, export)
    data = json.dumps(_content(clip) | {'images': images}, ensure_ascii=False)
    # Escape it, so that no text can end the <script>.
    data = data.replace('<', '\\u003c')
    page = Template(page).substitute(
        title=html.escape(escape(clip.name)),
        clip=data,
        style=style,
        bundle=bundle,
        script=script,
    )
    with replacing(path) as temporary:
        temporary.write_text(page, 'utf-8', 'backslashreplace')


def embed_page(page: str, height: str) -> str:
    """Embed a page in another one, isolated from it."""
    return (
        f'<iframe title="Viewer" style="width: 100%; height: {height}; border: 0" '
        'sandbox="allow-scripts allow-downloads" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )


def embed_clip(clip: Clip3D) -> str | None:
    """Return the viewer of a clip for notebooks, without the video.

    None if it has more than 5 MB, or the clip cannot be shown.
    """
    with TemporaryDirectory() as folder, suppress(ValueError):
        for file in clip.save(Path(folder) / 'clip.html'):
            if file.stat().st_size <= _MAX_NOTEBOOK_BYTES:
                return embed_page(file.read_text(encoding='utf-8'), '32rem')
    return None


def _content(clip: Clip3D) -> dict:
    """Collect the data that the page's script reads."""
    first, last = int(clip.frame.min()), int(clip.frame.max())
    seconds = clip.seconds(np.arange(first, last + 1))
    people = [clip.take(clip.track == track) for track in clip.track_ids]
    motions = [fit_rig(person.places(), HUMAN_IK) for person in people]
    angles = angle_names(len(clip.joint_names))
    return {
        # Timestamps of all frames, for variable frame rates.
        'times': None if clip.variable_time is None else _encode(seconds, np.float32),
        'fps': clip.fps,
        'width': int(clip.width),
        'height': int(clip.height),
        'first': first,
        'count': last - first + 1,
        'joints': [name.replace('_', ' ') for name in clip.marker_names],
        # Angles, each with the joint that shows it
        'angles': [(clip.joint_names.index(joint_of(x)), x) for x in angles],
        'errorStep': _ERROR_STEP,
        'parents': [int(parent) for parent in clip.parents],
        'sides': [_SIDES.index(side_of(name)) for name in clip.joint_names],
        'colors': [SIDE_COLORS[side] for side in _SIDES],
        'pixelSteps': _PIXEL_STEPS,
        'people': [*map(_person, people, motions)],
        'mannequin': _mannequin(motions[0], clip),
        'facts': _facts(clip),
    }


def _contacts(person: Clip3D) -> list[tuple[int, int, int]]:
    """List when feet of a person stand: number of the side, first and last frame."""
    spans = []
    count = len(_BODY.joints)
    keypoints = stable_keypoints(person)[:, :count]
    scores = person.confidence
    for rows in person.stretches():
        seconds = person.seconds(person.frame[rows])
        if len(rows) < 3 or not np.isfinite(keypoints[rows]).all():
            continue
        stands = predict_contacts(keypoints[rows], scores[rows, :count], seconds)
        for ankle, is_standing in zip(ANKLES, stands.T > _STANDS, strict=True):
            side = _SIDES.index(side_of(_BODY.joints[ankle]))
            edges = np.flatnonzero(np.diff(np.pad(np.int8(is_standing), 1)))
            for start, stop in edges.reshape(-1, 2):
                first, last = person.frame[rows[[start, stop - 1]]].tolist()
                spans.append((side, first, last))
    return spans


def _images(clip: Clip3D, export: Export) -> dict[int, str]:
    """Return images of the clip's frames as JPEG in base64."""
    first, last = int(clip.frame.min()), int(clip.frame.max())
    span = range(first, last + 1)
    images = export.thumbnails
    if not images.keys() >= {*span}:
        thumbnails = Thumbnails(first)
        for frame in export.footage or ():
            if frame.index > last:
                break
            if frame.index >= first:
                thumbnails.observe(frame.index, frame.image)
            export.progress(frame.index + 1, last + 1)
        images = thumbnails.images
    return {k: base64.b64encode(v).decode() for k, v in images.items() if k in span}


def _thumbnail(image: np.ndarray) -> bytes:
    """Encode an image, (H, W, 3), as a small JPEG."""
    import cv2  # only videos need it

    from mmhot.visualization.drawing import shrink

    scale = min(1, _FRAME_SIDE / max(image.shape))
    height, width = (max(1, round(scale * x)) for x in image.shape[:2])
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode('.jpg', shrink(image, (width, height)), options)[1].tobytes()


def _mannequin(motion: RigidMotion, clip: Clip3D) -> dict:
    """Collect the data that the mannequins of all people share."""
    mesh = make_mannequin(motion, HUMAN_IK)
    lifted = motion.rest()[HUMAN_IK.lifted]
    ends, along = nearest_bones(mesh.vertices, lifted, clip.parents[: len(lifted)])
    return {
        'parents': list(motion.parents),
        'sides': [
            0 if 'clavicle' in name else _SIDES.index(side_of(name))
            for name in HUMAN_IK.joints
        ],
        'turnSteps': _TURN_STEPS,
        'faces': _encode(mesh.faces, np.uint16),
        'joints': _encode(mesh.joints, np.uint8),
        'weights': _encode((mesh.weights * 255).round(), np.uint8),
        # Bones of the clip with which vertices fade.
        'ends': _encode(ends, np.uint8),
        'along': _encode((along * 255).round(), np.uint8),
    }


def _person(person: Clip3D, motion: RigidMotion) -> dict:
    """Collect keypoints, poses, doubts and the mannequin of one person."""
    angles = np.stack([*clip_angles(person).values()], axis=1)
    root = np.nan_to_num(person.root_3d.astype(np.float64))
    # 16 bits cover 32 meters to each side of the mean position
    origin = np.round(root.mean(0), 3)
    positions = person.keypoints_3d + (root - origin)[:, None]
    errors = None
    if person.expected_error is not None:  # known for videos; 0 where unknown
        steps = np.nan_to_num(person.expected_error) * VIDEO_ERROR * 1000 / _ERROR_STEP
        errors = _encode(steps.round().clip(0, _ERROR_STEPS), np.uint8)
    mesh = make_mannequin(motion, HUMAN_IK)
    turns = rotation_vectors(motion.quaternions())
    turning = np.flatnonzero(np.abs(turns).max((0, 2)) > 1 / _TURN_STEPS)
    path = (motion.root - origin) @ Y_UP.T
    return {
        'track': int(person.track[0]),
        'origin': origin.tolist(),
        'frames': _encode(person.frame, np.int32),
        'positions': _fixed_point(positions, _MILLIMETERS),
        'pixels': _fixed_point(person.keypoints_2d, _PIXEL_STEPS),
        'detected': _encode(person.scores > 0, np.uint8),
        'doubts': _encode((doubts(person, slice(None)) * 255).round(), np.uint8),
        'errors': errors,
        'angles': _fixed_point(angles, _ANGLE_STEPS),
        'contacts': _contacts(person),
        # Number of the side, seconds of a contact and of the next one
        'strides': [
            (_SIDES.index(x.foot), round(x.contact, 4), round(x.next_contact, 4))
            for _, x in clip_strides(person)
        ],
        'height': ', '.join(
            f'{person.heights[x].meters:.2f} m, {person.heights[x].source}'
            for x in person.track_ids
            if x in person.heights
        ),
        'body': {  # y up, millimeters relative to the origin
            'vertices': _fixed_point(mesh.vertices, _MILLIMETERS),
            'offsets': _encode(motion.offsets, np.float32),
            'root': _fixed_point(path, _MILLIMETERS),
            'turning': turning.tolist(),
            'turns': _fixed_point(turns[:, turning], _TURN_STEPS),
        },
    }


def _fixed_point(values: np.ndarray, steps: int) -> str:
    """Encode numbers (...) as 16 bits, a number of steps per unit."""
    limit = np.iinfo(np.int16).max
    return _encode(np.nan_to_num(values * steps).clip(-limit, limit).round(), np.int16)


def _encode(array: np.ndarray, kind: type) -> str:
    """Encode an array (...) in base64, little-endian as in browsers."""
    little = np.dtype(kind).newbyteorder('<')
    return base64.b64encode(np.ascontiguousarray(array, little).tobytes()).decode()


def _facts(clip: Clip3D) -> dict[str, str]:
    frames = len(np.unique(clip.frame))
    lens = f'{clip.focal_length:.0f} px{" (assumed)" if clip.focal_assumed else ""}'
    errors = {}
    if clip.expected_error is not None:
        mean = np.nanmean(clip.expected_error)
        mean, low, high = 100 * VIDEO_ERROR * np.array([mean, *FADING])
        text = (
            f'{mean:.1f} cm on average, {VIDEO_ERROR:g} times that of motion capture, '
            f'as measured on videos; joints fade from {low:g} to {high:g} cm'
        )
        errors = {'Expected error': text}
    heights = {
        f'Height of person {number}': f'{x.meters:.2f} ± {x.error:.2f} m, {x.source}'
        for number, x in enumerate(map(clip.heights.get, clip.track_ids), 1)
        if x is not None
    }
    return {
        'Model': clip.model,
        'Frames': f'{frames} at {clip.fps:g} per second',
        'Image': f'{clip.width} x {clip.height}',
        'Focal length': lens,
        'Unit': 'meters, z up from the floor',
        **errors,
        **heights,
        'Marks': 'below the time line: while the left and the right foot stand',
        'Keys': 'space: play; arrows: step (Shift: 10 frames); Home and End; + and -: '
        'speed; v: follow; f, s, t: views; b: bodies or sticks; 2: image; e: enlarge '
        'it; j: values of the next joint; c: its curve; a: angles; , and .: show the '
        'frames from or up to this one; w: the whole clip; p: save an image; '
        'd: light or dark; i: information; Shift+1 to Shift+9: hide people',
    }
