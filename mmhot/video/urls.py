"""What a user's text names: a file, a webcam, or something in the network."""

import re
from pathlib import Path
from urllib.parse import urlsplit

_SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'rtmps', 'http', 'https', 'udp', 'rtp', 'srt')
_WEBCAM = re.compile(r'\d{1,2}|/dev/video\d+')


def is_url(text: str) -> bool:
    """Whether a text is the address of something in the network."""
    scheme, separator, _ = text.partition('://')
    return bool(separator) and scheme.lower() in _SCHEMES


def is_webcam(text: str) -> bool:
    """Whether a text is a webcam's number or device, and no ordinary file."""
    return bool(_WEBCAM.fullmatch(text)) and not Path(text).is_file()


def public_url(url: str) -> str:
    """Return an address without user, password and query, which may be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition('@')[2]
    return f'{parts.scheme}://{host}{parts.path}'


def name_of_url(url: str) -> str:
    """Name results of an address after its file or, without one, its host."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition('@')[2]
    stem = Path(parts.path).stem or host
    return re.sub(r'[^\w.-]+', '_', stem)
