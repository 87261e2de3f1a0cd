"""EnvPool's environments, for `cargo xtask bench envs`: 64 copies with one thread, all stepped together."""

from __future__ import annotations

import sys
from importlib.metadata import version

import envpool

from env_common import COPIES, Form, serve, vector_loop

# EnvPool has the version before, which differs only in what some steps do.
NAMES = {"Taxi-v4": "Taxi-v3"}


def form(name: str) -> Form:
    def make():
        pool = envpool.make(name, env_type="gymnasium", num_envs=COPIES, num_threads=1, seed=1)
        return Pool(pool)

    return vector_loop(make)


class Pool:
    """With the attributes of Gymnasium's vector environments. EnvPool is seeded where it is made."""

    def __init__(self, pool):
        self.single_action_space = pool.action_space
        self.step = pool.step
        self.reset = lambda seed: pool.reset()


def main() -> None:
    known = set(envpool.list_all_envs())
    forms = {}
    for env_id in sys.argv[1:]:
        name = env_id if env_id in known else NAMES.get(env_id)
        if name in known:
            forms[f"{env_id}:pool-{COPIES}"] = form(name)
            if name != env_id:
                forms[f"{env_id}:pool-{COPIES}"].called = name
    serve({"envpool": version("envpool")}, forms)


main()
