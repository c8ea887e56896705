"""What this installation can do: packages, extras, disk, threads, and the lines that install what is missing."""

import os
import platform
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from pse_bench.registry import installed_version
from pse_bench.speaker.encoders import ENCODERS

NAME = "pse-bench"
SERVES = {
    "embedded": "demo, corpus synth, benchmark embedded-v1",
    "asr": "score --recogniser pocketsphinx",
    "whisper": "score --recogniser whisper:tiny.en",
    "dnsmos": "score --metrics all",
    "baseline": "train, export onnx, enhance --system CHECKPOINT",
    "onnx": "enhance --system MODEL.onnx",
    "cluster": "--executor dask, --executor dask-jobqueue",
    "m4a": "manifest of .m4a and .aac files, and all commands that read them",
    "shards": "pack and train --dataset with a URL such as s3://…",
    "public": "enhance --system public:NAME, for those that pip installs as they are",
    "interop": "the tests of export; no command",
    "docs": "building the documentation; no command",
    "dev": "the tests; no command",
}
"""The commands that an extra is for."""

ENCODER_SERVES = "score --metrics all, training, and enhancing with a trained model"
"""Only the network's file of an encoder's package is read, so it is installed without what it depends on and is no
extra."""

_NEEDED = re.compile(r"^([A-Za-z0-9._-]+)(?:.*extra\s*==\s*['\"]([^'\"]+)['\"])?")
"""A requirement: its package, and the extra that asks for it."""

Packages = dict[str, str | None]  # with their installed releases, None where missing


def diagnose(cache: Path, threads: tuple[str, ...]) -> dict[str, Any]:
    """What this installation is, as JSON takes it; nothing is imported or changed. ``cache`` is the folder for
    what can be made again, ``threads`` the variables that say how many threads a library may use.

    Returns:
        ``version``, ``python``, ``machine``; the ``packages`` that every command needs, and those ``missing`` of
        them; ``extras``, each with what it ``serves`` and what brings it; ``disk`` in bytes free, by folder;
        ``cores``; ``threads``, the variables that are set.
    """
    groups: dict[str, Packages] = {"": {}}
    for found in filter(None, map(_NEEDED.match, _requirements())):
        groups.setdefault(found[2] or "", {})[found[1]] = installed_version(found[1]) or None
    own = groups.pop("")
    extras = [(name, SERVES.get(name, ""), held, f"pip install '{NAME}[{name}]'") for name, held in groups.items()]
    for encoder in ENCODERS.values():
        if encoder.package:
            held = {encoder.package: installed_version(encoder.package) or None}
            extras.append(("speaker encoder", ENCODER_SERVES, held, encoder.install))
    places = (Path.cwd(), cache)
    there = [next(above for above in (place, *place.parents) if above.is_dir()) for place in places]
    return {
        "version": installed_version(NAME) or "unknown",
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": own,
        "extras": [dict(zip(("name", "serves", "packages", "install"), extra, strict=True)) for extra in extras],
        "disk": {str(place): shutil.disk_usage(at).free for place, at in zip(places, there, strict=True)},
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": {name: os.environ[name] for name in threads if name in os.environ},
        "missing": [name for name, release in own.items() if release is None],
    }


def _requirements() -> list[str]:
    try:
        return metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return []
