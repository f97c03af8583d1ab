# SPDX-License-Identifier: Apache-2.0
"""Data-parallel training under PyTorch's launcher, torchrun: each process has a share of every batch, and gradients are averaged. Without the launcher there is one process."""
import os

import torch
import torch.distributed as dist


class Processes:
    """The processes of a run. `rank` 0 is the one that writes."""

    def __init__(self):
        self.rank, self.count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        if self.count > 1:
            dist.init_process_group("nccl" if self.device == "cuda" else "gloo")

    def close(self):
        if self.count > 1:
            dist.destroy_process_group()

    def share(self, batch):
        """This process' part of what all have alike: (B, ...) -> (B / count, ...)."""
        return batch.tensor_split(self.count)[self.rank]

    def check(self, *batches):
        for batch in batches:
            if batch % self.count:
                raise SystemExit(f"a batch of {batch} crops cannot be shared by {self.count} processes")

    @torch.no_grad()
    def align(self, tensors):
        """Everyone gets the first process' values."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    @torch.no_grad()
    def average_gradients(self, parameters):
        """A loss that is a mean over the batch then has the gradient of the whole batch."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients])):
            gradient.copy_(part.view_as(gradient))

    def agree(self, *values):
        """The greatest that any process has of each, so that all take the same turn."""
        if self.count == 1:
            return values
        found = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return found.tolist()
