"""The documentation site in headless Chromium: its search, light and dark, on a desktop and on a phone.

`make site` builds what is looked at.
"""

from __future__ import annotations

import json
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
SITE = ROOT / "build" / "site"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium (Debian: apt install chromium)"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site; make site builds it"),
]

# A page of the site in a frame of the width of a screen, which is asked until it answers. The server is told.
FRAME = """<!doctype html><iframe id="frame" src="{page}" width="{width}" height="900"></iframe>
<script>
const ask = () => {{
  const page = document.getElementById("frame").contentDocument;
  const all = (s) => [...page.querySelectorAll(s)];
  const seen = (s) => all(s).filter((e) => e.getBoundingClientRect().width).length;
  const there = page.URL !== "about:blank" && page.readyState === "complete";
  const found = there ? (() => {{ {asked} }})() : null;
  if (found) fetch("/found", {{ method: "POST", body: JSON.stringify(found) }});
  else setTimeout(ask, 100);
}};
ask();
</script>"""
SEARCH = """
const links = all("a.md-search-result__link").map((e) => e.pathname);
return links.length ? links : null;"""
LOOK = """
page.body.setAttribute("data-md-color-scheme", "%s");
const style = page.defaultView.getComputedStyle(page.body);
return {
  wide: page.documentElement.scrollWidth, ground: style.backgroundColor, text: style.color,
  tabs: seen(".md-tabs__link"), menu: seen("label.md-header__button[for=__drawer]"),
  headings: seen("h1"), broken: [...page.images].filter((e) => !e.naturalWidth).length,
};"""


class Handler(SimpleHTTPRequestHandler):
    """Files of the site, the frame, and what the frame has found."""

    frame: str
    found: queue.Queue[Any]

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        if self.path == "/frame.html":
            self._answer(self.frame.encode())
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self.found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(frame: str, found: queue.Queue[Any]) -> Iterator[str]:
    handler = type("Bound", (Handler,), {"frame": frame, "found": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def ask(page: str, asked: str, folder: Path, width: int = 1280) -> Any:
    """Return what a script finds in a page of the site."""
    frame = FRAME.format(page=page, width=width, asked=asked)
    found: queue.Queue[Any] = queue.Queue()
    command = [str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"]
    # It stays until it is ended.
    command += [f"--user-data-dir={folder}/profile", "--remote-debugging-port=0"]
    with (
        serving(frame, found) as server,
        subprocess.Popen(
            [*command, f"{server}/frame.html"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as browser,
    ):
        try:
            return found.get(timeout=120)
        except queue.Empty:
            if browser.poll() is not None:
                pytest.skip("the browser does not start here")
            raise
        finally:
            browser.terminate()


def test_the_search_finds_pages(tmp_path: Path) -> None:
    links = ask("/?q=rechunk", SEARCH, tmp_path)
    assert links[0] == "/rechunking/"
    # What is in the reference alone, made from docstrings, is found too.
    assert any(link.startswith("/reference/") for link in links)


@pytest.mark.parametrize(("scheme", "width"), [("default", 1280), ("slate", 390)])
def test_start_page(tmp_path: Path, scheme: str, width: int) -> None:
    found = ask("/", LOOK % scheme, tmp_path, width)
    # Nothing is wider than the screen; a desktop has tabs, a phone a menu.
    assert found["wide"] <= width
    assert (found["tabs"] > 3, found["menu"] > 0) == ((True, False) if width > 1220 else (False, True))
    assert found["headings"] == 1
    assert found["broken"] == 0
    ground, text = (sum(map(int, re.findall(r"\d+", found[name])[:3])) for name in ("ground", "text"))
    assert (ground > text + 200) if scheme == "default" else (text > ground + 200)
