"""Any clip that is written comes back; any bytes are read or refused in one line."""

import json
import warnings
from dataclasses import fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from clip_files import lifted_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from mmhot.chain.pose2d.cache import ClipPeople, load_people, save_people
from mmhot.errors import escape
from mmhot.io.images import read_image
from mmhot.io.lifted import read_lifted, write_json, write_npz
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.lens import read_lens
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import ARRAYS, Clip3D
from mmhot.structures.lens import DISTORTIONS, Lens
from mmhot.structures.people import People
from mmhot.structures.rows import LARGEST_FRAME

_SIGNS = b'0123456789-.,:eE[]{}"'
OFTEN = settings(max_examples=40, deadline=None, derandomize=True)
TRACKS = st.integers(0, 2**53)
FRAMES = st.sets(st.integers(0, LARGEST_FRAME), max_size=4).map(sorted)
TEXTS = st.text(st.characters(exclude_characters='\0'), max_size=9)
FPS = st.floats(1e-6, 1e5)
OPTIONS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS)


def floats(shape, low=-1e9, high=1e9, **more):
    """Arrays of any float32 that clips may have."""
    elements = st.floats(np.float32(low), np.float32(high), width=32, **more)
    return arrays.arrays(np.float32, shape, elements=elements)


def lenses(*size):
    """Any lenses of images of a size."""
    focal = st.floats(0.01 * max(size), 1000 * max(size))
    terms = st.sampled_from(DISTORTIONS).flatmap(
        lambda count: st.tuples(*[st.floats(-1e6, 1e6)] * count)
    )
    center = st.floats(0, min(size))
    pairs = (st.tuples(x, x) for x in (focal, center))
    return st.builds(Lens, *pairs, terms, st.just(size))


@st.composite
def clips(draw):
    """Lifted clips of any names, numbers, times, and up to four rows."""
    frame = np.array(draw(FRAMES), np.int64)
    sizes = {'N': len(frame), 'K': draw(st.integers(1, 4)), '2': 2, '3': 3}
    sizes['J'] = draw(st.integers(1, 4))
    values = {
        name: draw(
            floats(tuple(sizes[x] for x in axes), 0 if 'score' in name else -1e9)
        )
        for name, (axes, kind) in ARRAYS.items()
        if kind is np.float32
    }
    if draw(st.booleans()):
        values['root_3d'][:] = np.nan
    if draw(st.booleans()):
        values.pop('expected_error')
    if draw(st.booleans()):
        values['detected_joints'] = ('a', 'b', 'c', 'd')[: sizes['J']]
    else:
        del values['detected_2d'], values['detected_scores']
    track = draw(arrays.arrays(np.int64, len(frame), elements=TRACKS))
    fps = draw(FPS)
    if draw(st.booleans()):
        values['variable_time'] = frame / fps + np.arange(len(frame)) / 3
    names = draw(st.lists(TEXTS, min_size=sizes['K'], max_size=sizes['K']))
    size = draw(st.tuples(*[st.integers(1, 100_000)] * 2))
    return Clip3D(
        name=draw(TEXTS),
        frame=frame,
        track=track,
        width=size[0],
        height=size[1],
        fps=fps,
        joint_names=tuple(names),
        parents=tuple(range(-1, sizes['K'] - 1)),
        axes=draw(st.sampled_from(['camera', 'z-up', 'world'])),
        model=draw(TEXTS),
        lens=draw(st.none() | lenses(*size)),
        cuts=tuple(draw(FRAMES)),
        steps=draw(st.dictionaries(st.sampled_from(['feet', 'a b']), OPTIONS)),
        **values,
    )


@pytest.mark.parametrize('write', [write_npz, write_json])
@given(clip=clips())
@OFTEN
def test_any_clip_comes_back(write, clip):
    with TemporaryDirectory() as folder:
        path = Path(folder, 'a')
        path = path.with_suffix('.json' if write is write_json else '.npz')
        write(clip, path)
        result = read_lifted(path)
    for name in (field.name for field in fields(clip)):
        one, other = getattr(clip, name), getattr(result, name)
        if name == 'variable_time':  # constant rates have no times
            one, other = clip.time, result.time
        np.testing.assert_array_equal(one, other, name)
        if isinstance(one, np.ndarray) and len(clip):
            assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes()), name


@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=4), data=st.data())
@OFTEN
def test_any_people_come_back_from_the_cache(counts, data):
    shapes = (4,), (), (17, 2), (17,)
    people = [
        People(*(data.draw(floats((count, *shape))) for shape in shapes))
        for count in counts
    ]
    clip = ClipPeople(people, [*map(float, range(len(counts)))], (64, 48), True, 'why')
    with TemporaryDirectory() as folder:
        path = Path(folder, 'a.npz')
        save_people(clip, path)
        result = load_people(path)
    assert (result.times, result.size, result.ended) == (clip.times, (64, 48), 'why')
    for one, other in zip(clip.people, result.people, strict=True):
        for name in vars(one):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@given(image=arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 20)] * 2, st.just(3))))
@OFTEN
def test_any_image_comes_back(image):
    with TemporaryDirectory() as folder:
        Image.fromarray(image[..., ::-1]).save(Path(folder, 'a.png'))
        np.testing.assert_array_equal(read_image(Path(folder, 'a.png')), image)


# --- any bytes ------------------------------------------------------------------------


def people_of(path):
    """Read a cache, which is computed again where it is damaged."""
    load_people(path)


def seeds(folder):
    """Write a right file of each kind; return its reader by path."""
    clip = lifted_clip()
    image = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    write_npz(clip, folder / 'lifted.npz')
    write_json(clip, folder / 'lifted.json')
    np.savez(
        folder / 'a.npz', keypoints=np.arange(68.0).reshape(2, 17, 2), frame=[1, 2]
    )
    points = np.arange(6, 40).reshape(17, 2).tolist()
    person = {'keypoints': points, 'keypoint_scores': [1] * 17}
    frame = {'frame_id': 0, 'instances': [person]}
    (folder / 'a.json').write_text(json.dumps({'instance_info': [frame]}))
    names = [joint for joint in get_skeleton('coco-17').joints for _ in range(3)]
    rows = [
        ['bodyparts', *names],
        ['coords', *['x', 'y', 'likelihood'] * 17],
        *([frame, *[40, 30, 0.5, 20, 10, 0.5] * 8, 9, 9, 0.5] for frame in range(2)),
    ]
    text = '\n'.join(','.join(map(str, row)) for row in [['scorer'] * 52, *rows])
    (folder / 'a.csv').write_text(text)
    (folder / 'lens.yml').write_text('fx: 900\nfy: 900\ncx: 32\ncy: 24\nk: [[1, 2]]\n')
    Image.fromarray(image).save(folder / 'a.jpg')
    Image.fromarray(image).save(folder / 'a.tif')
    Image.fromarray(image).save(folder / 'a.png')
    people = People(*(np.ones((1, *x), 'f4') for x in ((4,), (), (17, 2), (17,))))
    save_people(ClipPeople([people], [0.0], (64, 48), True), folder / 'people.npz')
    keypoints = partial(read_keypoints, image_size=(64, 48), fps=25.0)
    readers = {
        'lifted': read_lifted,
        'lens': read_lens,
        'people': people_of,
    } | dict.fromkeys(('.jpg', '.tif', '.png'), read_image)
    return {
        path: readers.get(path.stem) or readers.get(path.suffix, keypoints)
        for path in sorted(folder.iterdir())
    }


def damage(content, random):
    """Change, cut, repeat or insert a few bytes, or return random ones."""
    data = bytearray(content)
    for _ in range(random.integers(1, 9)):
        start, length = random.integers(len(data) + 1), int(2 ** random.uniform(0, 8))
        kind = random.integers(6)
        noise = random.bytes(length)
        if kind == 0:
            data[start : start + 1] = noise[:1]
        elif kind == 1:
            del data[start : start + length]
        elif kind == 2:
            data[start:start] = data[start : start + length]
        elif kind == 3:
            data[start:start] = noise
        elif kind == 4:  # numbers and signs of texts
            sign = random.integers(len(_SIGNS))
            data[start : start + 1] = _SIGNS[sign : sign + 1]
        elif random.random() < 0.1:
            data = bytearray(noise)
    return bytes(data)


def read(reader, path, content):
    """Read bytes: the error's line, or None; other errors than of users are raised."""
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error')  # they are words of other libraries
            reader(path)
    except (OSError, ValueError) as error:
        line = str(error)
        assert escape(line) == line
        return line
    return None


def test_damaged_bytes_are_read_or_refused(tmp_path):
    random = np.random.default_rng(0)
    readers = seeds(tmp_path)
    contents = {path: path.read_bytes() for path in readers}
    for path, reader in readers.items():
        assert read(reader, path, contents[path]) is None, path
    for path, reader in 25 * [*readers.items()]:
        read(reader, path, damage(contents[path], random))
