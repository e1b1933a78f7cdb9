"""Folders over HTTP: Python's own server, which ignores ranges, and nginx, which serves them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import HOST, free_port, running

# One process in the foreground, which writes only into its own folder.
CONFIG = """
daemon off;
master_process off;
pid {home}/pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    log_format status $status;
    access_log {log};
    default_type application/octet-stream;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen {host}:{port};
        root "{root}";
    }}
}}
"""


@contextmanager
def python_http(folder: Path) -> Iterator[str]:
    """The address of ``python -m http.server`` on a folder."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", HOST, "--directory", str(folder), str(port)]
    with running(command, port):
        yield f"http://{HOST}:{port}"


@contextmanager
def nginx(program: str, folder: Path, log: Path | None = None) -> Iterator[str]:
    """The address of nginx on a folder. The log has a line for each answer: its status."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        config = Path(home, "nginx.conf")
        lines = "off" if log is None else f'"{log}" status'
        config.write_text(CONFIG.format(home=home, host=HOST, port=port, root=folder, log=lines))
        with running([program, "-e", "stderr", "-p", home, "-c", str(config)], port):
            yield f"http://{HOST}:{port}"
