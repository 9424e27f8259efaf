"""Releases of Septet: where their sources are, and how they are built."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import stack

WORK = stack.ROOT / "target" / "upgrade"

FORMER = ("0.1.0", "e158410")
"""The former release: its name, and the commit of this repository that it was made of."""

# Runs in the sources of a release, with its own scripts: a release knows how it is built.
_BUILD = """
import json, sys
sys.path[:0] = ["local", "tests/flow"]
import cloud, stack
programs = cloud.build_programs()
print(json.dumps({"programs": programs, "template": str(stack.build())}))
"""


@dataclass(frozen=True)
class Release:
    """A release that is built: its programs and its template."""

    name: str
    programs: dict[str, str]
    template: Path


def former() -> Release:
    """Builds the former release from the history of this repository; later calls build nothing anew."""
    name, commit = FORMER
    sources = WORK / name
    if not (sources / "Cargo.toml").exists():
        _unpack(commit, sources)
    # Apart from today's, or each build would throw the other's away.
    return _built(name, sources, {"CARGO_TARGET_DIR": str(WORK / "target")})


def today() -> Release:
    """Builds what is in the working directory."""
    return _built("today", stack.ROOT, {})


def _unpack(commit: str, sources: Path) -> None:
    archive = ["git", "-C", str(stack.ROOT), "archive", "--format=tar", commit]
    done = subprocess.run(archive, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode().strip()
        raise stack.LocalAwsError(f"commit {commit} is not in this repository ({said}); fetch its whole history")
    unfinished = sources.with_name(f"{sources.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        tar.extractall(unfinished, filter="data")
    unfinished.rename(sources)


def _built(name: str, sources: Path, more: dict[str, str]) -> Release:
    tools = os.environ.get("SEPTET_SAM_TOOLS", str(stack.WORK / "venv-sam" / "bin"))
    environment = {**os.environ, "SEPTET_SAM_TOOLS": tools, **more}
    done = subprocess.run(
        [sys.executable, "-c", _BUILD], cwd=sources, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise stack.LocalAwsError(f"release {name} could not be built")
    found = json.loads(done.stdout.splitlines()[-1])
    return Release(name, found["programs"], Path(found["template"]))
