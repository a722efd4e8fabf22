"""A private S3: moto's server, from PyPI, on a free port."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree as ET

from tests.rig.until import until

BUCKET = "lots"
SERVE = "import sys; from moto.server import main; sys.exit(main(sys.argv[1:]))"


@contextmanager
def private_s3() -> Iterator[str]:
    """Run a server with one empty bucket; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", SERVE, "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: _answers(port), 60)
            urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT")).close()
            yield address
        finally:
            server.kill()


def environment(address: str) -> dict[str, str]:
    """The variables by which programs find the server."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
    }


def unfinished_uploads(address: str) -> int:
    """Count the uploads in pieces that nobody ended: they cost money and are in no listing."""
    with urllib.request.urlopen(f"{address}/{BUCKET}?uploads") as answer:
        return sum(node.tag.endswith("}Upload") for node in ET.fromstring(answer.read()))


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
