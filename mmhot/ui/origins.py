"""Checks of requests to the page: other web sites that a user visits are refused."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_ALL = ('0.0.0.0', '::')  # addresses of the whole network
_READING = ('GET', 'HEAD', 'OPTIONS')  # methods of requests that change nothing


class _SameOrigin:
    """Refuse requests that change something if another site sends them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope['type'] == 'http' and scope['method'] not in _READING:
            headers = Headers(scope=scope)
            origin = headers.get('origin')
            if origin and urlsplit(origin).netloc != headers.get('host'):
                app = PlainTextResponse(
                    'refused: another site sent this request', status_code=403
                )
        await app(scope, receive, send)


def only_own(host: str) -> list[Middleware]:
    """Return checks that refuse requests from other sites, and for other host names.

    If the page listens to the whole network, any host name is right.

    Args:
        host (str): Address at which the page listens.

    Returns:
        list[Middleware]: The checks, for Starlette.
    """
    hosts = ['*'] if host in _ALL else ['127.0.0.1', 'localhost', host]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
        Middleware(_SameOrigin),
    ]
