"""Server of the HTTP contract over one store, with connections that break on request."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from mesbatch.errors import JobNotFound
from mesbatch.jobs import Jobs
from mesbatch.store.stored_lines import stored_lines


class Web:
    """Server of *jobs*; each number in *cuts* is the length in bytes after which the next stream breaks."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.cuts, self.asked = jobs, list[int](), list[str]()
        self.busy = 0  # answers 503 that many times
        self.job_id = ""  # what a submission is answered with
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, web: Web) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.web = web


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        web = self.server.web
        web.asked.append(self.path)
        if web.busy:
            web.busy -= 1
            self.answer(503, {"error": "busy", "code": "BUSY"})
            return
        path, _, query = self.path.partition("?from=")
        _, _, job_id, *stream = path.split("/")
        try:
            job = web.jobs.get(job_id, owner=self.headers.get("X-User"))
        except JobNotFound as error:
            self.answer(404, {"error": str(error), "code": "JOB_NOT_FOUND"})
            return
        if stream:
            self.stream(job_id, int(query))
        else:
            self.answer(200, job.as_json())

    def do_DELETE(self) -> None:
        self.answer(202, self.server.web.jobs.cancel(self.path.rpartition("/")[2]).as_json())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not body["container_ids"]:
            self.answer(400, {"error": "no ids", "code": "INVALID_PARAMS"})
        else:
            self.answer(202, {"stage": "events", "async": True, "job_id": self.server.web.job_id})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, job_id: str, first: int) -> None:
        web = self.server.web
        left = web.cuts.pop(0) if web.cuts else 10**12
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with stored_lines(web.jobs.store, job_id, from_=first) as lines:
            for line in lines:
                if len(line) > left:
                    self.wfile.write(b"%x\r\n%b" % (len(line), line[:left]))
                    self.close_connection = True
                    return
                left -= len(line)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        pass
