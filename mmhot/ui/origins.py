"""Checks of requests to the page: other web sites that a user visits are refused."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_ALL = ('0.0.0.0', '::')
_READING = ('GET', 'HEAD', 'OPTIONS')


class _SameOrigin:
    """Refuse requests of other sites that change something."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope['type'] == 'http' and scope['method'] not in _READING:
            headers = Headers(scope=scope)
            origin = headers.get('origin')
            if origin and urlsplit(origin).netloc != headers.get('host'):
                app = PlainTextResponse('another site asks', status_code=403)
        await app(scope, receive, send)


def only_own(host: str) -> list[Middleware]:
    """Return a check that refuses other host names than the address, and other sites.

    A page for the whole network may have any name.
    """
    hosts = ['*'] if host in _ALL else ['127.0.0.1', 'localhost', host]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
        Middleware(_SameOrigin),
    ]
