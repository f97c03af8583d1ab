# SPDX-License-Identifier: Apache-2.0
"""Runs one part of `make bench`, shows what it prints, and keeps the JSON of its last line in build/bench/NAME.json beside a description of the machine.

    python Benchmarks/record.py NAME COMMAND...
"""
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import coders

INTERESTING_FLAGS = ("fma", "avx", "avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "hypervisor", "asimd")


def output_of(*command):
    return subprocess.run(command, cwd=coders.ROOT, capture_output=True, text=True).stdout.strip()


def machine():
    fields = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", "")).split()
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        caches[f"L{level} {kind.lower()}"] = size
    return {
        "cpu": fields.get("model name", platform.machine()),
        "flags": [flag for flag in INTERESTING_FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "caches": caches,
        "kernel": platform.release(),
        "command": output_of(coders.COMMAND, "--version"),  # with the path of its kernels
        "commit": output_of("git", "describe", "--always", "--dirty"),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def main(name, command):
    print(f"\n== {name}", flush=True)
    last = None
    with subprocess.Popen(["stdbuf", "-oL", *command], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        for line in process.stdout:
            if last is not None:
                print(last, end="", flush=True)
            last = line
    if process.returncode:
        sys.exit(process.returncode)
    folder = coders.ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    document = {"part": name, "machine": machine(), "results": json.loads(last)}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
