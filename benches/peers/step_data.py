"""What the engines of `cargo xtask bench peers` share: the data they learn from, and their lines.

`benches/src/peers/data.rs` says what lies in the folder, `process.rs` which lines are exchanged.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class StepData:
    """A replay memory, first parameters, and the batches of the compared steps."""

    header: dict
    parameters: dict[str, np.ndarray]
    observation: np.ndarray
    next_observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    indices: np.ndarray


def load(folder: Path) -> StepData:
    header = json.loads((folder / "header.json").read_text())
    flat = np.fromfile(folder / "parameters.f32", "<f4")
    parameters, offset = {}, 0
    for tensor in header["tensors"]:
        shape = tensor["shape"]
        size = int(np.prod(shape))
        parameters[tensor["name"]] = flat[offset : offset + size].reshape(shape)
        offset += size
    return StepData(
        header,
        parameters,
        observations(folder, "observation", header),
        observations(folder, "next_observation", header),
        np.fromfile(folder / "action.u32", "<u4").astype(np.int64),
        np.fromfile(folder / "reward.f32", "<f4"),
        np.fromfile(folder / "discount.f32", "<f4"),
        np.fromfile(folder / "indices.u32", "<u4")
        .astype(np.int64)
        .reshape(header["compared_steps"], header["batch_size"]),
    )


def observations(folder: Path, name: str, header: dict) -> np.ndarray:
    """`[transition]` and then the axes of one observation."""
    floats, byte_values = folder / f"{name}.f32", folder / f"{name}.u8"
    flat = np.fromfile(floats, "<f4") if floats.exists() else np.fromfile(byte_values, np.uint8)
    return flat.reshape(header["transitions"], *header["input"]["shape"])


def channels_first(observation: np.ndarray, header: dict) -> np.ndarray:
    """Images as `[transition][channel][row][column]`; other observations as they are."""
    if header["input"]["order"] == "channels-last":
        return np.ascontiguousarray(np.moveaxis(observation, -1, 1))
    return observation


def channels_last(observation: np.ndarray, header: dict) -> np.ndarray:
    """Images as `[transition][row][column][channel]`; other observations as they are."""
    if header["input"]["order"] == "channels-first":
        return np.ascontiguousarray(np.moveaxis(observation, 1, -1))
    return observation


@dataclass
class Form:
    """One way of making gradient steps."""

    steps_per_call: int
    # The losses of the compared steps, from the first parameters.
    losses: Callable[[], list[float]]
    # Makes so many calls, on batches that it draws itself, and returns when they are done.
    run: Callable[[int], None]


def serve(versions: dict[str, str], forms: dict[str, Form]) -> None:
    """Answers lines until standard input ends."""
    steps = {name: form.steps_per_call for name, form in forms.items()}
    print(json.dumps({"versions": versions, "forms": steps}), flush=True)
    for line in sys.stdin:
        match line.split():
            case ["losses", name]:
                answer = forms[name].losses()
            case ["time", name, calls]:
                start = time.perf_counter()
                forms[name].run(int(calls))
                answer = time.perf_counter() - start
            case _:
                raise ValueError(f"{line!r} is no question")
        print(json.dumps(answer), flush=True)
