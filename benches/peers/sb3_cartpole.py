# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "stable-baselines3==2.9.2",
#   "gymnasium==1.4.0",
#   "torch==2.15.0",
#   "numpy==2.4.6",
# ]
# ///
"""Stable-Baselines3's DQN on CartPole-v1 with rl-zoo3's settings, over many seeds.

For every training seed:
- 50,000 env steps asked for. SB3 collects whole rollouts of 256 env steps, so it makes 50,176.
- `final`: the last network, greedy, 100 episodes on seeds that training never saw.
- `evaluations`: every 1,000 env steps, 16 greedy episodes in environments of their own, on fresh
  seeds each time. They draw nothing from the training's random streams: a run with them and a
  run without them train the same network.
- Seconds and env steps/s of training, the evaluations' time taken out.

    python sb3_cartpole.py --seeds 2001..2020 --out results/sb3_cartpole.json

An interrupted run goes on where it stopped: seeds already in the output file are not run again.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import gymnasium
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback

from peer_common import (
    ENVIRONMENT,
    GreedyEvaluator,
    Peer,
    final_evaluation_seeds,
    run_seeds,
    solved_and_kept,
    summary_of_final,
    training_evaluation_seeds,
)

PINS = {
    "stable-baselines3": "2.9.2",
    "gymnasium": "1.4.0",
    "torch": "2.15.0",
    "numpy": "2.4.6",
}

# rl-zoo3, hyperparams/dqn.yml, CartPole-v1. Everything else is SB3's default: Huber loss, Adam,
# gradients clipped to norm 10, hard target updates, epsilon from 1.
ZOO_SETTINGS = {
    "learning_rate": 2.3e-3,
    "batch_size": 64,
    "buffer_size": 100_000,
    "learning_starts": 1_000,
    "gamma": 0.99,
    "target_update_interval": 10,
    "train_freq": 256,
    "gradient_steps": 128,
    "exploration_fraction": 0.16,
    "exploration_final_eps": 0.04,
    "policy_kwargs": {"net_arch": [256, 256]},
}
ENV_STEPS = 50_000
EVALUATE_EVERY_ENV_STEPS = 1_000
TRAINING_EVALUATION_EPISODES = 16
FINAL_EVALUATION_EPISODES = 100


class PeriodicEvaluation(BaseCallback):
    """Greedy evaluations during training, with the time they took kept apart."""

    def __init__(self, training_seed: int, every_env_steps: int) -> None:
        super().__init__()
        self._training_seed = training_seed
        self._every_env_steps = every_env_steps
        self._evaluator = GreedyEvaluator(TRAINING_EVALUATION_EPISODES)
        self.evaluations: list[tuple[int, float]] = []
        self.wall_seconds = 0.0
        self.cpu_seconds = 0.0

    def _on_step(self) -> bool:
        if self.num_timesteps % self._every_env_steps == 0:
            wall, cpu = time.perf_counter(), time.process_time()
            seeds = training_evaluation_seeds(
                self._training_seed, len(self.evaluations), TRAINING_EVALUATION_EPISODES
            )
            returns = self._evaluator.returns(greedy_actions_of(self.model), seeds)
            self.evaluations.append((self.num_timesteps, statistics.fmean(returns)))
            self.wall_seconds += time.perf_counter() - wall
            self.cpu_seconds += time.process_time() - cpu
        return True


def greedy_actions_of(model: DQN):
    """SB3's own deterministic prediction, for a batch of observations."""
    return lambda observations: model.predict(observations, deterministic=True)[0]


def train_and_judge(training_seed: int, env_steps: int) -> dict[str, object]:
    """One training run and everything that is reported about it."""
    model = DQN(
        "MlpPolicy",
        gymnasium.make(ENVIRONMENT),
        seed=training_seed,
        device="cpu",
        **ZOO_SETTINGS,
    )
    periodic = PeriodicEvaluation(training_seed, EVALUATE_EVERY_ENV_STEPS)
    wall, cpu = time.perf_counter(), time.process_time()
    model.learn(total_timesteps=env_steps, callback=periodic, log_interval=None)
    wall_seconds = time.perf_counter() - wall - periodic.wall_seconds
    cpu_seconds = time.process_time() - cpu - periodic.cpu_seconds

    returns = GreedyEvaluator(FINAL_EVALUATION_EPISODES).returns(
        greedy_actions_of(model),
        final_evaluation_seeds(training_seed, FINAL_EVALUATION_EPISODES),
    )
    return {
        "seed": training_seed,
        "env_steps": model.num_timesteps,
        "gradient_steps": model._n_updates,
        "final_mean": statistics.fmean(returns),
        "final_min": min(returns),
        "final_returns": returns,
        **solved_and_kept(periodic.evaluations),
        "evaluations": periodic.evaluations,
        "training_wall_seconds": wall_seconds,
        "training_cpu_seconds": cpu_seconds,
        "evaluation_wall_seconds": periodic.wall_seconds,
        "env_steps_per_second": model.num_timesteps / wall_seconds,
    }


def summarise(runs: list[dict]) -> dict[str, object]:
    """The figures that a table quotes, over all the seeds there are."""
    solved = [run for run in runs if run["first_solved_env_step"] is not None]
    later = sum(run["evaluations_after_first"] for run in solved)
    kept = sum(run["solved_evaluations_after_first"] for run in solved)
    return {
        "final": summary_of_final([run["final_mean"] for run in runs]),
        "seeds_solved_at_some_evaluation": len(solved),
        "first_solved_env_step_median": (
            statistics.median(run["first_solved_env_step"] for run in solved) if solved else None
        ),
        "share_solved_after_first_pooled": kept / later if later else None,
        "seeds_with_share_at_least_95_percent": sum(
            (run["share_solved_after_first"] or 0.0) >= 0.95 for run in solved
        ),
        "training_wall_seconds_median": statistics.median(
            run["training_wall_seconds"] for run in runs
        ),
        "training_cpu_seconds_median": statistics.median(
            run["training_cpu_seconds"] for run in runs
        ),
        "env_steps_per_second_median": statistics.median(
            run["env_steps_per_second"] for run in runs
        ),
    }


def line(run: dict) -> str:
    return (
        f"final mean {run['final_mean']:.1f}, first solved at {run['first_solved_env_step']}, "
        f"kept {run['share_solved_after_first']}, {run['training_wall_seconds']:.1f} s, "
        f"{run['env_steps_per_second']:.0f} env steps/s"
    )


def main() -> None:
    torch.set_num_threads(1)
    run_seeds(
        Peer(
            name="Stable-Baselines3 DQN, rl-zoo3 settings",
            description=__doc__.splitlines()[0],
            pins=PINS,
            seeds="2001..2020",
            out=Path("results/sb3_cartpole.json"),
            env_steps=ENV_STEPS,
            settings={
                "dqn": ZOO_SETTINGS,
                "evaluate_every_env_steps": EVALUATE_EVERY_ENV_STEPS,
                "training_evaluation_episodes": TRAINING_EVALUATION_EPISODES,
                "final_evaluation_episodes": FINAL_EVALUATION_EPISODES,
            },
            train_and_judge=train_and_judge,
            summarise=summarise,
            line=line,
        )
    )


if __name__ == "__main__":
    main()
