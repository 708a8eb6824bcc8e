"""Downloaded model files, kept where PyTorch keeps its own."""

import hashlib
import os
import time
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from mmhot.errors import public_url
from mmhot.io.atomic import replacing

_TIMEOUT = 30  # seconds without an answer
_MAX_SECONDS, _MAX_BYTES = 2 * 3600, 4 << 30


def cache_folder() -> Path:
    """Return the folder of the user's caches."""
    return Path(os.environ.get('XDG_CACHE_HOME', '~/.cache')).expanduser()


def cached_file(url: str) -> Path:
    """Return where the file of a URL is kept after its download."""
    home = os.environ.get('TORCH_HOME', cache_folder() / 'torch')
    folder = Path(home).expanduser() / 'hub' / 'checkpoints'
    return folder / url.rpartition('/')[2]


def download(
    url: str, hint: str = '', path: Path | None = None, sha256: str | None = None
) -> Path:
    """Download a file unless it is there already, at ``path`` or :func:`cached_file`.

    ``sha256`` is that of its content in hexadecimal digits, or the first of them;
    ``hint`` ends the message of a download that fails.

    Raises:
        ValueError: If it cannot be downloaded, or has another content; then nothing is
            kept.
    """
    path = path or cached_file(url)
    if path.is_file():
        _check_digest(path, sha256, url)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            _fetch(url, temporary, hint)
            _check_digest(temporary, sha256, url)
    except OSError as error:
        raise ValueError(f'{public_url(url)} cannot be kept: {error}') from error
    return path


def _fetch(url: str, path: Path, hint: str) -> None:
    try:
        with urlopen(url, timeout=_TIMEOUT) as response, path.open('wb') as file:
            end = time.monotonic() + _MAX_SECONDS
            while chunk := response.read(1 << 20):
                file.write(chunk)
                if file.tell() > _MAX_BYTES or time.monotonic() > end:
                    raise OSError('more than 4 GB, or not finished in two hours')
            size, found = response.headers.get('Content-Length'), file.tell()
            if size is not None and found != int(size):
                raise OSError(f'{found} of {size} bytes arrived')
    except (HTTPException, OSError, ValueError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{public_url(url)} cannot be downloaded ({reason:.80}){hint}'
        ) from error


def _check_digest(path: Path, sha256: str | None, url: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest() if sha256 else ''
    if not found.startswith((sha256 or '').lower()):
        raise ValueError(
            f'{public_url(url)} has the SHA-256 {found}, and {sha256} is expected: it '
            'was changed, or is another file'
        )
