# SPDX-License-Identifier: Apache-2.0
"""export: a checkpoint's averaged weights, with their coding tables, as the file that the library loads."""
import os

from .checkpoint import add_search_option, load_checkpoint, search_with
from .model_file import LINEAR_QUALITY_MAP, write_model


def quality_map(text):
    return tuple(int(v) for v in text.split(","))


def add_command(commands):
    p = commands.add_parser("export", help="write a model file for the library")
    p.add_argument("checkpoint")
    p.add_argument("-o", "--output", required=True, metavar="NAME.safetensors")
    p.add_argument("--id", required=True, help="1 to 8 characters of a-z, 0-9 and -: the name that coded files carry")
    p.add_argument("--description", default="", help="one line: training data and its terms")
    p.add_argument("--quality-map", type=quality_map, default=LINEAR_QUALITY_MAP, metavar="A,B,...",
                   help="11 rate parameters (0 to 65535) at quality 0, 10, ..., 100, as `calibrate` proposes them; default: linear")
    p.add_argument("--half", action="store_true", default=None, help="convolution weights with 16 bits (the default family's always have)")
    add_search_option(p)
    p.set_defaults(run=run)


def run(o):
    model, saved = load_checkpoint(o.checkpoint)
    search_with(model, o.lattice_search)
    metadata = write_model(o.output, model, o.id, o.description, o.quality_map, half=o.half)
    print(f"{o.output}: {os.path.getsize(o.output)} bytes, id {metadata['id']}, step {saved['step']}, hash {metadata['hash']}")
