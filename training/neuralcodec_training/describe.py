# SPDX-License-Identifier: Apache-2.0
"""describe: what a checkpoint or a model file is, and what it costs to run."""
import json
import os

from .checkpoint import load_checkpoint
from .complexity import costs
from .model_file import read_model, restore_model


def add_command(commands):
    p = commands.add_parser("describe", help="hyperparameters, size and kMAC/pixel of a checkpoint or model file")
    p.add_argument("model", help="checkpoint.pt or NAME.safetensors")
    p.set_defaults(run=run)


def table(title, parts):
    print(f"{title}: {sum(parts.values()) / 1000:.2f} kMAC/pixel")
    for part, macs in parts.items():
        print(f"  {macs / 1000:6.2f}  {part}")


def run(o):
    if o.model.endswith(".safetensors"):
        tensors, metadata = read_model(o.model)
        model = restore_model(tensors, metadata)
        for key in ("id", "description", "hash"):
            print(f"{key}: {metadata[key]}")
        print(f"size: {os.path.getsize(o.model)} bytes")
        if "quality_map" in tensors:
            print(f"quality map: {','.join(map(str, tensors['quality_map']))}")
    else:
        model, saved = load_checkpoint(o.model)
        print(f"step {saved['step']}, {saved['elapsed'] / 60:.1f} minutes")
        print(f"config: {json.dumps(saved['config'])}")
    print(f"architecture: {model.architecture} {json.dumps(model.metadata())}")
    print(f"parameters: {sum(p.numel() for p in model.parameters())}")
    receiver, sender = costs(model)
    table("receiver", receiver)
    table("sender", sender)
