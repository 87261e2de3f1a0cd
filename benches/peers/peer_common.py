"""What the peers' scripts share: greedy evaluation, statistics, machine, seeds, results on disk."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np

ENVIRONMENT = "CartPole-v1"
SOLVED_RETURN = 475.0

# Training resets its environment once with the training seed (2001 and so on) and never again,
# so these ranges of reset seeds cannot be met during training.
FINAL_EVALUATION_SEED_BASE = 3_000_000_000
TRAINING_EVALUATION_SEED_BASE = 1_000_000_000


def final_evaluation_seeds(training_seed: int, episodes: int) -> list[int]:
    """Reset seeds of the episodes that judge a finished run: its own, used once."""
    first = FINAL_EVALUATION_SEED_BASE + training_seed * 1_000
    return [first + episode for episode in range(episodes)]


def training_evaluation_seeds(training_seed: int, evaluation: int, episodes: int) -> list[int]:
    """Reset seeds of the `evaluation`-th look during training: fresh ones at every look."""
    first = TRAINING_EVALUATION_SEED_BASE + training_seed * 100_000 + evaluation * 100
    return [first + episode for episode in range(episodes)]


class GreedyEvaluator:
    """Plays one episode per seed side by side, so that one forward pass serves all of them."""

    def __init__(self, environments: int) -> None:
        self._environments = [gymnasium.make(ENVIRONMENT) for _ in range(environments)]

    def returns(
        self, greedy_actions: Callable[[np.ndarray], np.ndarray], seeds: Sequence[int]
    ) -> list[float]:
        """Undiscounted returns, in the order of `seeds`; the time limit ends an episode at 500."""
        if len(seeds) > len(self._environments):
            raise ValueError(f"{len(seeds)} seeds for {len(self._environments)} environments")
        totals = [0.0] * len(seeds)
        observations = [
            environment.reset(seed=seed)[0]
            for environment, seed in zip(self._environments, seeds)
        ]
        running = list(range(len(seeds)))
        while running:
            actions = greedy_actions(np.stack([observations[index] for index in running]))
            still_running = []
            for index, action in zip(running, actions):
                step = self._environments[index].step(int(action))
                observations[index], reward, terminated, truncated, _ = step
                totals[index] += float(reward)
                if not (terminated or truncated):
                    still_running.append(index)
            running = still_running
        return totals


def interquartile_mean(values: Sequence[float]) -> float:
    """Mean of what is left when floor(n / 4) values are cut at each end (as rliable does)."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    return statistics.fmean(ordered[cut : len(ordered) - cut])


def solved_and_kept(evaluations: Sequence[tuple[int, float]]) -> dict[str, float | int | None]:
    """First env step with a mean of 475, and the share of the later evaluations that reach it."""
    solved = [mean >= SOLVED_RETURN for _, mean in evaluations]
    if True not in solved:
        return {"first_solved_env_step": None, "share_solved_after_first": None}
    first = solved.index(True)
    later = solved[first + 1 :]
    return {
        "first_solved_env_step": evaluations[first][0],
        "evaluations_after_first": len(later),
        "solved_evaluations_after_first": sum(later),
        "share_solved_after_first": sum(later) / len(later) if later else None,
    }


def summary_of_final(means: Sequence[float]) -> dict[str, object]:
    """The distribution over training seeds of the final policies' mean returns."""
    return {
        "seeds": len(means),
        "seeds_at_least_475": sum(mean >= SOLVED_RETURN for mean in means),
        "mean": statistics.fmean(means),
        "median": statistics.median(means),
        "iqm": interquartile_mean(means),
        "min": min(means),
        "max": max(means),
        "values_sorted": sorted(means),
    }


def check_versions(pins: dict[str, str]) -> dict[str, str]:
    """Installed versions; a difference from the pins is said aloud, as it may move the results."""
    installed = {name: importlib.metadata.version(name) for name in pins}
    for name, version in pins.items():
        # PyTorch's own index marks its builds: 2.15.0+cpu is 2.15.0.
        if installed[name].split("+")[0] != version:
            print(
                f"warning: {name} {installed[name]} is installed, {version} was used for the "
                "results in this folder",
                file=sys.stderr,
            )
    installed["python"] = platform.python_version()
    return installed


def machine() -> dict[str, object]:
    """Where a measurement was made: the figures mean little without it."""
    cpu: dict[str, str] = {}
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text().split("\n\n")[0].splitlines():
            key, _, value = line.partition(":")
            cpu[key.strip()] = value.strip()
    flags = set(cpu.get("flags", "").split())
    return {
        "cpu": cpu.get("model name", platform.processor()),
        "cpu_family": cpu.get("cpu family"),
        "cpu_model": cpu.get("model"),
        "avx2": "avx2" in flags,
        "avx512": "avx512f" in flags,
        "cores": os.cpu_count(),
        "cores_used": 1,
        "system": platform.system(),
        "architecture": platform.machine(),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def parse_seeds(text: str) -> list[int]:
    """`2001..2020` (both ends included) or `2001,2005,2007`."""
    if ".." in text:
        first, last = text.split("..")
        return list(range(int(first), int(last) + 1))
    return [int(part) for part in text.split(",")]


def write_results(path: Path, results: dict[str, object]) -> None:
    """Replace the file as a whole, so that an interrupted run leaves the last complete one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".tmp")
    partial.write_text(one_line_per_run(results) + "\n")
    partial.replace(path)


def one_line_per_run(results: dict[str, object]) -> str:
    """JSON that a person can read: indented, but each run's many figures on one line."""
    head = {key: value for key, value in results.items() if key != "runs"}
    runs = ",\n".join("  " + json.dumps(run) for run in results["runs"])
    return json.dumps(head, indent=1).removesuffix("\n}") + ',\n "runs": [\n' + runs + "\n ]\n}"


def finished_runs(
    path: Path, settings: dict[str, object], versions: dict[str, str]
) -> list[dict[str, object]]:
    """Runs that an earlier, interrupted call has already written, made in the same way."""
    if not path.exists():
        return []
    earlier = json.loads(path.read_text())
    for name, mine in (("settings", settings), ("versions", versions)):
        if earlier[name] != json.loads(json.dumps(mine)):
            sys.exit(f"{path}: was made with other {name}; name another file with --out")
    return earlier["runs"]


@dataclass
class Peer:
    """A script's peer: how it is run over seeds, and what is written about it."""

    name: str
    description: str
    pins: dict[str, str]
    seeds: str
    out: Path
    env_steps: int
    settings: dict[str, object]
    # From a training seed and a number of env steps to one run's figures.
    train_and_judge: Callable[[int, int], dict[str, object]]
    summarise: Callable[[list[dict]], dict[str, object]]
    # What is printed after a run, its seed aside.
    line: Callable[[dict], str]


def run_seeds(peer: Peer) -> None:
    """The peer's command line: runs the seeds that have no result yet and writes after each."""
    parser = argparse.ArgumentParser(description=peer.description)
    parser.add_argument("--seeds", default=peer.seeds, help=f"{peer.seeds} or 2001,2003")
    parser.add_argument("--out", type=Path, default=peer.out)
    parser.add_argument("--env-steps", type=int, default=peer.env_steps)
    arguments = parser.parse_args()

    versions = check_versions(peer.pins)
    settings = {"environment": ENVIRONMENT, "env_steps": arguments.env_steps, **peer.settings}
    runs = finished_runs(arguments.out, settings, versions)
    done = {run["seed"] for run in runs}
    for seed in parse_seeds(arguments.seeds):
        if seed in done:
            continue
        run = peer.train_and_judge(seed, arguments.env_steps)
        runs.append(run)
        write_results(
            arguments.out,
            {
                "peer": peer.name,
                "note": "times were taken on a shared machine and are rough",
                "settings": settings,
                "versions": versions,
                "machine": machine(),
                "summary": peer.summarise(runs),
                "runs": runs,
            },
        )
        print(f"seed {seed}: {peer.line(run)}", flush=True)
