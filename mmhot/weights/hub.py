"""Files of models by address: paths, URLs, and repositories of the Hugging Face Hub.

What was fetched once is used without a network.
"""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from mmhot.installation import import_extra
from mmhot.weights.downloads import cache_folder, cached_file, check_digest, download

_HUB = 'hf://'
_WEB = ('http://', 'https://')
_SHA256 = 'sha256='
# OpenMMLab's and PyTorch's file names end with the first digits of the SHA-256.
_DIGITS = re.compile(r'-(?!\d+\.)([0-9a-f]{8,64})\.\w+$')
MODEL_FILE, META_FILE = _GRAPH = ('model.onnx', 'meta.json')
_CHECKPOINTS = ('.safetensors', '.pth')
_FILES = ('*.safetensors', '*.pth', *_GRAPH)


def is_remote(name: str | Path) -> bool:
    """Whether a name is an address of the web or the hub."""
    return str(name).startswith((_HUB, *_WEB))


def local_file(name: str | Path, hint: str = '') -> Path:
    """Return the file or exported folder of a name, fetched if it is an address.

    Args:
        name (str | Path): A path, which is returned as it is; a URL of a file, with
            ``#sha256=DIGITS`` to check its content, or of an exported folder, with a
            slash at its end; or ``hf://USER/NAME[/FILE]``.
        hint (str): End of the message if it cannot be downloaded. Defaults to none.

    Returns:
        Path: A file, or the folder of an exported model.

    Raises:
        ValueError: If it cannot be fetched, or has another content than its checksum.
    """
    text = str(name)
    if text.startswith(_HUB):
        return _fetch_from_hub(text, hint)
    if not text.startswith(_WEB):
        return Path(name)
    url, fragment = urldefrag(text)
    folder = cache_folder() / 'mmhot' / 'downloads'
    folder = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
    if url.endswith('/'):
        for file in _GRAPH:
            download(url + file, hint, folder / file)
        return folder
    if fragment and not fragment.startswith(_SHA256):
        raise ValueError(f'{name}: the part after # must be {_SHA256}DIGITS')
    named = _DIGITS.search(url)
    # other programs keep files with unique names there, too
    path = cached_file(url) if named else folder / Path(urlsplit(url).path).name
    given = fragment.removeprefix(_SHA256) or None
    path = download(url, hint, path, given or (named and named[1]))
    check_digest(path, given)
    return path


def _fetch_from_hub(name: str, hint: str) -> Path:
    parts = name.removeprefix(_HUB).split('/')
    if len(parts) < 2 or not all(parts):
        raise ValueError(f'{name} must be hf://USER/NAME or hf://USER/NAME/FILE')
    hub = import_extra('huggingface_hub', name, 'hub')
    repository, file = '/'.join(parts[:2]), '/'.join(parts[2:])
    where = dict(repo_id=repository, endpoint=os.environ.get('HF_ENDPOINT'))
    try:
        if file:
            return Path(hub.hf_hub_download(filename=file, **where))
        folder = Path(hub.snapshot_download(allow_patterns=list(_FILES), **where))
    except Exception as error:  # the client raises errors of several packages
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{name} cannot be downloaded ({reason:.120}){hint}'
        ) from error
    return _choose(folder, name)


def _choose(folder: Path, name: str) -> Path:
    """Choose the exported model of a repository, or its only checkpoint."""
    if all((folder / file).is_file() for file in _GRAPH):
        return folder
    for suffix in _CHECKPOINTS:
        found = sorted(path for path in folder.iterdir() if path.suffix == suffix)
        if len(found) == 1:
            return found[0]
        if found:
            names = ', '.join(path.name for path in found)
            raise ValueError(f'{name} has several checkpoints: add /FILE, of {names}')
    raise ValueError(
        f'{name} has neither {" and ".join(_GRAPH)} nor a checkpoint '
        f'({" or ".join(_CHECKPOINTS)})'
    )
