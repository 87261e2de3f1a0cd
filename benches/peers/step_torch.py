"""DQN gradient steps in eager PyTorch with fused Adam, for `cargo xtask bench peers`.

    python step_torch.py FOLDER
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from step_data import Form, StepData, channels_first, load, serve


class Bytes(nn.Module):
    """Pixels from 0 to 255 as numbers from 0 to 1."""

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        return observation.float().div_(255.0)


def network(data: StepData) -> nn.Sequential:
    """The header's layers with the first parameters."""
    layers: list[nn.Module] = []
    for number, layer in enumerate(data.header["layers"]):
        weight = data.parameters.get(f"layers.{number}.weight")
        match layer["kind"]:
            case "linear":
                module = nn.Linear(weight.shape[1], weight.shape[0])
            case "convolution":
                module = nn.Conv2d(
                    weight.shape[1],
                    weight.shape[0],
                    layer["size"],
                    layer["stride"],
                    layer["padding"],
                )
            case "relu":
                module = nn.ReLU(inplace=True)
            case "flatten":
                module = nn.Flatten()
            case kind:
                raise ValueError(f"layer {number} is of a kind that this script does not know: {kind}")
        if weight is not None:
            bias = data.parameters[f"layers.{number}.bias"]
            module.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
        layers.append(module)
    if data.observation.dtype == "uint8":
        layers.insert(0, Bytes())
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def memory_of(observation: np.ndarray) -> torch.Tensor:
    """Images with their channels last in memory: convolutions on a processor are faster so."""
    tensor = torch.from_numpy(observation)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


class Training:
    """A network, its target, its optimiser and a replay memory of tensors."""

    def __init__(self, data: StepData) -> None:
        header = data.header
        self.data, self.target_every = data, header["target_every"]
        self.loss = nn.HuberLoss(delta=header["huber_kappa"])
        self.observation = memory_of(channels_first(data.observation, header))
        self.next_observation = memory_of(channels_first(data.next_observation, header))
        self.action = torch.from_numpy(data.action).unsqueeze(1)
        self.reward = torch.from_numpy(data.reward)
        self.discount = torch.from_numpy(data.discount)
        self.rows = torch.empty(header["batch_size"], dtype=torch.int64)
        self.start()

    def start(self) -> None:
        """From the first parameters."""
        self.online, self.target, self.steps = network(self.data), network(self.data), 0
        self.target.requires_grad_(False)
        adam = self.data.header["adam"]
        self.optimizer = torch.optim.Adam(
            self.online.parameters(),
            lr=self.data.header["learning_rate"],
            betas=(adam["beta1"], adam["beta2"]),
            eps=adam["epsilon"],
            fused=True,
        )

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """One gradient step on these rows of the memory; the loss before it."""
        with torch.no_grad():
            best_next = self.target(self.next_observation.index_select(0, rows)).amax(dim=1)
            td_target = torch.addcmul(
                self.reward.index_select(0, rows), self.discount.index_select(0, rows), best_next
            )
        values = self.online(self.observation.index_select(0, rows))
        taken = values.gather(1, self.action.index_select(0, rows)).squeeze(1)
        loss = self.loss(taken, td_target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        if self.steps % self.target_every == 0:
            with torch.no_grad():
                torch._foreach_copy_(list(self.target.parameters()), list(self.online.parameters()))
        return loss.detach()

    def run(self, calls: int) -> None:
        for _ in range(calls):
            torch.randint(0, len(self.reward), self.rows.shape, out=self.rows)
            self.step(self.rows)

    def losses(self) -> list[float]:
        self.start()
        return [self.step(rows).item() for rows in torch.from_numpy(self.data.indices)]


def main() -> None:
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    training = Training(load(Path(sys.argv[1])))
    versions = {"torch": importlib.metadata.version("torch")}
    serve(versions, {"eager": Form(1, training.losses, training.run)})


if __name__ == "__main__":
    main()
