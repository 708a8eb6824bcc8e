"""Small video files, intact and damaged, and scripted streams."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mmhot.chain.frames.sources import Frame, FrameSource

_MILLISECOND = Fraction(1, 1000)
# a, b, c, d of an .mp4's matrix, by clockwise rotation in degrees.
TURNS = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def gray_image(number=0, size=(64, 48)):
    """A gray BGR image, white at the top left, with a brightness by its number."""
    width, height = size
    image = np.full((height, width, 3), 40 + 4 * number, np.uint8)
    image[: height // 2, : width // 2] = 250
    return image


def write_video(
    path,
    images=None,
    rate=25,
    codec='libx264',
    times=None,
    aspect=None,
    options='',
):
    """Write a video; ``times`` (in 1/1000 s) make its frame rate variable.

    ``options`` are those of x264.
    """
    images = [gray_image(number) for number in range(10)] if images is None else images
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=rate)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = 'bgr0' if codec == 'ffv1' else 'yuv420p'
        if codec == 'libx264':
            stream.options = {'crf': '10', 'bf': '0', 'x264-params': options}
        if times is not None:
            stream.codec_context.time_base = _MILLISECOND
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            if times is not None:
                frame.pts, frame.time_base = times[number], _MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn_video(path, turn):
    """Set the rotation in an .mp4's track header."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b'tkhd') + 4 + 40
    a, b, c, d = (value << 16 for value in TURNS[turn])
    data[matrix : matrix + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def forget_rate(path):
    """Remove the frames' duration from a .webm, as in recordings of browsers."""
    data = bytearray(path.read_bytes())
    begin = data.index(b'\x23\xe3\x83')
    length = 4 + (data[begin + 3] & 0x7F)
    data[begin : begin + 2] = 0xEC, 0x80 | (length - 2)  # an element to be skipped
    path.write_bytes(data)
    return path


def trim_video(path, milliseconds):
    """Trim an .mp4 by its edit list, as phones do."""
    data = bytearray(path.read_bytes())
    entry = data.index(b'elst') + 4 + 8
    data[entry : entry + 4] = struct.pack('>i', milliseconds)
    path.write_bytes(data)
    return path


class ScriptedStream(FrameSource):
    """Stand-in for a stream that yields frames, fails and waits by a script.

    Each connection is a list of image numbers, pairs of time and image number,
    callables, which are called, and exceptions, which are raised; or an exception, for
    a connection that fails. Further connections fail.
    """

    finite = False

    def __init__(self, connections, fps=50.0):
        super().__init__('camera', Path('camera'), fps)
        self.connections = list(connections)

    def __iter__(self):
        script = self.connections.pop(0) if self.connections else [OSError('gone')]
        for index, item in enumerate(script):
            if isinstance(item, Exception):
                raise item
            if callable(item):
                item()
            else:
                time, number = item if isinstance(item, tuple) else (np.nan, item)
                yield Frame(index, time, gray_image(number))
