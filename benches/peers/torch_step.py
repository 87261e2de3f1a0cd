# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.15.0", "numpy==2.4.6"]
# ///
"""Microseconds per DQN gradient step in eager PyTorch on one core, printed as JSON.

One step is: draw indices, gather the batch from a replay of tensors, forward of the target
network, maximum, forward of the online network, Huber (or squared) TD error, backward, fused
Adam. There is no environment and no target update in it.

Absolute times move from machine to machine and with what else runs: time another engine in the
same sitting, on the same core, and compare ratios.

    taskset -c 1 python torch_step.py
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
import torch
from torch import nn

from peer_common import check_versions, machine

PINS = {"torch": "2.15.0", "numpy": "2.4.6"}

# Widths from observation to actions, and the batch size.
NETWORKS = {
    "A": ([4, 24, 24, 2], 64),
    "B": ([4, 120, 84, 2], 128),
    "C": ([4, 256, 256, 2], 128),
}
REPLAY_TRANSITIONS = 50_000
DISCOUNT = 0.99


def mlp(widths: list[int]) -> nn.Sequential:
    """Fully connected layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def step_function(widths: list[int], batch_size: int, loss: str):
    """A closure that makes one gradient step on a replay of random transitions."""
    torch.manual_seed(1)
    online, target = mlp(widths), mlp(widths)
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=1e-3, fused=True)
    observations = torch.randn(REPLAY_TRANSITIONS, widths[0])
    next_observations = torch.randn(REPLAY_TRANSITIONS, widths[0])
    actions = torch.randint(0, widths[-1], (REPLAY_TRANSITIONS, 1))
    rewards = torch.ones(REPLAY_TRANSITIONS, 1)
    discounts = DISCOUNT * (torch.rand(REPLAY_TRANSITIONS, 1) > 0.05).float()
    td_loss = nn.functional.smooth_l1_loss if loss == "huber" else nn.functional.mse_loss

    def step() -> None:
        rows = torch.randint(0, REPLAY_TRANSITIONS, (batch_size,))
        with torch.no_grad():
            best_next = target(next_observations[rows]).max(dim=1, keepdim=True).values
            td_target = rewards[rows] + discounts[rows] * best_next
        taken = online(observations[rows]).gather(1, actions[rows])
        optimizer.zero_grad(set_to_none=True)
        td_loss(taken, td_target).backward()
        optimizer.step()

    return step


def flops_per_step(widths: list[int], batch_size: int) -> int:
    """Matrix products only: two forwards, weight gradients, input gradients but for the first."""
    products = [inputs * outputs for inputs, outputs in zip(widths[:-1], widths[1:])]
    return 2 * batch_size * (4 * sum(products) - products[0])


def microseconds_per_step(step, steps: int, warm_up_steps: int) -> np.ndarray:
    """One time for each step, so that a disturbance by another program stays an outlier."""
    for _ in range(warm_up_steps):
        step()
    times = np.empty(steps)
    for index in range(steps):
        start = time.perf_counter_ns()
        step()
        times[index] = (time.perf_counter_ns() - start) / 1e3
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loss", choices=["huber", "mse"], default="huber")
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--warm-up-steps", type=int, default=500)
    parser.add_argument("--networks", nargs="+", choices=sorted(NETWORKS), default=list(NETWORKS))
    arguments = parser.parse_args()
    if arguments.steps < 1:
        sys.exit("--steps: at least 1")

    torch.set_num_threads(1)
    measured = {}
    for name in arguments.networks:
        widths, batch_size = NETWORKS[name]
        step = step_function(widths, batch_size, arguments.loss)
        times = microseconds_per_step(step, arguments.steps, arguments.warm_up_steps)
        median = float(np.median(times))
        flops = flops_per_step(widths, batch_size)
        measured[name] = {
            "widths": widths,
            "batch_size": batch_size,
            "microseconds_median": round(median, 1),
            "microseconds_p10": round(float(np.percentile(times, 10)), 1),
            "microseconds_p90": round(float(np.percentile(times, 90)), 1),
            "flops": flops,
            "gflop_per_second": round(flops / median / 1e3, 2),
        }
    result = {
        "engine": "PyTorch eager, fused Adam",
        "loss": arguments.loss,
        "steps": arguments.steps,
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": check_versions(PINS),
        "machine": machine(),
        "networks": measured,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
