"""What the scripts of `cargo xtask bench envs` share: random actions, and the lines they are asked and answer with.

`benches/src/process.rs` says which lines are exchanged. Each script is given the ids of our environments and has
forms, named `ID:KIND`, for those that its package has as well.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

COPIES = 64
# As many rows of actions are drawn beforehand, one action a copy, and taken again and again.
ACTION_ROWS = 1024
# Env steps of one call, where a script says nothing else.
STEPS_PER_CALL = 1024
SEED = 1


def random_actions(count: int, copies: int = COPIES, rows: int = ACTION_ROWS) -> np.ndarray:
    """`[row][copy]`, each below `count`."""
    return np.random.default_rng(SEED).integers(0, count, (rows, copies))


@dataclass
class Form:
    """One way of stepping an environment."""

    # Makes what is stepped. It is called when the form is first asked for, and returns what makes so many calls.
    make: Callable[[], Callable[[int], None]]
    steps_per_call: int = STEPS_PER_CALL
    # The name of the environment in the package, where that is not our id.
    called: str | None = None


def serve(versions: dict[str, str], forms: dict[str, Form]) -> None:
    """Answers lines until standard input ends."""
    steps = {name: form.steps_per_call for name, form in forms.items()}
    called = {name: form.called for name, form in forms.items() if form.called}
    print(json.dumps({"versions": versions, "forms": steps, "called": called}), flush=True)
    made = {}
    for line in sys.stdin:
        match line.split():
            case ["time", name, calls]:
                print(json.dumps(seconds(made, forms, name, int(calls))), flush=True)
            case _:
                raise ValueError(f"{line!r} is no question")


def seconds(made: dict, forms: dict[str, Form], name: str, calls: int) -> float | dict:
    try:
        if name not in made:
            made[name] = forms[name].make()
        start = time.perf_counter()
        made[name](calls)
        return time.perf_counter() - start
    except Exception as error:  # whatever a package cannot do is part of the result
        return {"error": f"{type(error).__name__}: {error}"}


def single_loop(make_env, steps_per_call: int = STEPS_PER_CALL) -> Form:
    """Gymnasium's loop: one environment, stepped, and reset where an episode ends."""

    def make():
        env = make_env()
        actions = random_actions(int(env.action_space.n)).flatten().tolist()
        env.reset(seed=SEED)
        at = 0

        def run(calls: int) -> None:
            nonlocal at
            step, reset = env.step, env.reset
            for _ in range(calls):
                for action in actions[at : at + steps_per_call]:
                    _, _, terminated, truncated, _ = step(action)
                    if terminated or truncated:
                        reset()
                at = (at + steps_per_call) % len(actions)

        return run

    return Form(make, steps_per_call)


def vector_loop(make_envs, copies: int = COPIES) -> Form:
    """Environments in the form of Gymnasium's `VectorEnv`, which reset themselves."""

    def make():
        envs = make_envs()
        count = int(envs.single_action_space.n)
        actions = list(random_actions(count, copies).astype(envs.single_action_space.dtype))
        rows_per_call = STEPS_PER_CALL // copies
        envs.reset(seed=SEED)
        at = 0

        def run(calls: int) -> None:
            nonlocal at
            step = envs.step
            for _ in range(calls):
                for row in actions[at : at + rows_per_call]:
                    step(row)
                at = (at + rows_per_call) % len(actions)

        return run

    return Form(make)


def refuse(reason: str) -> None:
    """In the place of the first line: the package cannot be run."""
    print(json.dumps({"error": reason}), flush=True)
