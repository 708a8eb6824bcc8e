"""Frames of videos and image sequences, and inputs by name."""

import hashlib
import logging
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from video_files import (
    TURNS,
    forget_rate,
    gray_image,
    trim_video,
    turn_video,
    write_video,
)

from mmhot.chain.frames.files import ImageSequence, VideoFile
from mmhot.chain.frames.inputs import find_inputs, open_inputs
from mmhot.io.images import read_image
from mmhot.io.readers.frame_numbers import number_frames


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'clip.mp4')


def corners(image):
    """Whether each corner is white: top left, top right, bottom left, bottom right."""
    return [bool(image[y, x, 0] > 200) for y in (4, -4) for x in (4, -4)]


def test_frames_come_in_order_with_their_times(video):
    source = VideoFile(video)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(10))
    np.testing.assert_allclose(
        [frame.time for frame in frames], np.arange(10) / 25, atol=1e-6
    )
    grays = [frame.image[-4, -4].mean() for frame in frames]
    np.testing.assert_allclose(grays, 40 + 4 * np.arange(10), atol=5)
    assert (source.name, source.fps, source.num_frames) == ('clip', 25, 10)
    assert (source.ended, source.num_damaged) == (None, 0)
    assert len(list(source)) == 10  # again


@pytest.mark.parametrize(
    ('turn', 'white'),
    list(zip(TURNS, ([0], [1], [3], [2]), strict=True)),
)
def test_frames_are_turned_as_players_do(tmp_path, turn, white):
    video = turn_video(write_video(tmp_path / 'a.mp4'), turn)
    image = next(iter(VideoFile(video))).image
    upright = turn in (0, 180)
    assert image.shape[:2] == ((48, 64) if upright else (64, 48))
    assert np.flatnonzero(corners(image)).tolist() == white


def test_pixels_that_are_not_square_become_so(tmp_path):
    video = write_video(tmp_path / 'a.mp4', aspect=Fraction(12, 11))
    image = next(iter(VideoFile(video))).image
    assert image.shape == (48, 70, 3)
    np.testing.assert_array_equal(
        image[4, [4, 31, 40, -4], 0] > 150, [True, True, False, False]
    )


def test_pixels_that_are_nearly_square_stay(tmp_path):
    """As in videos of 854 x 480 pixels, which encoders mark so."""
    image = np.zeros((48, 854, 3), np.uint8)
    video = write_video(tmp_path / 'a.mp4', [image], aspect=Fraction(1280, 1281))
    assert next(iter(VideoFile(video))).image.shape == image.shape


def jittered(count, seed=1):
    """Milliseconds of frames that a browser takes about 30 times a second."""
    times = 1000 / 30 * np.arange(count)
    times += np.random.default_rng(seed).normal(0, 4, count)
    return np.sort(np.round(times - times.min()).astype(int)).tolist()


def test_unknown_rate_is_measured(tmp_path):
    times = jittered(90)
    images = [gray_image(number % 40) for number in range(90)]
    video = write_video(
        tmp_path / 'a.webm', images, codec='libvpx', times=times, rate=30
    )
    source = VideoFile(forget_rate(video))
    with av.open(str(video)) as container:  # what FFmpeg makes of it
        assert container.streams.video[0].guessed_rate == 1000
    assert source.fps == pytest.approx(30, rel=0.01)
    read = [frame.time for frame in source]
    np.testing.assert_allclose(read, np.array(times) / 1000, atol=2e-3)


PAUSED = np.arange(40) * 40 + np.where(np.arange(40) < 20, 0, 4000)
DROPPED = np.sort(np.random.default_rng(0).choice(56, 40, replace=False)) * 40


@pytest.mark.parametrize('times', [PAUSED, DROPPED], ids=['paused', 'dropped'])
@pytest.mark.parametrize('name', ['a.mp4', 'a.mov', 'a.mkv', 'a.webm', 'a.ts', 'a.avi'])
def test_pauses_and_dropped_frames_do_not_change_the_rate(tmp_path, name, times):
    images = [gray_image(number) for number in range(40)]
    codec = {'.webm': 'libvpx', '.avi': 'mpeg4'}.get(Path(name).suffix, 'libx264')
    video = write_video(tmp_path / name, images, codec=codec, times=times.tolist())
    source = VideoFile(video)
    assert source.fps == 25
    times = times - times[0]
    np.testing.assert_allclose(
        [frame.time for frame in source], times / 1000, atol=2e-3
    )


def test_frames_of_one_timestamp_have_increasing_times(tmp_path, caplog):
    times = np.arange(10) * 40
    times[4:7] = times[4]
    video = write_video(tmp_path / 'a.mkv', times=times.tolist())
    read = [frame.time for frame in VideoFile(video)]
    np.testing.assert_allclose(np.diff(read)[4:7], [0.001, 0.001, 0.118], atol=1e-6)
    assert not caplog.text


def test_stated_rate_stays_exact(tmp_path):
    rate = Fraction(30000, 1001)
    assert VideoFile(write_video(tmp_path / 'a.mkv', rate=rate)).fps == float(rate)


def test_joined_videos_have_increasing_times(tmp_path, caplog):
    parts = [write_video(tmp_path / f'{n}.ts').read_bytes() for n in range(2)]
    joined = tmp_path / 'both.ts'
    joined.write_bytes(b''.join(parts))
    source = VideoFile(joined)
    for _ in range(2):
        times = [frame.time for frame in source]
        np.testing.assert_allclose(times, np.arange(20) / 25, atol=1e-3)
    [record] = caplog.records  # both passes give one line
    assert (
        'both.ts: timestamps fall back by 0.4 s before frame 10' in record.getMessage()
    )


def test_trimmed_videos_are_complete(tmp_path):
    source = VideoFile(trim_video(write_video(tmp_path / 'a.mp4'), 240))
    assert len(list(source)) == 6
    assert source.ended is None


def test_truncated_video_yields_its_first_frames(tmp_path):
    images = [
        np.random.default_rng(n).integers(0, 255, (48, 64, 3), np.uint8)
        for n in range(50)
    ]
    video = write_video(tmp_path / 'a.mkv', images)
    source = VideoFile(video)
    assert (len(list(source)), source.ended) == (50, None)
    data = video.read_bytes()
    video.write_bytes(data[: len(data) * 2 // 3])
    source = VideoFile(video)
    count = len(list(source))
    assert 15 < count < 38
    assert source.ended == (
        f'{video} ends after {count / 25:.1f} of 2.0 seconds, {count} frames'
    )


@pytest.mark.parametrize(('bad', 'lost'), [(20, 1), (40, 7)])  # a key frame is 40
def test_undecodable_packet_is_skipped(tmp_path, bad, lost):
    images = [gray_image(number % 40) for number in range(60)]
    video = write_video(tmp_path / 'a.mp4', images)
    with av.open(str(video)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0)]
    data = bytearray(video.read_bytes())
    position, size = packets[bad]
    data[position : position + size] = b'\xff' * size
    video.write_bytes(data)
    source = VideoFile(video)
    times = [frame.time for frame in source]
    expected = np.delete(np.arange(60), range(bad, bad + lost)) / 25
    np.testing.assert_allclose(times, expected, atol=1e-6)
    assert (source.ended, source.num_damaged) == (None, 1)


def test_raw_streams_have_the_rate_that_they_state_or_that_is_given(tmp_path):
    video = write_video(tmp_path / 'a.h264', rate=50)
    for given, rate in ((None, 50), (10, 10)):
        (source,) = open_inputs([str(video)], fps=given)
        assert source.fps == rate
        np.testing.assert_allclose(
            [frame.time for frame in source], np.arange(10) / rate
        )


def test_frames_of_another_size_are_scaled_and_padded(tmp_path, caplog):
    parts = [
        write_video(
            tmp_path / f'{size[0]}.h264', [gray_image(n, size) for n in range(6)]
        )
        for size in ((64, 48), (48, 64))
    ]
    joined = tmp_path / 'call.h264'
    joined.write_bytes(b''.join(part.read_bytes() for part in parts))
    source = VideoFile(joined)
    for _ in range(2):
        frames = list(source)
    assert [frame.image.shape for frame in frames] == 12 * [(48, 64, 3)]
    assert source.ended is None
    turned = frames[-1].image  # 36x48 pixels
    assert turned[:, :13].max() < 20 < turned[:, 15:49].min()
    assert [record.getMessage() for record in caplog.records] == [
        f'{joined}: frames of 48x64 pixels are scaled and padded to 64x48'
    ]


@pytest.mark.parametrize(('stated', 'read'), [(28, 28), (0, None), (None, None)])
def test_focal_lengths_of_photos_are_read(tmp_path, stated, read):
    image = Image.fromarray(gray_image())
    exif = image.getexif()
    if stated is not None:
        exif.get_ifd(0x8769)[0xA405] = stated
    for name in ('a.jpg', 'a.webp'):
        image.save(tmp_path / name, exif=exif)
        assert ImageSequence([tmp_path / name], 'a').focal_35mm == read


@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv', 'a.avi'])
def test_longer_sound_is_no_early_end(tmp_path, name):
    path = tmp_path / name
    with av.open(str(path), 'w') as container:
        video = container.add_stream('mpeg4', rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
        sound = container.add_stream('mp2', rate=48000)
        for number in range(32):
            frame = av.VideoFrame.from_ndarray(gray_image(number), format='bgr24')
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for number in range(250):
            silence = np.zeros((1, 2 * 1152), np.int16)
            frame = av.AudioFrame.from_ndarray(silence, format='s16', layout='stereo')
            frame.sample_rate, frame.pts = 48000, 1152 * number
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    source = VideoFile(path)
    assert (len(list(source)), source.ended) == (32, None)


def test_cover_art_is_not_the_video(tmp_path):
    path = tmp_path / 'a.mp4'
    with av.open(str(path), 'w') as container:
        cover = container.add_stream('mjpeg', rate=25)
        cover.width, cover.height, cover.pix_fmt = 480, 480, 'yuvj420p'
        cover.disposition = av.stream.Disposition.attached_pic
        video = container.add_stream('libx264', rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
        noise = np.random.default_rng(0).integers(0, 255, (480, 480, 3), np.uint8)
        container.mux(cover.encode(av.VideoFrame.from_ndarray(noise, format='bgr24')))
        container.mux(cover.encode())
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(gray_image(number), format='bgr24')
            container.mux(video.encode(frame))
        container.mux(video.encode())
    source = VideoFile(path)
    assert (len(list(source)), source.fps) == (10, 25)


def test_empty_folders_are_no_input(tmp_path):
    with pytest.raises(FileNotFoundError, match='has no images or videos'):
        open_inputs([str(tmp_path)])


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'Ordner mit ä'
    folder.mkdir()
    for number in (10, 9, 2):
        data = cv2.imencode('.png', gray_image(number))[1]
        (folder / f'frame{number}.png').write_bytes(data)
    (folder / 'notes.txt').write_text('some notes')
    (folder / '.hidden.png').write_bytes(b'')
    return folder


def test_folder_of_images_is_one_clip_in_natural_order(folder):
    (source,) = open_inputs([str(folder)], fps=10)
    assert [path.name for path in source.paths] == [f'frame{n}.png' for n in (2, 9, 10)]
    frames = list(source)
    np.testing.assert_array_equal(frames[1].image, gray_image(9))
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.7, 0.8])
    assert (source.name, source.num_frames) == (folder.name, 3)


def test_globs_and_single_images_are_clips_of_one_frame(folder):
    sources = open_inputs([str(folder / '*.png'), str(folder / 'frame9.png')])
    names = ['frame2', 'frame9', 'frame10', 'frame9']
    assert [source.name for source in sources] == names
    assert all(isinstance(s, ImageSequence) and s.num_frames == 1 for s in sources)


def test_unreadable_files_of_a_folder_are_failing_inputs(folder):
    write_video(folder / 'good.mp4')
    (folder / 'unfinished.mov').write_bytes(b'no index')
    (folder / 'notes.doc').write_bytes(b'any')
    clips = find_inputs([str(folder)])
    assert [clip.name for clip in clips] == [folder.name, 'good', 'unfinished']
    with pytest.raises(
        ValueError,
        match=r'unfinished.mov is not a readable video: .* [(]perhaps the recording or',
    ):
        clips[2].open()


def test_times_of_slow_motion_are_those_of_the_recording(video, folder, caplog):
    with caplog.at_level(logging.WARNING):
        images, one = open_inputs([str(folder), str(video)], fps=120)
    assert (images.fps, one.fps) == (120, 120)
    np.testing.assert_allclose(
        [frame.time for frame in one], np.arange(10) / 120, atol=1e-6
    )
    assert one.ended is None
    text = 'fps=120 is the rate of recording: times are'
    assert caplog.messages == [f'{video}: {text} divided by 4.8']
    caplog.clear()
    (same,) = open_inputs([str(video)], fps=25.1)
    assert (same.fps, caplog.messages) == (25, [])
    (fast,) = open_inputs([str(video)], fps=5)
    np.testing.assert_allclose(
        [frame.time for frame in fast], np.arange(10) / 5, atol=1e-6
    )
    assert caplog.messages[0].endswith('multiplied by 5')


def test_images_of_another_size_are_scaled_and_padded(folder):
    other = cv2.imencode('.png', gray_image(size=(20, 10)))[1].tobytes()
    (folder / 'frame9.png').write_bytes(other)
    (source,) = open_inputs([str(folder)], fps=25)
    assert [frame.image.shape for frame in source] == 3 * [(48, 64, 3)]
    assert source.ended is None


def test_unreadable_image_of_a_sequence_loses_no_other(folder, caplog):
    bad = folder / 'frame9.png'
    bad.write_bytes(b'not an image')
    (source,) = open_inputs([str(folder)], fps=25)
    frames = list(source)
    assert [frame.index for frame in frames] == [0, 1]
    assert [frame.time for frame in frames] == [0, 8 / 25]
    assert (source.ended, source.num_damaged) == (None, 1)
    [message] = caplog.messages
    assert message.startswith(f'{bad} is not a readable image')
    assert message.endswith('; it is left out')


def test_frames_of_too_many_pixels_are_refused(folder, video, monkeypatch):
    for source in open_inputs([str(folder), str(video)], fps=25):
        height, width = next(iter(source)).image.shape[:2]
        monkeypatch.setattr('mmhot.io.images.MAX_PIXELS', width * height)
        assert len(list(source)) == source.num_frames
        monkeypatch.setattr('mmhot.io.images.MAX_PIXELS', width * height - 1)
        with pytest.raises(ValueError, match=f'has {width}x{height} pixels: at most'):
            list(source)
        monkeypatch.undo()


def folder_of(path, *names, size=(64, 48)):
    path.mkdir()
    for name in names:
        (path / name).write_bytes(cv2.imencode('.png', gray_image(size=size))[1])
    return path


def names_of(folder, fps=None):
    return [source.name for source in open_inputs([str(folder)], fps)]


@pytest.mark.parametrize(
    'names',
    [
        ('day 1.png', 'night 2.png'),
        ('000000000785.png', '000000040083.png'),
        ('IMG_1.png', 'IMG_40.png', 'IMG_41.png'),
        ('IMG_1.png', 'IMG_2.png', 'beach.png'),
        ('one.png',),
    ],
)
def test_photos_of_a_folder_are_clips_of_their_own(tmp_path, names):
    folder = folder_of(tmp_path / 'photos', *names)
    assert names_of(folder) == [Path(name).stem for name in names]
    assert names_of(folder, fps=5) == ['photos']


def test_numbered_images_are_a_sequence_unless_their_sizes_differ(tmp_path, caplog):
    folder = folder_of(tmp_path / 'walk', 'f_000.png', 'f_030.png', 'f_060.png')
    assert names_of(folder) == ['walk']
    assert 'its numbered images are taken for a video' in caplog.text
    (folder / 'f_060.png').write_bytes(b'broken')
    assert names_of(folder) == ['walk']
    data = cv2.imencode('.png', gray_image(size=(48, 64)))[1]
    (folder / 'f_030.png').write_bytes(data)
    assert names_of(folder) == ['f_000', 'f_030', 'f_060']
    assert names_of(folder_of(tmp_path / 'left', '1_l.png', '2_l.png')) == ['left']


@pytest.mark.parametrize(
    'form', ['walk_{n:04d}_jpg.rf.{hash}.png', '{hash:.8}-walk_{n:04d}.png']
)
def test_names_with_hashes_do_not_number_frames(tmp_path, form, caplog):
    """As Roboflow and Label Studio write them; IDs or the order of names do."""
    digests = [hashlib.md5(bytes([n])).hexdigest() for n in range(12)]
    names = [form.format(n=n, hash=digest) for n, digest in enumerate(digests)]
    images = [dict(id=90 + n, file_name=name) for n, name in enumerate(names)]
    numbers = number_frames(images, tmp_path)
    assert numbers == {90 + n: n for n in range(12)}
    assert 'names of images do not number the frames; their IDs do' in caplog.text
    folder = folder_of(tmp_path / 'walk', *names)
    assert len(find_inputs([str(folder)])) == 12
    [clip] = open_inputs([str(folder)], fps=25)
    np.testing.assert_allclose([x.time for x in clip], np.arange(12) / 25)
    assert 'do not number the frames: read in order' in caplog.text


@pytest.mark.parametrize(
    ('form', 'numbers'),
    [
        ('DSC_{:04}.JPG', [9997, 9998, 9999, 1, 2, 5]),
        ('{:03}.png', [998, 999, 0, 1, 2, 5]),
    ],
)
def test_counters_of_cameras_begin_again(tmp_path, form, numbers):
    names = [form.format(n) for n in numbers]
    folder = folder_of(tmp_path / 'walk', *names)
    [clip] = open_inputs([str(folder)], fps=10)
    assert [path.name for path in clip.paths] == names
    steps = np.diff([frame.time for frame in clip])
    np.testing.assert_allclose(
        steps, np.diff(numbers) % 10 ** len(str(numbers[1])) / 10
    )
    counted = number_frames([{'id': name} for name in names[::-1]], folder)
    np.testing.assert_allclose(np.diff([counted[x] for x in names]), steps * 10)


def test_the_step_of_two_images_is_no_rate(tmp_path):
    names = ['IMG_20240501_101500.jpg', 'IMG_20240501_101900.jpg']
    numbers = number_frames([{'id': name} for name in names], tmp_path)
    assert numbers[names[1]] - numbers[names[0]] == 400


@pytest.mark.parametrize(
    'form', ['a_01_02_{}_{:02}', 'walk{}.{:04}', 'a_20261103_1422{}_{:04}']
)
def test_takes_with_counters_are_not_times(form, tmp_path):
    names = [form.format(take, n) for take in (10, 30) for n in range(30)]
    with pytest.raises(ValueError, match='has images of 2 videos'):
        number_frames([{'id': name} for name in names], tmp_path)


def test_images_are_turned_by_exif(tmp_path):
    image = Image.fromarray(gray_image()[..., ::-1])
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    image.save(tmp_path / 'a.png', exif=exif)
    read = read_image(tmp_path / 'a.png')
    assert read.shape == (64, 48, 3)
    assert corners(read) == [False, True, False, False]


FRAMES = [1, 2, 3, 7, 8, 12]
NAMES = {
    'numbers': 'frame_{n:04d}.png',
    'no zeros': '{n}.png',
    'size': '{n:04d}_1920x1080.png',
    'ids': '{other}_frame_{n}.png',
    'later ids': 'frame_{n}_id{other}.png',
    'timestamps': 'frame_{n}_{time}.png',
    'Human3.6M': 'S9_Posing_1.60457274_{n:06d}.png',
    'ffmpeg': '{n:06d}.png',
}


@pytest.mark.parametrize('form', NAMES)
def test_times_of_images_are_those_of_their_names(tmp_path, form, caplog):
    names = [
        NAMES[form].format(n=n, other=n * 7919 % 101, time=1_700_000_000_000 + 40 * n)
        for n in FRAMES
    ]
    folder = folder_of(tmp_path / 'frames', *names, 'cover.png')
    (source,) = open_inputs([str(folder)], fps=10)
    assert [path.name for path in source.paths] == names
    np.testing.assert_allclose([x.time for x in source], (np.array(FRAMES) - 1) / 10)
    [record] = caplog.records
    assert 'are left out' in record.getMessage()
    assert 'cover.png' in record.getMessage()
    numbers = number_frames([{'id': name} for name in names], folder)
    assert [numbers[name] for name in names] == FRAMES


@pytest.mark.parametrize(
    ('frame', 'other'),
    [
        ('{}.png', '{}_mask.png'),
        ('rgb_{}.png', 'depth_{}.png'),
        ('image_{}.jpg', 'depth_{}.png'),
        ('frame-{}.color.jpg', 'frame-{}.depth.png'),
        ('img{}.png', 'img{}(1).png'),
    ],
)
def test_images_beside_the_frames_are_one_line(tmp_path, frame, other, caplog):
    names = [frame.format(f'{n:04d}') for n in range(1, 5)]
    others = [other.format(f'{n:04d}') for n in range(1, 5)]
    folder = folder_of(tmp_path / 'walk', *names, *others)
    (source,) = open_inputs([str(folder)], fps=10)
    assert [path.name for path in source.paths] == names
    [message] = caplog.messages
    assert message.startswith(f'{folder}: 4 images with other names than the frames ')
    assert others[0] in message


def test_images_that_are_there_twice_are_refused(tmp_path):
    names = [f'{n:04d}.{suffix}' for n in range(3) for suffix in ('jpg', 'png')]
    folder = folder_of(tmp_path / 'walk', *names)
    text = r'walk has images twice, such as 0000\.jpg and 0000\.png: keep one of each'
    for fps in (None, 10):
        with pytest.raises(ValueError, match=text):
            open_inputs([str(folder)], fps)


@pytest.mark.parametrize('options', ['bff=1', 'tff=1', 'fake-interlaced=1', ''])
def test_fields_of_interlaced_videos_become_frames(options, tmp_path, caplog):
    images = []
    for frame in range(8):
        image = np.full((64, 96, 3), 60, np.uint8)
        for field in (0, 1):
            left = 8 * frame + 4 * field
            image[field::2, left : left + 16] = 230
        images.append(image)
    source = VideoFile(write_video(tmp_path / 'a.mp4', images, options=options))
    frames = [*source]
    combed = [
        np.abs(np.diff(x.image[..., 1].astype(int), axis=0)).max() for x in frames
    ]
    is_interlaced = 'ff=1' in options
    assert [x.index for x in frames] == [*range(8)]
    np.testing.assert_allclose([x.time for x in frames], np.arange(8) / 25, atol=1e-6)
    assert (max(combed[1:-1]) < 50) == is_interlaced
    assert caplog.text.count('interlaced: its fields are interpolated') == is_interlaced


@pytest.mark.parametrize('start', [0, 1_762_180_000_000])
def test_milliseconds_in_names_do_not_number_frames(start, tmp_path, caplog):
    names = [f'{start + round(1000 * n / 30):08}.jpg' for n in range(20)]
    (source,) = open_inputs([str(folder_of(tmp_path / 'a', *names))], fps=30)
    np.testing.assert_allclose([x.time for x in source], np.arange(20) / 30)
    (line,) = caplog.messages
    assert 'do not number the frames: read in order' in line


def test_steps_of_numbers_are_one_line(tmp_path, caplog):
    names = [f'{40 * n:06d}.png' for n in range(5)]
    folder = folder_of(tmp_path / 'milliseconds', *names)
    (source,) = open_inputs([str(folder)], fps=25)
    np.testing.assert_allclose([x.time for x in source], np.arange(5) / 25)
    (line,) = caplog.messages
    assert 'in steps of 40' in line
