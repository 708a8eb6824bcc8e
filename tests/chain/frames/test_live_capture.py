"""Reading streams: newest frames only, through stalls and lost connections."""

import threading
import time
from functools import partial

import cv2
import numpy as np
import pytest
from local_servers import Handler, served, served_by
from video_files import ScriptedStream, gray_image, write_video

from mmhot.chain.frames import capture as capture_module
from mmhot.chain.frames.capture import Capture
from mmhot.chain.frames.inputs import find_inputs, open_inputs
from mmhot.chain.frames.sources import Frame
from mmhot.chain.frames.streams import open_stream

SECONDS = 10  # after which a test that hangs fails


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(capture_module, '_WAIT', 0.02)


def number_of(item):
    return round((item.image[-4, -4].mean() - 40) / 4)


def summarize(items):
    """Numbers of images, and reasons."""
    return [x if isinstance(x, str) else number_of(x) for x in items]


def test_only_the_newest_frame_waits():
    all_there, stop = threading.Event(), threading.Event()
    script = [0, all_there.wait, *range(1, 10), stop.set, partial(stop.wait, SECONDS)]
    capture = Capture(ScriptedStream([script]), reconnect=0)
    frames = []
    for frame in capture:
        frames.append(frame)
        all_there.set()
        assert stop.wait(SECONDS)
    assert summarize(frames) == [frame.index for frame in frames] == [0, 9]
    assert (capture.seen, capture.dropped) == (10, 8)


def test_a_lost_stream_is_connected_again():
    pause = partial(time.sleep, 0.05)
    connections = [
        [0, pause, ConnectionError('torn')],
        [OSError('no')],
        [1, pause],
        [OSError('no')],
        [2, pause],
    ]
    capture = Capture(ScriptedStream(connections), reconnect=0.5)
    assert summarize(capture) == [0, 'torn', 1, 'it ended', 2, 'it ended']
    assert capture.ended == 'camera: lost for 0.5 s, given up: gone'


def test_a_duration_ends_a_stream_that_has_no_end():
    stop = threading.Event()
    script = [0, partial(stop.wait, SECONDS)]
    capture = Capture(ScriptedStream([script]), duration=0.1, stop=stop)
    assert summarize(capture) == [0]
    assert capture.ended is None


def test_an_error_that_came_when_reading_was_stopped_is_raised():
    stop = threading.Event()
    script = [0, partial(stop.wait, SECONDS), ValueError('too large')]
    with pytest.raises(ValueError, match='^too large$'):
        list(Capture(ScriptedStream([script]), duration=0.1, stop=stop))


def test_times_are_the_streams_own_until_its_clock_is_set():
    capture = Capture(ScriptedStream([]))
    stamps = [100.0, 100.1, 100.2, 3.0, 3.1, 90.0, np.nan, np.nan, np.nan]
    arrived = [5.0, 5.5, 5.5, 5.7, 5.8, 6.0, 6.1, 6.3, 6.3]
    times = [
        capture._time_of(Frame(0, stamp, None), moment)
        for stamp, moment in zip(stamps, np.subtract(arrived, 5), strict=True)
    ]
    expected = [0, 0.1, 0.2, 0.7, 0.8, 1.0, 1.1, 1.3, 1.301]
    assert times == pytest.approx(expected)


def test_files_are_played_at_their_own_pace(tmp_path):
    video = write_video(tmp_path / 'a.mkv', codec='ffv1', rate=20)
    stream = open_stream(str(video))
    frames = list(Capture(stream))
    assert (stream.name, stream.fps, stream.finite) == ('a', 20, True)
    numbers = summarize(frames)
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(10))
    assert frames[-1].arrived - frames[0].arrived >= 0.3


class Camera(Handler):
    """Endless JPEG images, as of network cameras."""

    def answer(self):
        self.send_response(200)
        self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=next')
        self.end_headers()
        first = 10 * self.server.connections
        self.server.connections += 1
        for number in range(first, first + 10):
            data = cv2.imencode('.jpg', gray_image(number))[1].tobytes()
            self.wfile.write(b'--next\r\nContent-Type: image/jpeg\r\n')
            self.wfile.write(b'Content-Length: %d\r\n\r\n' % len(data) + data + b'\r\n')


@pytest.fixture
def camera():
    """The address of a camera in the network, with a password."""
    with served_by(Camera, connections=0) as address:
        yield f'{address.replace("//", "//user:secret@")}/cam.mjpg?key=1'


def test_a_camera_in_the_network_is_read_and_connected_again(camera):
    stream = open_stream(camera)
    assert stream.name == 'cam'
    assert 'secret' not in stream.label
    assert 'key' not in stream.label
    items = []
    for item in Capture(stream):
        items.append(item)
        if isinstance(item, Frame) and number_of(item) > 30:
            break
    assert sum(isinstance(item, str) for item in items) > 0
    assert not stream.finite


def test_remote_videos_are_read_like_files(tmp_path):
    content = write_video(tmp_path / 'clip.mp4').read_bytes()
    with served({'/clip.mp4': content, '/none.mp4': b''}) as (address, _):
        (clip,) = find_inputs([f'{address}/clip.mp4?key=1'])
        video = clip.open()
        assert (video.name, video.fps) == ('clip', 25)
        assert np.abs(np.subtract(summarize(video), range(10))).max() <= 1
        assert video.ended is None
        with pytest.raises(ValueError, match=f'^{address}/none.mp4 is not a read'):
            open_inputs([f'{address.replace("//", "//user:secret@")}/none.mp4'])
    # without an answer nothing is known of the content
    with pytest.raises(ValueError, match=r'not a readable video: [^(]+$'):
        open_inputs([f'{address}/clip.mp4'])


def test_pages_are_no_videos():
    page = b'<!DOCTYPE html><html><video src="a.mp4">' * 999
    text = 'a video on a page, as of YouTube, must be downloaded first'
    with served({'/watch': page}) as (address, _):
        with pytest.raises(ValueError, match=text):
            open_inputs([f'{address}/watch?v=x'])
        with pytest.raises(ConnectionError, match=text):
            open_stream(f'{address}/watch?v=x')


def test_streams_without_an_end_are_no_files(camera):
    with pytest.raises(
        ValueError, match='is a stream without an end: lift it with `mmhot stream '
    ) as caught:
        open_inputs([camera])
    assert 'secret' not in str(caught.value)
    with pytest.raises(
        ValueError, match='^0 is a webcam: lift it with `mmhot stream 0`'
    ):
        open_inputs(['0'])


def test_missing_streams_are_named_in_one_line():
    with pytest.raises(FileNotFoundError, match='there is no webcam 97: /dev/video97'):
        open_stream('97')
    with pytest.raises(FileNotFoundError, match='none.mp4 does not exist'):
        open_stream('none.mp4')
    address = 'rtsp://user:secret@127.0.0.1:9/live'
    with pytest.raises(OSError, match='rtsp://127.0.0.1:9/live is not a') as caught:
        open_stream(address)
    assert 'secret' not in str(caught.value)
