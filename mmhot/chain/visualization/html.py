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

from mmhot.chain.frames.sources import FrameObserver
from mmhot.chain.poses.camera import stable_keypoints
from mmhot.chain.poses.contacts import ANKLES, predict_contacts
from mmhot.chain.visualization.fading import FADING, doubts, undetected
from mmhot.errors import escape
from mmhot.geometry.rotations import rotation_vectors
from mmhot.io.atomic import replacing
from mmhot.io.writers.angles import clip_angles, joint_of
from mmhot.io.writers.export import Export
from mmhot.io.writers.gait import clip_strides
from mmhot.io.writers.mannequin import make_mannequin, nearest_bones
from mmhot.io.writers.rigid_skeleton import Y_UP, RigidMotion, fit_rig
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.skeletons.joint_angles import angle_names
from mmhot.skeletons.joints import get_skeleton
from mmhot.skeletons.side_colors import SIDE_COLORS, side_of
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.people import People

_BODY = get_skeleton('h36m-17')
# Resolutions of the numbers in a page, which are integers of 8 or 16 bits.
_STEPS_PER_METER = 1000
_STEPS_PER_PIXEL = 4
_STEPS_PER_RADIAN = 10_000  # for rotation vectors
_STEPS_PER_DEGREE = 10
_ERROR_STEP = 3  # millimeters; resolution of expected errors
_MAX_BYTE = 255  # stands for a doubt or a weight of 1
VIDEO_ERROR = 1.8
"""Error in videos over the expected one: 1.91 and 1.61 in the two of ``make demo``."""
_MIN_CONTACT = 0.5  # probability from which a foot is shown as standing
_SIDES = ('middle', 'left', 'right')
_THUMBNAIL_SIDE = 480  # pixels; longer side of the video's images
_JPEG_QUALITY = 70
_MAX_THUMBNAIL_BYTES = 10_000_000  # all images together
_MAX_NOTEBOOK_BYTES = 5_000_000  # larger pages are not shown in notebooks


class Thumbnails(FrameObserver):
    """Small JPEG images of a video's frames, 10 MB at most.

    Long videos have an image for every second frame, every fourth frame, and so on.
    Images are made while the 2D model runs, so that a page does not decode the video
    again.

    Args:
        first (int): Number of the first frame. Defaults to 0.

    Attributes:
        images (dict[int, bytes]): JPEG files by the number of the frame.
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
        """Keep an image, BGR, uint8 (H, W, 3), unless its frame is left out."""
        if (index - self._first) % self._step:
            return
        self.images[index] = _thumbnail(image)
        while sum(map(len, self.images.values())) > _MAX_THUMBNAIL_BYTES:
            self._step *= 2
            self.images = {
                number: image
                for number, image in self.images.items()
                if (number - self._first) % self._step == 0
            }


def write_html(clip: Clip3D, path: str | Path, export: Export = Export()) -> None:
    """Write a page that plays a clip in any browser, offline.

    The video is shown behind the 2D keypoints as small images, see :class:`Thumbnails`,
    so that the file has less than 15 MB.

    Args:
        clip (Clip3D): Poses in ``'world'`` axes.
        path (str | Path): File to write.
        export (Export): The video or its thumbnails, and progress.

    Raises:
        ValueError: If the clip has no poses.
    """
    folder = files('mmhot.chain.visualization') / 'viewer'
    page, style, bundle, script = (
        (folder / name).read_text(encoding='utf-8')
        for name in ('viewer.html', 'viewer.css', 'bundle.js', 'viewer.js')
    )
    if not len(clip):
        raise ValueError(f'{escape(path)}: the clip has no poses to show')
    images = _images(clip, export)
    data = json.dumps(_content(clip) | {'images': images}, ensure_ascii=False)
    data = data.replace('<', '\\u003c')  # no text can end the <script>
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
    """Return HTML that shows a page within another one, isolated from it.

    Args:
        page (str): HTML of the page.
        height (str): Height in units of CSS, such as ``'32rem'``.
    """
    return (
        f'<iframe title="Viewer" style="width: 100%; height: {height}; border: 0" '
        'sandbox="allow-scripts allow-downloads" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )


def embed_clip(clip: Clip3D) -> str | None:
    """Return HTML of the viewer for notebooks, without the video.

    Args:
        clip (Clip3D): Poses in any axes.

    Returns:
        str | None: None if it has more than 5 MB, or the clip cannot be shown.
    """
    with TemporaryDirectory() as folder, suppress(ValueError):
        for file in clip.save(Path(folder) / 'clip.html'):
            if file.stat().st_size <= _MAX_NOTEBOOK_BYTES:
                return embed_page(file.read_text(encoding='utf-8'), '32rem')
    return None


def _content(clip: Clip3D) -> dict:
    """Collect the data that the page's script reads."""
    first = int(clip.frame.min())
    last = int(clip.frame.max())
    seconds = clip.seconds(np.arange(first, last + 1))
    people = [clip.take(clip.track == track) for track in clip.track_ids]
    motions = [fit_rig(person.places(), HUMAN_IK) for person in people]
    angles = angle_names(len(clip.joint_names))
    return {
        # Only clips with a variable frame rate need times.
        'times': None if clip.variable_time is None else _encode(seconds, np.float32),
        'fps': clip.fps,
        'width': int(clip.width),
        'height': int(clip.height),
        'first': first,
        'count': last - first + 1,
        'joints': [name.replace('_', ' ') for name in clip.marker_names],
        # Each angle has a joint, at which it is shown.
        'angles': [(clip.joint_names.index(joint_of(name)), name) for name in angles],
        'errorStep': _ERROR_STEP,
        'parents': [int(parent) for parent in clip.parents],
        'sides': [_SIDES.index(side_of(name)) for name in clip.joint_names],
        'colors': [SIDE_COLORS[side] for side in _SIDES],
        'pixelSteps': _STEPS_PER_PIXEL,
        'people': [*map(_person, people, motions)],
        'mannequin': _mannequin(motions[0], clip),
        'facts': _facts(clip),
        # Corrections by hand that the clip shows already
        'corrections': next(
            (x['corrections'] for x in clip.steps.values() if 'corrections' in x), []
        ),
    }


def _contacts(person: Clip3D) -> list[tuple[int, int, int]]:
    """List when feet of a person stand: index of the side, first and last frame."""
    spans = []
    count = len(_BODY.joints)
    keypoints = stable_keypoints(person)[:, :count]
    scores = person.confidence
    hidden = undetected(person)[:, ANKLES]
    for rows in person.stretches():
        seconds = person.seconds(person.frame[rows])
        if len(rows) < 3 or not np.isfinite(keypoints[rows]).all():
            continue
        stands = predict_contacts(keypoints[rows], scores[rows, :count], seconds)
        stands = (stands > _MIN_CONTACT) & ~hidden[rows]
        for ankle, is_standing in zip(ANKLES, stands.T, strict=True):
            side = _SIDES.index(side_of(_BODY.joints[ankle]))
            edges = np.flatnonzero(np.diff(np.pad(np.int8(is_standing), 1)))
            for start, stop in edges.reshape(-1, 2):
                first, last = person.frame[rows[[start, stop - 1]]].tolist()
                spans.append((side, first, last))
    return spans


def _images(clip: Clip3D, export: Export) -> dict[int, str]:
    """Return images of the clip's frames, JPEG in base64, by the frame's number."""
    first = int(clip.frame.min())
    last = int(clip.frame.max())
    span = range(first, last + 1)
    images = export.thumbnails
    if not images.keys() >= {*span}:  # decode the video again, for the clip alone
        thumbnails = Thumbnails(first)
        for frame in export.footage or ():
            if frame.index > last:
                break
            if frame.index >= first:
                thumbnails.observe(frame.index, frame.image)
            export.progress(frame.index + 1, last + 1)
        images = thumbnails.images
    return {
        number: base64.b64encode(image).decode()
        for number, image in images.items()
        if number in span
    }


def _thumbnail(image: np.ndarray) -> bytes:
    """Encode an image, (H, W, 3), as a small JPEG."""
    import cv2  # only videos need it

    from mmhot.chain.visualization.drawing import shrink

    scale = min(1, _THUMBNAIL_SIDE / max(image.shape))
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
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
        'turnSteps': _STEPS_PER_RADIAN,
        'faces': _encode(mesh.faces, np.uint16),
        'joints': _encode(mesh.joints, np.uint8),
        'weights': _as_byte(mesh.weights),
        # Vertices fade with the bone between these ends, at this place along it.
        'ends': _encode(ends, np.uint8),
        'along': _as_byte(along),
    }


def _person(person: Clip3D, motion: RigidMotion) -> dict:
    """Collect keypoints, poses, doubts and the mannequin of one person."""
    angles = np.stack([*clip_angles(person).values()], axis=1)
    root = np.nan_to_num(person.root_3d.astype(np.float64))
    # Positions are relative to their mean, as 16 bits cover 32 meters to each side.
    origin = np.round(root.mean(0), 3)
    positions = person.keypoints_3d + (root - origin)[:, None]
    errors = None  # known for videos alone
    if person.expected_error is not None:
        steps = np.nan_to_num(person.expected_error) * VIDEO_ERROR * 1000 / _ERROR_STEP
        errors = _encode(steps.round().clip(0, _MAX_BYTE), np.uint8)
    return {
        'track': int(person.track[0]),
        'origin': origin.tolist(),
        'frames': _encode(person.frame, np.int32),
        'positions': _fixed_point(positions, _STEPS_PER_METER),
        'pixels': _fixed_point(person.keypoints_2d, _STEPS_PER_PIXEL),
        'detected': _encode(person.scores > 0, np.uint8),
        'undetected': _encode(undetected(person), np.uint8),
        'doubts': _as_byte(doubts(person, slice(None))),
        'errors': errors,
        'angles': _fixed_point(angles, _STEPS_PER_DEGREE),
        'contacts': _contacts(person),
        # Index of the side, seconds of a contact and of the next one
        'strides': [
            (
                _SIDES.index(stride.foot),
                round(stride.contact, 4),
                round(stride.next_contact, 4),
            )
            for _, stride in clip_strides(person)
        ],
        'height': ', '.join(
            f'{height.meters:.2f} m, {height.source}'
            for height in map(person.heights.get, person.track_ids)
            if height is not None
        ),
        'body': _body(motion, origin),
    }


def _body(motion: RigidMotion, origin: np.ndarray) -> dict:
    """Collect the mannequin of a person, y up, relative to an origin (3,)."""
    mesh = make_mannequin(motion, HUMAN_IK)
    turns = rotation_vectors(motion.quaternions())
    turning = np.flatnonzero(np.abs(turns).max((0, 2)) > 1 / _STEPS_PER_RADIAN)
    path = (motion.root - origin) @ Y_UP.T
    return {
        'vertices': _fixed_point(mesh.vertices, _STEPS_PER_METER),
        'offsets': _encode(motion.offsets, np.float32),
        'root': _fixed_point(path, _STEPS_PER_METER),
        'turning': turning.tolist(),
        'turns': _fixed_point(turns[:, turning], _STEPS_PER_RADIAN),
    }


def _as_byte(shares: np.ndarray) -> str:
    """Encode shares (...) from 0 to 1 as 8 bits."""
    return _encode((shares * _MAX_BYTE).round(), np.uint8)


def _fixed_point(values: np.ndarray, steps: int) -> str:
    """Encode numbers (...) as 16 bits, in steps per unit; unknown ones are 0."""
    limit = np.iinfo(np.int16).max
    return _encode(np.nan_to_num(values * steps).clip(-limit, limit).round(), np.int16)


def _encode(array: np.ndarray, kind: type) -> str:
    """Encode an array (...) in base64, little-endian as in browsers."""
    little = np.dtype(kind).newbyteorder('<')
    return base64.b64encode(np.ascontiguousarray(array, little).tobytes()).decode()


def _facts(clip: Clip3D) -> dict[str, str]:
    """Return the texts of the page's information, by title."""
    frames = len(np.unique(clip.frame))
    assumed = ' (assumed)' if clip.lens is None else ''
    errors = {}
    if clip.expected_error is not None:
        centimeters = [np.nanmean(clip.expected_error), *FADING]
        mean, low, high = 100 * VIDEO_ERROR * np.array(centimeters)
        errors['Expected error'] = (
            f'{mean:.1f} cm on average, {VIDEO_ERROR:g} times that of motion capture, '
            f'as measured on videos; joints fade from {low:g} to {high:g} cm'
        )
    heights = {}
    for track in clip.track_ids:
        if height := clip.heights.get(track):
            heights[f'Height of person {track}'] = (
                f'{height.meters:.2f} ± {height.error:.2f} m, {height.source}'
            )
    return {
        'Model': clip.model,
        'Frames': f'{frames} at {clip.fps:g} per second',
        'Image': f'{clip.width} x {clip.height}',
        'Focal length': f'{clip.focal_length:.0f} px{assumed}',
        'Unit': 'meters, z up from the floor',
        **errors,
        **heights,
        'Marks': 'below the time line: while the left and the right foot stand',
        'Keys': 'space: play; arrows: step (Shift: 10 frames); Home and End; + and -: '
        'speed; v: follow; f, s, t: views; b: bodies or sticks; u: undetected joints; '
        '2: image; e: enlarge it; j: values of the next joint; c: its curve; a: '
        'angles; , and .: show the frames from or up to this one; w: the whole clip; '
        'p: save an image; x: correct; d: light or dark; i: information; Shift+0 to '
        'Shift+9: hide people',
    }
