"""Servers of broken and vanishing streams, for ``mmhot infer --live``."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

from PIL import Image

Serve = Callable[[socket.socket], None]

_OK = b'HTTP/1.0 200 OK\r\n'
_PARTS = _OK + b'Content-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n'
# Seconds between frames, and of a stream.
_STEP, _LONG = 0.04, 4.0


@contextmanager
def served(serve: Serve) -> Iterator[str]:
    """Answer all connections in a process of its own; yields the address."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        process = os.fork()
        if not process:
            _answer(server, serve)
    try:
        yield f'http://127.0.0.1:{port}/camera'
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _answer(server: socket.socket, serve: Serve) -> None:
    try:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_talk, args=(connection, serve)).start()
    finally:
        os._exit(1)


def _talk(connection: socket.socket, serve: Serve) -> None:
    with suppress(OSError), connection:
        connection.recv(65_536)
        serve(connection)


def answer(data: bytes) -> Serve:
    """Send these bytes and hang up."""
    return lambda connection: connection.sendall(data)


def repeat(start: bytes, data: bytes) -> Serve:
    """Send a start and then the same bytes without end."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(data)
            time.sleep(0.001)

    return serve


def keep_silent(connection: socket.socket) -> None:
    """Accept and never answer."""
    time.sleep(100)


def frames(*images: bytes) -> Serve:
    """Send MJPEG frames, the images in turn, for four seconds, then hang up."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(_PARTS)
        for number in range(round(_LONG / _STEP)):
            image = images[number % len(images)]
            head = b'--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n'
            connection.sendall(head % len(image) + image + b'\r\n')
            time.sleep(_STEP)

    return serve


def jpeg(width: int = 64, height: int = 48) -> bytes:
    """Return a gray image."""
    file = BytesIO()
    Image.new('RGB', (width, height), (90, 120, 200)).save(file, 'jpeg')
    return file.getvalue()


def all_streams() -> dict[str, Serve]:
    """Name the servers."""
    good = jpeg()
    location = b'HTTP/1.0 302 Found\r\nLocation: %s\r\n\r\n'
    playlist = b'#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n'
    return {
        'no answer': keep_silent,
        'hangs up': answer(b''),
        'escape codes': answer(b'HTTP/1.0 500 \x1b[31mred\r\n\r\n'),
        'redirect to a file': answer(location % b'file:///etc/passwd'),
        'redirect to itself': answer(location % b'/camera'),
        'playlist of a file': answer(_OK + b'\r\n' + playlist),
        'concat script': answer(_OK + b"\r\nffconcat version 1.0\nfile '/etc/passwd'"),
        'endless header': repeat(_OK, b'X: ' + b'y' * 4000 + b'\r\n'),
        'endless zeros': repeat(_OK + b'\r\n', bytes(65_536)),
        'damaged frames': frames(good, good[: len(good) // 2], good[:20], b'x' * 500),
    }
