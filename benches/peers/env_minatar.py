"""The package MinAtar's games, for `cargo xtask bench envs`: through Gymnasium, and through its own interface."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version

import gymnasium as gym
import minatar.gym
from minatar import Environment

from env_common import SEED, STEPS_PER_CALL, Form, random_actions, serve, single_loop

GAMES = {
    "Asterix": "asterix",
    "Breakout": "breakout",
    "Freeway": "freeway",
    "Seaquest": "seaquest",
    "SpaceInvaders": "space_invaders",
}


def own_loop(game: str, minimal: bool) -> Form:
    """`act`, `state`, and `reset` where an episode ends."""

    def make():
        env = Environment(game)
        env.seed(SEED)
        allowed = env.minimal_action_set() if minimal else list(range(env.num_actions()))
        actions = [allowed[action] for action in random_actions(len(allowed)).flatten()]
        env.reset()
        at = 0

        def run(calls: int) -> None:
            nonlocal at
            for _ in range(calls):
                for action in actions[at : at + STEPS_PER_CALL]:
                    _, terminal = env.act(action)
                    env.state()
                    if terminal:
                        env.reset()
                        env.state()
                at = (at + STEPS_PER_CALL) % len(actions)

        return run

    return Form(make)


def main() -> None:
    # That there is a version 1 beside version 0, and whatever NumPy says of the package's types.
    warnings.filterwarnings("ignore")
    minatar.gym.register_envs()
    forms = {}
    for env_id in sys.argv[1:]:
        if not env_id.startswith("MinAtar/"):
            continue
        name, release = env_id.removeprefix("MinAtar/").split("-")
        if name in GAMES:
            forms[f"{env_id}:loop"] = single_loop(lambda env_id=env_id: gym.make(env_id))
            forms[f"{env_id}:own-loop"] = own_loop(GAMES[name], minimal=release == "v1")
    serve({"MinAtar": version("MinAtar"), "gymnasium": gym.__version__}, forms)


main()
