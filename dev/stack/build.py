"""Builds the workspace for this machine and packs the functions for the local AWS."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from layout import ROOT, StackError, say

CODE_URI = re.compile(r"CodeUri: functions/([a-z0-9-]+)")


def functions() -> list[str]:
    return CODE_URI.findall((ROOT / "template.yaml").read_text())


def target_folder() -> Path:
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        command.remove("--offline")
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        raise StackError(f"cargo metadata failed: {result.stderr.strip().splitlines()[-1]}")
    return Path(json.loads(result.stdout)["target_directory"])


def compile_workspace() -> Path:
    """Plain `cargo build` in the light dev profile; returns the folder of the programs."""
    command = ["cargo", "build", "--workspace", "--bins", "--locked"]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    if code:
        raise StackError("the build failed, see the compiler's words above")
    return target_folder() / "debug"


def stage(programs: Path, build: Path) -> str:
    """Packs each program into `build/<function>.zip` beside the template; returns the digest of it all."""
    names = functions()
    for name in names:
        if not (programs / name).exists():
            raise StackError(f"template.yaml names functions/{name}, but cargo built no program of that name")
    template = (ROOT / "template.yaml").read_text()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(lambda name: pack(programs / name, build), names))
    for stray in build.glob("*.zip"):
        if stray.stem not in names:
            stray.unlink()
    (build / "template.yaml").write_text(CODE_URI.sub(r"CodeUri: \1.zip", template))
    return hashlib.sha256("".join([template, *digests]).encode()).hexdigest()


def pack(program: Path, build: Path) -> str:
    """SAM would pack it too, each time and as small as it can: half a minute for all programs of the dev profile."""
    content = program.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    archive, note = build / f"{program.name}.zip", build / f"{program.name}.sha256"
    if archive.exists() and note.exists() and note.read_text() == digest:
        return digest
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o100755 << 16
    note.unlink(missing_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=1)
    note.write_text(digest)
    return digest


def program(programs: Path, name: str) -> Path:
    path = programs / name
    if not path.exists():
        say(f"no program {path}")
        raise StackError(f"cargo built no program `{name}`")
    return path
