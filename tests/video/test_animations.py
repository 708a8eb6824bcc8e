"""Animated images and pages of TIFF files are clips with all their frames."""

from functools import partial

import cv2
import numpy as np
import pytest
from lifters import save_lifter
from mmhot.apis.inferencer_inputs import open_all
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, features
from pose_sources import Detector, Estimator, infer, use_stand_ins
from video_files import gray_image

from mmhot.io.images import decode_image, is_animated, read_image
from mmhot.io.lifted import read_lifted
from mmhot.video.animations import AnimatedImage
from mmhot.video.inputs import find_inputs, open_inputs

MILLISECONDS = [40, 80, 120, 40, 100, 40]
SUFFIXES = ['gif', 'webp', 'png', 'tiff']
# FFmpeg reads AVIF where Pillow does not: a single image, or a damaged file.
ALL = [*SUFFIXES, 'avif'] if features.check('avif') else SUFFIXES


def animation(path, count=6, size=(64, 48), **options):
    """Write frames of different gray, shown for different times."""
    images = [Image.fromarray(gray_image(n, size)[..., ::-1]) for n in range(count)]
    if path.suffix != '.tiff':
        options = {'duration': MILLISECONDS[:count]} | options
    if path.suffix == '.webp':
        options['lossless'] = True
    if path.suffix == '.avif':
        options['quality'] = 95
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


@pytest.mark.parametrize('suffix', ALL)
def test_all_frames_are_read_at_their_times(tmp_path, suffix, caplog):
    path = animation(tmp_path / f'a.{suffix}')
    (clip,) = open_inputs([str(path)])
    frames = list(clip)
    assert [frame.index for frame in frames] == list(range(6))
    for number, frame in enumerate(frames):
        assert_allclose(frame.image.astype(int), gray_image(number), atol=16)
    times = np.cumsum([0, *MILLISECONDS[:-1]]) / 1000
    if suffix == 'tiff':
        times = np.arange(6) / 25
        assert 'its 6 pages are taken for a video of 25 frames per' in caplog.text
        assert open_inputs([str(path)], fps=10)[0].fps == 10
    assert_allclose([frame.time for frame in frames], times, atol=0.011)
    assert clip.fps == pytest.approx(25 if suffix == 'tiff' else 6 / 0.42, rel=0.05)
    assert (clip.name, clip.num_frames, clip.ended) == ('a', 6, None)
    assert len(list(clip)) == 6  # again


@pytest.mark.parametrize('suffix', ALL)
def test_command_lifts_all_frames(tmp_path, suffix, monkeypatch):
    use_stand_ins(monkeypatch, Detector(every=1), Estimator())
    checkpoint = save_lifter(tmp_path / 'tiny.pth')
    path = animation(tmp_path / f'a.{suffix}')
    run = partial(infer, pose3d_weights=checkpoint, out_dir=tmp_path / 'out')
    assert run(path, formats='npz,mp4,png') == 0
    assert_array_equal(read_lifted(tmp_path / 'out/a.npz').frame, np.arange(6))


@pytest.mark.parametrize('suffix', SUFFIXES[1:])
def test_suffix_does_not_matter(tmp_path, suffix):
    path = animation(tmp_path / f'a.{suffix}').rename(tmp_path / 'a.jpg')
    assert open_inputs([str(path)])[0].num_frames == 6


def test_one_frame_is_an_image(tmp_path):
    for suffix in SUFFIXES[1:]:
        path = animation(tmp_path / f'a.{suffix}', count=1)
        assert not is_animated(path)
        assert read_image(path).shape == (48, 64, 3)
    assert open_inputs([str(animation(tmp_path / 'a.gif', 1))])[0].num_frames == 1


def test_thumbnails_and_stand_ins_are_no_frames(tmp_path):
    images = [Image.fromarray(gray_image(n)) for n in range(3)]
    small = Image.fromarray(gray_image(size=(16, 12)))
    small.encoderinfo = {'tiffinfo': {254: 1}}
    images[0].save(tmp_path / 'a.tif', save_all=True, append_images=[small])
    assert not is_animated(tmp_path / 'a.tif')
    images[0].save(
        tmp_path / 'a.png', save_all=True, append_images=images[1:], default_image=True
    )
    assert open_inputs([str(tmp_path / 'a.png')])[0].num_frames == 2


def test_photos_with_a_second_image_are_images(tmp_path):
    images = [Image.fromarray(gray_image(n)) for n in range(2)]
    path = tmp_path / 'a.jpg'
    images[0].save(path, format='MPO', save_all=True, append_images=images[1:])
    assert not is_animated(path)
    assert open_inputs([str(path)])[0].paths == [path]


def test_animations_of_a_folder_are_clips_beside_its_images(tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f'{number}.png'), gray_image(number))
        animation(tmp_path / f'{number + 3}.webp', count=2 + number)
    for fps in (None, 10):
        first, *others = open_inputs([str(tmp_path)], fps)
        assert (first.name, first.num_frames) == (tmp_path.name, 3)
        assert [(clip.name, clip.num_frames) for clip in others] == [
            ('3', 2),
            ('4', 3),
            ('5', 4),
        ]
    found = find_inputs([f'{tmp_path}/*.webp'])
    assert [item.open().num_frames for item in found] == [2, 3, 4]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_inferencer_takes_them_for_videos(tmp_path, suffix):
    path = animation(tmp_path / f'a.{suffix}')
    (clip,) = open_all([path])
    assert isinstance(clip, AnimatedImage)
    assert len(list(clip)) == 6


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_they_are_no_single_images(tmp_path, suffix):
    data = animation(tmp_path / f'a.{suffix}').read_bytes()
    with pytest.raises(ValueError, match='a.x has several frames: one image is'):
        decode_image(data, 'a.x')


def test_pages_of_16_bits_and_gray_are_read(tmp_path):
    gray = [np.full((48, 64), (40 + 20 * n) << 8, np.uint16) for n in range(3)]
    cv2.imwritemulti(str(tmp_path / 'a.tif'), gray)
    (clip,) = open_inputs([str(tmp_path / 'a.tif')], fps=5)
    assert [frame.image[9, 9].tolist() for frame in clip] == [
        [40] * 3,
        [60] * 3,
        [80] * 3,
    ]
    floats = [page.astype(np.float32) for page in gray]
    cv2.imwritemulti(str(tmp_path / 'a.tif'), floats)
    (clip,) = open_inputs([str(tmp_path / 'a.tif')], fps=5)
    with pytest.raises(ValueError, match='has floating-point pixels: convert it'):
        list(clip)


def test_pages_of_another_size_end_the_clip(tmp_path):
    pages = [Image.fromarray(gray_image(n)) for n in range(2)]
    pages.append(Image.fromarray(gray_image(size=(20, 10))))
    path = tmp_path / 'a.tif'
    pages[0].save(path, save_all=True, append_images=pages[1:])
    (clip,) = open_inputs([str(path)], fps=5)
    assert len(list(clip)) == 2
    assert (
        clip.ended == f'{path} ends at frame 2: it is 20x10 pixels, those before 64x48'
    )


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_truncated_files_keep_their_first_frames_or_are_refused(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    noise = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), np.uint8)
    images = [Image.fromarray(image) for image in noise]
    options = {} if suffix == 'tiff' else {'duration': 50}
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    whole = path.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        if suffix == 'webp' or (share == 0.02 and suffix != 'tiff'):
            with pytest.raises(ValueError, match=str(path)):
                list(open_inputs([str(path)], fps=5)[0])
            continue
        (clip,) = open_inputs([str(path)], fps=5)
        count = len(list(clip))
        assert count == int(share * 6)
        assert clip.ended.startswith(f'{path} is damaged after {count} of ')
