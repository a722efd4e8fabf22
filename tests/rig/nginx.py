"""A private nginx with the shipped settings, in front of a server on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.rig.postgres import RigUnavailable
from tests.rig.site import ROOT, ended, free_port

START_SECONDS = 20.0

AROUND = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def shipped() -> str:
    """Read the settings as they are shipped."""
    return (ROOT / "deploy" / "nginx.conf").read_text()


@contextmanager
def nginx(folder: Path, upstream: int, settings: str) -> Iterator[int]:
    """Run nginx with *settings*, whose upstream becomes the port *upstream*, and give its own port.

    Raises:
        RigUnavailable: there is no nginx.
    """
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        raise RigUnavailable("nginx is not on the PATH")
    port = free_port()
    site = settings.replace("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream};")
    site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
    (folder / "site.conf").write_text(site)
    user = "user root;" if os.geteuid() == 0 else ""  # another may not enter the folder of a test
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
    command = [binary, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command)
    with ended(process):
        _await(port, process, folder)
        yield port


def _await(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, (folder / "error.log").read_text()
        assert time.monotonic() < until, "nginx does not listen"
        time.sleep(0.02)
