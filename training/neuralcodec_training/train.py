# SPDX-License-Identifier: Apache-2.0
"""Rate-distortion training: resumable, with averaged (EMA) weights, on CPU or CUDA."""
import json
import math
import os
import signal
import time
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch

from .correlation import correlation_loss
from .data import Crops, load_images, to_tensor
from .distributed import Processes
from .initialise import from_klt, from_model, from_probe
from .model_file import read_model, restore_model
from .models import ARCHITECTURES, PatchCheckerboard
from .zoo.start import from_block_klt


@dataclass
class Config:
    """One run. `minutes` is wall-clock training time, unless `steps` are given; the learning rate follows a cosine over the run."""

    data: str = "data/train"
    out: str = "runs/default"
    architecture: str = "patch-checkerboard"
    hyperparameters: dict = None
    probe: str = ""  # a probe state dict to start from; empty: the KLT of the training patches
    weights: str = ""  # a checkpoint, or an exported model file, whose averaged weights to start from (a new run, not a resumed one)
    transforms: str = ""  # a checkpoint whose averaged analyses and synthesis to start from, the rest being new (transform-coding)
    klt: bool = False  # start the transform balle2018-relu as a linear codec (zoo/start.py); patch-checkerboard always starts so
    minutes: float = 60.0
    steps: int = 0
    batch: int = 16
    crop: int = 128
    late_batch: int = 8  # the last `late_share` of the run uses larger crops, which see fewer zero-padded borders
    late_crop: int = 192
    late_share: float = 0.5
    learning_rate: float = 1e-3
    final_share: float = 0.01
    transform_share: float = 1.0  # of the learning rate, for the analysis and the synthesis: less where they start better than the entropy model (transform-coding)
    warmup_steps: int = 200
    lambda_min: float = 0.0006  # both alike for a model of one rate
    lambda_max: float = 0.25
    correlation_alpha: float = 0.0  # weight of the correlation loss (correlation.py); 0: without
    correlation_window: int = 5
    correlation_mask: str = "point"
    correlation_pairs: str = "all"
    correlation_relative: bool = False  # of the map over its centre: plain, the loss also falls where scales are predicted too large
    correlation_after: int = 0  # steps before it sets in: while scales are not yet predicted, it knows only to make them larger
    orthogonality: float = 0.0  # weight of a learned lattice's |B B^T - I|^2 / n (zoo/lattice.py)
    relaxed: bool = False  # the synthesis sees latents with noise, as the rate does, instead of rounded ones with the gradient passed straight through (transform-coding)
    ema: float = 0.9995
    clip: float = 1.0
    seed: int = 1
    bf16: bool = True
    report_minutes: float = 10.0

    def done(self, step, seconds):
        """The share of the run that has passed."""
        return step / self.steps if self.steps else seconds / (60 * self.minutes)

    def learning_rate_at(self, step, done):
        return self.learning_rate * min(1, (step + 1) / self.warmup_steps) * (self.final_share + (1 - self.final_share) * 0.5 * (1 + math.cos(math.pi * done)))

    def lambda_of(self, r):
        return torch.exp(math.log(self.lambda_min) + r * math.log(self.lambda_max / self.lambda_min))


def load_config(path, overrides):
    """A Config from a YAML file (optional) and `key=value` overrides, whose types follow the defaults."""
    values = {}
    if path:
        import yaml

        with open(path) as f:
            values.update(yaml.safe_load(f) or {})
    kinds = {f.name: f.type for f in fields(Config)}
    for item in overrides:
        key, _, text = item.partition("=")
        if key not in kinds:
            raise SystemExit(f"unknown setting {key!r}; known: {', '.join(kinds)}")
        values[key] = text.lower() in ("1", "true", "yes") if kinds[key] is bool else kinds[key](text) if kinds[key] in (int, float, str) else json.loads(text)
    unknown = set(values) - set(kinds)
    if unknown:
        raise SystemExit(f"unknown settings in {path}: {', '.join(sorted(unknown))}")
    return Config(**values)


def build_model(config):
    model_class = ARCHITECTURES[config.architecture]
    if config.orthogonality and (config.hyperparameters or {}).get("lattice") != "basis":
        raise SystemExit("orthogonality is a setting of models whose lattice is a basis")
    model = model_class(model_class.Hyperparameters(**(config.hyperparameters or {})))
    if config.relaxed:
        if config.architecture != "transform-coding" or (config.hyperparameters or {}).get("lattice") not in (None, "basis"):
            raise SystemExit("relaxed is a setting of transform-coding models, with scalars or a basis")
        model.relaxed = True
    return model


def starting_model(path):
    """The model of a checkpoint, with its averaged weights, or of a model file (convolutions rounded to 16 bits)."""
    if path.endswith(".safetensors"):
        return restore_model(*read_model(path))
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = build_model(Config(**saved["config"]))
    model.load_state_dict(saved["ema"])
    return model


def start_from(model, path, crops):
    """Takes the weights that a run starts from; a model of the default family may have other hyperparameters (`from_model`)."""
    source = starting_model(path)
    shapes = lambda m: {name: t.shape for name, t in m.state_dict().items()}
    if shapes(source) == shapes(model):
        model.load_state_dict(source.state_dict())
    elif isinstance(source, PatchCheckerboard) and isinstance(model, PatchCheckerboard):
        from_model(model, source, crops.batch(16, 128), torch.linspace(0, 1, 16))
    else:
        raise SystemExit(f"{path} is another model: {source.architecture} {json.dumps(source.metadata())}")


TRANSFORM_PARTS = ("g_a.", "g_s.", "h_a.")


def take_transforms(model, path):
    """Gives a model the averaged analyses and synthesis of a checkpoint; its entropy model stays new."""
    saved = starting_model(path).state_dict()
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(TRANSFORM_PARTS)}
    unlike = [name for name, tensor in wanted.items() if name not in saved or saved[name].shape != tensor.shape]
    if unlike or not wanted:
        raise SystemExit(f"{path} has no transforms of this shape: {', '.join(unlike) or 'the model has none by these names'}")
    model.load_state_dict({name: saved[name] for name in wanted}, strict=False)


def parameter_groups(model, share):
    """For an optimizer: all parameters, or those of the analysis and the synthesis with a share of the learning rate of the others."""
    if share == 1:
        return [{"params": list(model.parameters()), "share": 1.0}]
    slow = [p for name, p in model.named_parameters() if name.startswith(("g_a.", "g_s."))]
    ids = {id(p) for p in slow}
    return [{"params": [p for p in model.parameters() if id(p) not in ids], "share": 1.0}, {"params": slow, "share": share}]


def loss_of(config, model, x, r, step=0):
    coded = model(x, r)
    pixels = x.shape[2] * x.shape[3]
    bpp = (coded.y_bits.sum((1, 2, 3)) + coded.z_bits.sum((1, 2, 3))) / pixels
    mse = 255**2 * ((x - coded.x_hat.float()) ** 2).mean((1, 2, 3))
    weight = config.lambda_of(r)
    # Dividing by lambda^0.3 keeps the gradient of low and high rates of one order.
    loss = ((bpp + weight * mse) / (3 * weight**0.3)).mean()
    if config.correlation_alpha and step >= config.correlation_after:
        loss = loss + config.correlation_alpha * correlation_loss(
            coded.normalized, config.correlation_window, config.correlation_mask, config.correlation_pairs, config.correlation_relative)
    if config.orthogonality:
        loss = loss + config.orthogonality * model.lattice.orthogonality()
    return loss


@torch.no_grad()
def estimate(model, pictures, rates=None):
    """[(r, bpp, PSNR)] with rounded latents, rates estimated by the model; by default at the rates that it names."""
    device = next(model.parameters()).device
    points = []
    for r in model.rates if rates is None else rates:
        rows = []
        for x in pictures:
            x = x.to(device)
            x_hat, y_bits, z_bits, _ = model(x, torch.full((1,), r, device=device), rounded=True)
            mse = ((x - (x_hat.clamp(0, 1) * 255).round() / 255) ** 2).mean().item()
            rows.append(((y_bits.sum() + z_bits.sum()).item() / (x.shape[2] * x.shape[3]), -10 * math.log10(max(mse, 1e-10))))
        points.append((r, round(sum(a for a, _ in rows) / len(rows), 4), round(sum(b for _, b in rows) / len(rows), 3)))
    return points


def save(path, state):
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def train(config, photographs=None):
    """Trains until `steps`, or else `minutes`, have passed; a run folder that holds a checkpoint is resumed. Gives whether the run has finished: SIGTERM ends it early.

    Under torchrun the processes share every batch; `log.jsonl` has the first one's loss. The correlation loss is not a mean over crops: each process has that of its own.

    photographs: what `load_images` gives for config.data, where it is there already.
    """
    torch.manual_seed(config.seed)
    processes = Processes()
    processes.check(config.batch, config.late_batch)
    device, first = processes.device, processes.rank == 0
    os.makedirs(config.out, exist_ok=True)
    checkpoint = os.path.join(config.out, "checkpoint.pt")
    images, held = photographs or load_images(config.data)
    model = build_model(config).to(device)
    pictures = [to_tensor(i, max(64, model.stride)) for i in held]
    step, elapsed, processor, crops = 0, 0.0, 0.0, Crops(images, config.seed)
    saved = torch.load(checkpoint, map_location=device, weights_only=True) if os.path.exists(checkpoint) else None
    if saved:
        model.load_state_dict(saved["model"])
        step, elapsed, processor = saved["step"], saved["elapsed"], saved.get("processor", 0.0)
        crops = Crops(images, config.seed + step)
    elif config.weights:
        start_from(model, config.weights, crops)
    elif config.transforms:
        take_transforms(model, config.transforms)
    elif config.probe:
        from_probe(model, torch.load(config.probe, weights_only=True), crops, config.lambda_of)
    elif config.klt:
        from_block_klt(model, crops, config.lambda_min)
    elif isinstance(model, PatchCheckerboard):
        from_klt(model, crops, config.lambda_of)
    processes.align(model.state_dict().values())
    model = model.to(memory_format=torch.channels_last)
    torch.manual_seed(config.seed + step + 1000003 * processes.rank)  # of the noise; crops and rates are drawn alike everywhere, and shared out
    average = {k: v.detach().clone() for k, v in (saved["ema"] if saved else model.state_dict()).items()}
    optimizer = torch.optim.Adam(parameter_groups(model, config.transform_share), config.learning_rate)
    if saved:
        optimizer.load_state_dict(saved["optimizer"])
    log = open(os.path.join(config.out, "log.jsonl") if first else os.devnull, "a")

    def report(**row):
        if not first:
            return
        print(json.dumps(row), file=log, flush=True)
        print(row, flush=True)

    def keep():
        if first:
            save(checkpoint, {"model": model.state_dict(), "ema": average, "optimizer": optimizer.state_dict(), "step": step, "elapsed": elapsed, "processor": processor, "config": asdict(config)})

    def watch():
        if not first:
            return None
        current = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict(average)
        points = estimate(model, pictures)
        model.load_state_dict(current)
        return points

    stop = []
    before = signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    if not saved:
        report(config=asdict(config), parameters=sum(p.numel() for p in model.parameters()), step=0, points=watch())
    last, running, count = elapsed, 0.0, 0
    while True:
        begin = time.time(), time.process_time()
        done, stopped = processes.agree(config.done(step, elapsed), float(bool(stop)))
        if done >= 1 or stopped:
            break
        rate = config.learning_rate_at(step, done)
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("share", 1.0)  # checkpoints of before shares have none
        late = done > 1 - config.late_share
        x = crops.batch(config.late_batch if late else config.batch, config.late_crop if late else config.crop)
        r = torch.from_numpy(crops.rng.random(x.shape[0], np.float32))
        x, r = processes.share(x).to(device, memory_format=torch.channels_last), processes.share(r).to(device)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=config.bf16):
            loss = loss_of(config, model, x, r, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        processes.average_gradients(model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        if torch.isfinite(norm):
            optimizer.step()
        step += 1
        decay = min(config.ema, step / (step + 10.0))
        with torch.no_grad():
            for k, v in model.state_dict().items():
                average[k].lerp_(v, 1 - decay)
        running, count = running + float(loss.detach()), count + 1
        elapsed, processor = elapsed + time.time() - begin[0], processor + time.process_time() - begin[1]
        if elapsed - last > 60 * config.report_minutes:
            last = elapsed
            report(step=step, minutes=round(elapsed / 60, 1), learning_rate=rate, loss=round(running / count, 4), points=watch())
            running, count = 0.0, 0
            keep()
    report(step=step, minutes=round(elapsed / 60, 1), points=watch())
    keep()
    log.close()
    signal.signal(signal.SIGTERM, before)
    processes.close()
    return done >= 1
