# SPDX-License-Identifier: Apache-2.0
"""python -m neuralcodec_training COMMAND"""
import argparse

from . import calibrate, conformance_models, describe, diagnose, estimate, evaluate, export, goldens, import_compressai
from .experiments import report, runner
from .train import load_config, train


def main():
    parser = argparse.ArgumentParser(prog="neuralcodec_training", description="Training of libneuralcodec's models.")
    commands = parser.add_subparsers(dest="command", required=True)
    t = commands.add_parser("train", help="train a model; a run folder with a checkpoint is resumed")
    t.add_argument("--config", help="YAML file of settings")
    t.add_argument("settings", nargs="*", metavar="key=value", help="settings over the file's")
    t.set_defaults(run=lambda o: train(load_config(o.config, o.settings)))
    for module in (estimate, calibrate, export, import_compressai, describe, diagnose, evaluate, goldens, conformance_models, runner, report):
        module.add_command(commands)
    o = parser.parse_args()
    try:
        o.run(o)
    except OSError as error:
        raise SystemExit(f"neuralcodec_training {o.command}: {error}") from error


if __name__ == "__main__":
    main()
