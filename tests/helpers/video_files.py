"""Small videos for tests, good and bad."""

import struct
from fractions import Fraction

import av
import numpy as np

_MILLISECOND = Fraction(1, 1000)
# Degrees clockwise, and what mirrors: a, b, c, d of an .mp4's matrix.
TURNS = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
    'left-right': (-1, 0, 0, 1),
    'upside-down': (1, 0, 0, -1),
    'transposed': (0, 1, 1, 0),
}


def picture(number=0, size=(64, 48)):
    """A gray picture, white at the top left, as bright as its number; BGR."""
    width, height = size
    image = np.full((height, width, 3), 40 + 4 * number, np.uint8)
    image[: height // 2, : width // 2] = 250
    return image


def write_video(
    path,
    images=None,
    rate=25,
    codec='libx264',
    pix_fmt='yuv420p',
    times=None,
    aspect=None,
):
    """Write pictures; ``times`` (in 1/1000 s) make the frame rate variable."""
    images = [picture(number) for number in range(10)] if images is None else images
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=rate)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if codec == 'libx264':
            stream.options = {'crf': '10', 'bf': '0'}
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
    """Say in an .mp4's track header that players must turn or mirror it."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b'tkhd') + 4 + 40
    a, b, c, d = (value << 16 for value in TURNS[turn])
    data[matrix : matrix + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def forget_rate(path):
    """Take the frames' duration out of a .webm, as browsers leave it out."""
    data = bytearray(path.read_bytes())
    begin = data.index(b'\x23\xe3\x83')
    length = 4 + (data[begin + 3] & 0x7F)
    data[begin : begin + 2] = 0xEC, 0x80 | (length - 2)  # an element to be skipped
    path.write_bytes(data)
    return path


def trim_video(path, milliseconds):
    """Say in an .mp4's edit list that only its beginning is shown, as phones do."""
    data = bytearray(path.read_bytes())
    entry = data.index(b'elst') + 4 + 8
    data[entry : entry + 4] = struct.pack('>i', milliseconds)
    path.write_bytes(data)
    return path
