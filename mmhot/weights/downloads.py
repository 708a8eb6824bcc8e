"""Downloaded model files, kept where PyTorch keeps its own."""

import os
import shutil
from pathlib import Path
from urllib.request import urlopen

from mmhot.io.atomic import replacing

_TIMEOUT = 30  # seconds without an answer


def cached_file(url: str) -> Path:
    """Return where the file of a URL is kept after its download."""
    caches = os.environ.get('XDG_CACHE_HOME', '~/.cache')
    home = os.environ.get('TORCH_HOME', os.path.join(caches, 'torch'))
    folder = Path(home).expanduser() / 'hub' / 'checkpoints'
    return folder / url.rpartition('/')[2]


def download(url: str, hint: str = '') -> Path:
    """Download a file unless it is there already.

    Args:
        url (str): Its address.
        hint (str): End of the message if that fails. Defaults to none.

    Raises:
        ValueError: If it cannot be downloaded.
    """
    path = cached_file(url)
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            urlopen(url, timeout=_TIMEOUT) as response,
            replacing(path) as temporary,
            temporary.open('wb') as file,
        ):
            shutil.copyfileobj(response, file)
            file.flush()
            size, found = (
                response.headers.get('Content-Length'),
                temporary.stat().st_size,
            )
            if size is not None and found != int(size):
                raise OSError(f'{found} of {size} bytes arrived')
    except (OSError, ValueError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{url} cannot be downloaded ({reason:.80}){hint}') from error
    return path
