"""The place of the measurement: the machine, and the folder for its files."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def default_folder(needed: int, in_memory: bool) -> Path:
    """Return a RAM file system if wanted and with room for ``needed`` bytes, else the temporary folder."""
    ram = Path("/dev/shm")
    if in_memory and ram.is_dir() and os.access(ram, os.W_OK):
        stat = os.statvfs(ram)
        if stat.f_bavail * stat.f_frsize > needed:
            return ram
    return Path(tempfile.gettempdir())


def file_system(folder: Path) -> str:
    """Return the type of the file system of a folder, "unknown" if the system does not tell."""
    found, longest = "unknown", -1
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return found
    for line in mounts:
        _, mount, kind, *_ = line.split(" ")
        inside = Path(mount) == folder or Path(mount) in folder.parents
        if inside and len(mount) >= longest:
            found, longest = kind, len(mount)
    return found


def processor() -> str:
    """Return the name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def commit() -> str:
    """Return the commit of the source tree, with "-dirty" if it has changes, "unknown" without git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def describe(folder: Path) -> dict[str, Any]:
    """Describe the machine, as far as a reader of the figures needs it."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "commit": commit(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "file system": file_system(folder.resolve()),
    }
