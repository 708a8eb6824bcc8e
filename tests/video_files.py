"""Small videos for tests, good and bad."""

import struct
from fractions import Fraction

import av
import numpy as np

_MILLISECOND = Fraction(1, 1000)
TURNS = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def picture(number=0, size=(64, 48)):
    """A grey picture, white at the top left, as bright as its number; BGR."""
    width, height = size
    image = np.full((height, width, 3), 40 + 4 * number, np.uint8)
    image[: height // 2, : width // 2] = 250
    return image


def write_video(
    path, images=None, rate=25, codec='libx264', pix_fmt='yuv420p', times=None
):
    """Write pictures; ``times`` (in 1/1000 s) make the frame rate variable."""
    images = [picture(number) for number in range(10)] if images is None else images
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=rate)
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


def turn_video(path, degrees):
    """Say in an .mp4's track header that players must turn it clockwise."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b'tkhd') + 4 + 40
    a, b, c, d = (value << 16 for value in TURNS[degrees])
    data[matrix : matrix + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
