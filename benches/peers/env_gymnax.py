"""gymnax's environments on the processor, for `cargo xtask bench envs`: many steps in one `lax.scan`."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import gymnax
import jax
import jax.numpy as jnp

from env_common import SEED, Form, random_actions, serve

# Copies and rows of actions in one call: long enough that its beginning does not count. Steps of MinAtar are longer.
SHAPES = [(1, 16384), (64, 1024), (1024, 128)]
MINATAR_SHAPES = [(1, 2048), (64, 64), (1024, 8)]
# Compiling all of them takes a minute or two, and is done once.
jax.config.update("jax_compilation_cache_dir", str(Path(sys.prefix) / "jax-compiled"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def name_of(env_id: str) -> str:
    """Its games of MinAtar have the minimal actions, as v1 has."""
    if env_id.startswith("MinAtar/"):
        game, release = env_id.removeprefix("MinAtar/").split("-")
        return f"{game}-MinAtar" if release == "v1" else ""
    return env_id


def form(name: str, copies: int, rows: int) -> Form:
    def make():
        env, params = gymnax.make(name)
        count = env.action_space(params).n
        actions = jnp.asarray(random_actions(int(count), copies, rows), jnp.int32)
        reset = jax.vmap(env.reset, in_axes=(0, None))
        step = jax.vmap(env.step, in_axes=(0, 0, 0, None))
        key, start = jax.random.split(jax.random.key(SEED))
        observation, state = jax.jit(reset)(jax.random.split(start, copies), params)

        @jax.jit
        def steps(key, observation, state):
            def one(carry, row):
                key, _, state, earned = carry
                key, now = jax.random.split(key)
                # The observation stays in the carry, so that it has to be computed.
                observation, state, reward, _, _, _ = step(jax.random.split(now, copies), state, row, params)
                return (key, observation, state, earned + reward), None

            carry = (key, observation, state, jnp.zeros(copies))
            return jax.lax.scan(one, carry, actions)[0]

        def run(calls: int) -> None:
            nonlocal key, observation, state
            for _ in range(calls):
                key, observation, state, _ = steps(key, observation, state)
            jax.block_until_ready(observation)

        return run

    return Form(make, copies * rows, name)


def main() -> None:
    forms = {}
    for env_id in sys.argv[1:]:
        name = name_of(env_id)
        if name in gymnax.registered_envs:
            shapes = MINATAR_SHAPES if env_id.startswith("MinAtar/") else SHAPES
            for copies, rows in shapes:
                forms[f"{env_id}:scan-{copies}"] = form(name, copies, rows)
    serve({"gymnax": version("gymnax"), "jax": jax.__version__}, forms)


main()
