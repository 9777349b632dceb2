"""What the figures were measured on."""

import os
import platform
from pathlib import Path

import pycurl


def machine() -> str:
    """Name processor, cores, Python and libcurl."""
    libcurl = next(word for word in pycurl.version.split() if word.startswith("libcurl/"))
    cores = os.process_cpu_count()
    return f"{_processor()}, {cores} cores, Python {platform.python_version()}, {libcurl}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
