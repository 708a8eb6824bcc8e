"""Downloaded model files, kept where PyTorch keeps its own."""

from pathlib import Path

import torch


def cached_file(url: str) -> Path:
    """Return where the file of a URL is kept after its download."""
    return Path(torch.hub.get_dir(), 'checkpoints', url.rpartition('/')[2])


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
        torch.hub.download_url_to_file(url, str(path))
    except (OSError, RuntimeError, ValueError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{url} cannot be downloaded ({reason:.80}){hint}') from error
    return path
