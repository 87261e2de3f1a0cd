"""Gymnasium's environments, for `cargo xtask bench envs`: as users make them, single and as a vector."""

from __future__ import annotations

import sys
import warnings

import gymnasium as gym
from gymnasium.vector import AutoresetMode

from env_common import COPIES, Form, serve, single_loop, vector_loop

# About ids of older versions and the bounds of observations: they are as wanted.
warnings.filterwarnings("ignore", module="gymnasium")


def forms(env_id: str) -> dict[str, Form]:
    spec = gym.registry.get(env_id)
    if spec is None:
        return {}

    def sync():
        # As ours: an ended episode is followed by the next one's first observation in the same step.
        same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
        return gym.make_vec(env_id, COPIES, vectorization_mode="sync", vector_kwargs=same_step)

    found = {
        f"{env_id}:loop": single_loop(lambda: gym.make(env_id)),
        f"{env_id}:sync-{COPIES}": vector_loop(sync),
    }
    if spec.vector_entry_point is not None:

        def native():
            return gym.make_vec(env_id, COPIES, vectorization_mode="vector_entry_point")

        found[f"{env_id}:native-{COPIES}"] = vector_loop(native)
    return found


def main() -> None:
    every = {}
    for env_id in sys.argv[1:]:
        every.update(forms(env_id))
    serve({"gymnasium": gym.__version__}, every)


main()
