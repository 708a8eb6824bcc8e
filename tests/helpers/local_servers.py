"""Servers of HTTP in this process."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def served_by(handler, **attributes):
    """Let a class handle requests; yield the address.

    The handler finds the attributes in its ``server``.
    """
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        server.handle_error = lambda *about: None  # clients leave when they like
        vars(server).update(attributes)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f'http://127.0.0.1:{server.server_port}'
        finally:
            server.shutdown()


class Handler(BaseHTTPRequestHandler):
    """A handler whose ``answer`` replies to each request; it writes no log."""

    def do_GET(self):
        self.answer()

    def log_message(self, *args):
        pass


class FileHandler(Handler):
    """Answers with files by path, and records the paths that are asked for."""

    def answer(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path.partition('?')[0])
        self.send_response(200 if content is not None else 404)
        self.send_header('Content-Length', str(len(content or b'')))
        self.end_headers()
        self.wfile.write(content or b'')


@contextmanager
def served(files):
    """Serve bytes by path; yield the address and a list of the paths asked for."""
    asked = []
    with served_by(FileHandler, files=files, asked=asked) as address:
        yield address, asked
