"""HTTP as OpenAI's clients expect it: JSON in, JSON out, errors of OpenAI's shape, an optional key.

In: a table of routes, each a function from the request's JSON to the reply's. Out: a server on loopback that says where it is in one
line of JSON and ends at SIGTERM. It must not know any model.
"""

import hmac
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST_BYTES = 16 << 20


class ApiError(Exception):
    """An error that the caller sees."""

    def __init__(self, status, message, code=None, param=None, kind="invalid_request_error"):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, routes, api_key):
        super().__init__(address, Handler)
        self.routes = routes
        self.api_key = api_key
        self.url = "http://{}:{}".format(*self.server_address[:2])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tenantry-models"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 300

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def answer(self, method):
        started = time.monotonic()
        headers = {}
        try:
            body = self.body()
            status, reply = 200, self.route(method, body)
        except ApiError as error:
            status, reply = error.status, error.body
            if status in (429, 503):
                headers["Retry-After"] = "1"
        except Exception as error:
            print(f"failed: {error!r}", file=sys.stderr, flush=True)
            status, reply = 500, ApiError(500, "the server failed; see its log", kind="server_error").body
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
        if self.path != "/healthz":
            took = (time.monotonic() - started) * 1000
            print(f"{method} {self.path} {status} {took:.0f} ms", file=sys.stderr, flush=True)

    def body(self):
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdigit():
            self.close_connection = True
            raise ApiError(411, "send the body with a Content-Length")
        if int(length) > MOST_BYTES:
            self.close_connection = True
            raise ApiError(413, f"the body is larger than {MOST_BYTES} bytes")
        return self.rfile.read(int(length))

    def route(self, method, body):
        path = self.path.split("?")[0]
        handlers = self.server.routes.get(path)
        if handlers is None:
            raise ApiError(404, f"Invalid URL ({method} {path})", "unknown_url")
        if method not in handlers:
            raise ApiError(405, f"Not allowed to {method} on {path}", "method_not_supported")
        if path.startswith("/v1/"):
            self.authorize()
        if method == "GET":
            return handlers[method]()
        try:
            request = json.loads(body)
        except ValueError:
            raise ApiError(400, "We could not parse the JSON body of your request.") from None
        if not isinstance(request, dict):
            raise ApiError(400, "The body must be a JSON object.")
        return handlers[method](request)

    def authorize(self):
        if not self.server.api_key:
            return
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode(), self.server.api_key.encode()):
            message = "Incorrect API key provided." if given else "You didn't provide an API key."
            raise ApiError(401, message, "invalid_api_key")

    def log_message(self, form, *values):
        """Said by `answer`, with the time that it took."""


def serve(server, ready):
    """Says `ready` as one line of JSON, then serves until SIGTERM or SIGINT."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"url": server.url, **ready}), flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
