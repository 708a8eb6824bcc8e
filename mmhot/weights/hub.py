"""Files of models by address: paths and URLs.

Files are downloaded once and later used without a network. Archives are unpacked once.
"""

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from mmhot.deploy.onnx_sessions import META_FILE
from mmhot.errors import naming, one_line, public_url, require_file
from mmhot.io.atomic import replacing

_WEB = ('http://', 'https://')
ARCHIVE = '.zip'
# File names of OpenMMLab and PyTorch end with the first digits of the file's SHA-256.
# Digits alone are a date. Names of archives have the digits of the checkpoint inside.
_DIGITS = re.compile(r'-(?!\d+\.)([0-9a-f]{8,64})\.(?!zip$)\w+$')
# Models in folders of `mmhot export`, and in folders and archives of MMDeploy's SDK.
MODEL_FILE = 'model.onnx'
SDK_FILE = 'end2end.onnx'
PIPELINE_FILE = 'pipeline.json'  # preprocessing beside a model of MMDeploy's SDK
_RESOURCES = '__MACOSX'  # folder of metadata in archives that were made on macOS
CHECKPOINTS = ('.safetensors', '.pth')
"""Suffixes of checkpoints."""
_TIMEOUT = 30  # seconds without an answer until a download fails


def is_remote(name: str | Path) -> bool:
    """Return whether a name is a URL."""
    return str(name).startswith(_WEB)


def local_file(name: str | Path) -> Path:
    """Return the path of a model; download it first if its name is an address.

    Args:
        name (str | Path): One of

            * a path, which is returned as it is;
            * the URL of a file; digits of its SHA-256 at the end of its name, as in
              ``tiny-0123abcd.pth``, are checked;
            * the URL of a folder of ``mmhot export``, with a slash at its end.

    Returns:
        Path: A file or a folder.

    Raises:
        ValueError: If it cannot be downloaded, or does not match its checksum.

    Example::

        local_file('https://example.org/a.pth')  # ~/.cache/mmhot/downloads/.../a.pth
    """
    url = str(name)
    if not is_remote(url):
        return Path(name)
    digest = hashlib.sha256(url.encode()).hexdigest()
    folder = cache_folder() / 'downloads' / digest[:16]
    if url.endswith('/'):
        for file in (MODEL_FILE, META_FILE):
            download(url + file, folder / file)
        return folder
    named = _DIGITS.search(url)
    path = folder / Path(urlsplit(url).path).name
    return download(url, path, named[1] if named else None)


def unpack(path: Path) -> Path:
    """Unpack the model in an archive of MMDeploy's SDK.

    Args:
        path (Path): A .zip file with one .onnx file, in any folder, and perhaps
            ``pipeline.json`` beside it. Other files are ignored.

    Returns:
        Path: Folder with ``end2end.onnx`` and perhaps ``pipeline.json``.

    Raises:
        ValueError: If it is not such an archive.
    """
    with naming(require_file(path)):
        # The content identifies an archive: another file may have its name and date.
        folder = cache_folder() / 'archives' / _digest_of(path)[:16] / path.stem
        if (folder / SDK_FILE).is_file():
            return folder
        try:
            with zipfile.ZipFile(path) as archive:
                members = _read_members(archive)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ValueError(f'is not a readable archive: {error}') from error
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in members.items():
            with replacing(folder / file) as temporary:
                temporary.write_bytes(content)
        return folder


def _read_members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Read the model of an archive, and its preprocessing if there is one."""
    names = [PurePosixPath(name) for name in archive.namelist()]
    models = [
        name for name in names if name.suffix == '.onnx' and name.parts[0] != _RESOURCES
    ]
    if len(models) != 1:
        raise ValueError(f'must have one .onnx file, got {len(models)}')
    paths = {PIPELINE_FILE: models[0].with_name(PIPELINE_FILE), SDK_FILE: models[0]}
    members = {file: str(path) for file, path in paths.items() if path in names}
    return {file: archive.read(member) for file, member in members.items()}


def cache_folder() -> Path:
    """Return the folder of downloaded and unpacked files."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'mmhot'


def download(
    url: str,
    path: Path,
    sha256: str | None = None,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Download a file to a path unless it is there already.

    Args:
        url (str): Address.
        path (Path): File to write.
        sha256 (str, optional): First hexadecimal digits, or all, of the content's
            SHA-256.
        show (Callable): Function of the megabytes done and in total; the total is 0
            if the server does not state it.

    Returns:
        Path: The file.

    Raises:
        ValueError: If it cannot be downloaded, or does not match ``sha256``.
    """
    if path.is_file():
        _check_digest(path, sha256, url)
        return path
    # Importing HTTP at the top would add a tenth to the time of `mmhot lift --help`.
    from http.client import HTTPException

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        try:
            _fetch(url, temporary, show)
        except (HTTPException, OSError, ValueError) as error:
            raise ValueError(
                f'{public_url(url)} cannot be downloaded ({one_line(error):.80}): copy '
                f'the file to {path}'
            ) from error
        _check_digest(temporary, sha256, url)
    return path


def _fetch(url: str, path: Path, show: Callable[[int, int], None]) -> None:
    """Write the content of a URL to a file; raise an OSError if it is incomplete."""
    from urllib.request import urlopen

    done = 0
    with urlopen(url, timeout=_TIMEOUT) as response, path.open('wb') as file:
        size = int(response.headers.get('Content-Length', 0))
        while chunk := response.read(1 << 20):
            done += file.write(chunk)
            show(done >> 20, size >> 20)
        if size and done != size:
            raise OSError(f'{done} of {size} bytes arrived')


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_digest(path: Path, sha256: str | None, url: str) -> None:
    """Raise a ValueError unless a file's SHA-256 begins with the expected digits."""
    if sha256 and not (digest := _digest_of(path)).startswith(sha256.lower()):
        raise ValueError(
            f'{public_url(url)} must have a SHA-256 that begins with {sha256}, got '
            f'{digest}: the file was changed, or is another one'
        )
