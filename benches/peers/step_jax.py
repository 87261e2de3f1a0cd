"""DQN gradient steps in JAX, one jitted step a call and many in one `lax.scan`, for
`cargo xtask bench peers`.

    python step_jax.py FOLDER
"""

from __future__ import annotations

import importlib.metadata
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from step_data import Form, StepData, channels_last, load, serve


def first_parameters(data: StepData) -> list[tuple[jax.Array, jax.Array]]:
    """Weight and bias of each layer that has them, as XLA likes them: convolutions
    `[row][column][input][output]`, linear layers `[input][output]`.

    Images are held `[row][column][channel]`; the first linear layer behind one has its inputs in
    the order `[channel][row][column]`, and they are put in that of the images here.
    """
    parameters, image = [], None
    for number, layer in enumerate(data.header["layers"]):
        weight = data.parameters.get(f"layers.{number}.weight")
        if weight is None:
            continue
        bias = data.parameters[f"layers.{number}.bias"]
        if layer["kind"] == "convolution":
            image = weight.shape[0]
            weight = weight.transpose(2, 3, 1, 0)
        else:
            if image is not None:
                outputs, inputs = weight.shape
                side = int(round((inputs // image) ** 0.5))
                weight = weight.reshape(outputs, image, side, side).transpose(0, 2, 3, 1)
                weight, image = weight.reshape(outputs, inputs), None
            weight = weight.T
        parameters.append((jnp.array(weight), jnp.array(bias)))
    return parameters


def values(layers: list[dict], parameters, observation: jax.Array) -> jax.Array:
    """The network, `[batch][action]`."""
    x, own = observation, iter(parameters)
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) / 255.0
    for layer in layers:
        match layer["kind"]:
            case "linear":
                weight, bias = next(own)
                x = x @ weight + bias
            case "convolution":
                weight, bias = next(own)
                x = bias + lax.conv_general_dilated(
                    x,
                    weight,
                    (layer["stride"], layer["stride"]),
                    [(layer["padding"], layer["padding"])] * 2,
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )
            case "relu":
                x = jax.nn.relu(x)
            case "flatten":
                x = x.reshape(x.shape[0], -1)
            case kind:
                raise ValueError(f"a layer is of a kind that this script does not know: {kind}")
    return x


class Training:
    """A network, its target, its optimiser and a replay memory on the device."""

    def __init__(self, data: StepData) -> None:
        self.header, self.indices = data.header, jnp.array(data.indices)
        self.first = first_parameters(data)
        self.memory = jax.device_put(
            (
                channels_last(data.observation, data.header),
                channels_last(data.next_observation, data.header),
                data.action.astype(np.int32),
                data.reward,
                data.discount,
            )
        )
        self.start()

    def start(self) -> None:
        """From the first parameters."""
        zeros = jax.tree.map(jnp.zeros_like, self.first)
        online = jax.tree.map(jnp.copy, self.first)
        count = jnp.zeros((), jnp.float32)
        self.state = (online, zeros, jax.tree.map(jnp.copy, zeros), count)
        self.target = jax.tree.map(jnp.copy, self.first)
        self.key, self.steps = jax.random.key(1), 0

    def loss(self, online, target, rows, memory):
        observation, next_observation, action, reward, discount = memory
        layers = self.header["layers"]
        best_next = values(layers, target, next_observation[rows]).max(axis=1)
        td_target = lax.stop_gradient(reward[rows] + discount[rows] * best_next)
        q = values(layers, online, observation[rows])
        taken = jnp.take_along_axis(q, action[rows][:, None], axis=1)[:, 0]
        error, kappa = jnp.abs(td_target - taken), self.header["huber_kappa"]
        huber = jnp.where(error <= kappa, 0.5 * error**2, kappa * (error - 0.5 * kappa))
        return huber.mean()

    def step_on(self, state, target, rows, memory):
        """One gradient step on these rows of the memory."""
        online, mean, square, count = state
        loss, gradient = jax.value_and_grad(self.loss)(online, target, rows, memory)
        adam = self.header["adam"]
        beta1, beta2 = adam["beta1"], adam["beta2"]
        count += 1
        mean = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, mean, gradient)
        square = jax.tree.map(lambda s, g: beta2 * s + (1 - beta2) * g * g, square, gradient)
        rate = self.header["learning_rate"] / (1 - beta1**count)
        root = 1 / jnp.sqrt(1 - beta2**count)
        online = jax.tree.map(
            lambda p, m, s: p - rate * m / (jnp.sqrt(s) * root + adam["epsilon"]),
            online,
            mean,
            square,
        )
        return (online, mean, square, count), loss

    def draw(self, key, steps: int):
        """Rows of so many batches, and the next key."""
        key, own = jax.random.split(key)
        shape = (steps, self.header["batch_size"])
        return key, jax.random.randint(own, shape, 0, self.header["transitions"])

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def one(self, state, target, rows, memory):
        return self.step_on(state, target, rows, memory)

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def many(self, state, target, rows, memory):
        return lax.scan(lambda state, rows: self.step_on(state, target, rows, memory), state, rows)

    @partial(jax.jit, static_argnums=0, donate_argnums=(1, 3))
    def draw_and_one(self, state, target, key, memory):
        key, rows = self.draw(key, 1)
        return *self.step_on(state, target, rows[0], memory), key

    @partial(jax.jit, static_argnums=0, donate_argnums=(1, 3))
    def draw_and_many(self, state, target, key, memory):
        key, rows = self.draw(key, self.header["scan_steps"])
        return *self.many(state, target, rows, memory), key

    def run(self, call, steps_per_call: int, calls: int) -> None:
        for _ in range(calls):
            self.state, _, self.key = call(self.state, self.target, self.key, self.memory)
            self.steps += steps_per_call
            if self.steps % self.header["target_every"] < steps_per_call:
                self.target = jax.tree.map(jnp.copy, self.state[0])
        jax.block_until_ready(self.state)

    def losses_of_one(self) -> list[float]:
        self.start()
        losses = []
        for rows in self.indices:
            self.state, loss = self.one(self.state, self.target, rows, self.memory)
            losses.append(float(loss))
        return losses

    def losses_of_many(self) -> list[float]:
        self.start()
        self.state, losses = self.many(self.state, self.target, self.indices, self.memory)
        return [float(loss) for loss in losses]


def main() -> None:
    training = Training(load(Path(sys.argv[1])))
    scan_steps = training.header["scan_steps"]
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
    forms = {
        "jit": Form(1, training.losses_of_one, partial(training.run, training.draw_and_one, 1)),
        "scan": Form(
            scan_steps,
            training.losses_of_many,
            partial(training.run, training.draw_and_many, scan_steps),
        ),
    }
    serve(versions, forms)


if __name__ == "__main__":
    main()
