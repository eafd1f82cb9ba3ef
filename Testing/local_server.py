"""A web server on this machine, for tests of downloads."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LocalServer:
    """Serves bytes by name while its context lasts, and counts requests; others than `files` are not found.

    With `pause_after` bytes of a file it waits for `go_on`.
    """

    def __init__(self, files, pause_after=None):
        self.requests, released = [], threading.Event()
        self.go_on = released.set

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):  # noqa: N805
                name = handler.path.strip("/")
                self.requests.append(name)
                if name not in files:
                    handler.send_error(404)
                    return
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(files[name])))
                handler.end_headers()
                handler.wfile.write(files[name][:pause_after])
                if pause_after is not None:
                    released.wait(10.0)
                    handler.wfile.write(files[name][pause_after:])

            def log_message(handler, *_arguments):  # noqa: N805
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def url(self, name):
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self.go_on()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
