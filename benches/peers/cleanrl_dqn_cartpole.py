# /// script
# requires-python = ">=3.10"
# dependencies = ["gymnasium==1.4.0", "torch==2.15.0", "numpy==2.4.6"]
# ///
"""CleanRL's DQN recipe on CartPole-v1, re-implemented, judged by CleanRL's published protocol.

This is not CleanRL's program. It is a compact re-implementation of the recipe that CleanRL
publishes for `dqn.py` (MLP 120-84, Adam 2.5e-4, MSE, replay 10,000, batch 128, a gradient step
every 10 env steps after 10,000, hard target every 500 env steps, epsilon 1 to 0.05 over the first
half of 500,000 env steps, discount 0.99, truncation bootstraps, sampling with replacement). It
has no logger and no vector-environment wrapper, so its env steps/s are an upper bound for
CleanRL's own.

The published figure is `training_return_last_100`: the mean return of the last 100 training
episodes, at the final epsilon of 0.05. `final_mean` is added: the last network, greedy, 100
episodes on seeds that training never saw, as in the other scripts here.

    python cleanrl_dqn_cartpole.py --seeds 2001..2003 --out results/cleanrl_dqn_cartpole.json
"""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import nn

from peer_common import (
    ENVIRONMENT,
    GreedyEvaluator,
    Peer,
    final_evaluation_seeds,
    run_seeds,
    summary_of_final,
)

PINS = {"gymnasium": "1.4.0", "torch": "2.15.0", "numpy": "2.4.6"}

RECIPE = {
    "hidden": [120, 84],
    "learning_rate": 2.5e-4,
    "discount": 0.99,
    "replay_transitions": 10_000,
    "batch_size": 128,
    "learning_starts_env_steps": 10_000,
    "gradient_step_every_env_steps": 10,
    "target_update_every_env_steps": 500,
    "epsilon_start": 1.0,
    "epsilon_end": 0.05,
    "epsilon_fraction": 0.5,
}
ENV_STEPS = 500_000
FINAL_EVALUATION_EPISODES = 100


def q_network() -> nn.Sequential:
    """Four observations to two action values, with PyTorch's default initialisation."""
    first, second = RECIPE["hidden"]
    return nn.Sequential(
        nn.Linear(4, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 2)
    )


class Replay:
    """A ring of transitions. A time limit is not stored as an end, so its target bootstraps."""

    def __init__(self, capacity: int) -> None:
        self._observations = np.zeros((capacity, 4), np.float32)
        self._next_observations = np.zeros((capacity, 4), np.float32)
        self._actions = np.zeros((capacity, 1), np.int64)
        self._rewards = np.zeros(capacity, np.float32)
        self._terminated = np.zeros(capacity, np.float32)
        self._capacity = capacity
        self._added = 0

    def add(self, observation, action, reward, next_observation, terminated) -> None:
        slot = self._added % self._capacity
        self._observations[slot] = observation
        self._next_observations[slot] = next_observation
        self._actions[slot] = action
        self._rewards[slot] = reward
        self._terminated[slot] = terminated
        self._added += 1

    def sample(self, batch_size: int) -> list[torch.Tensor]:
        """Uniform, with replacement."""
        rows = np.random.randint(0, min(self._added, self._capacity), size=batch_size)
        columns = (
            self._observations,
            self._actions,
            self._rewards,
            self._next_observations,
            self._terminated,
        )
        return [torch.from_numpy(column[rows]) for column in columns]


def epsilon_at(env_step: int, env_steps: int) -> float:
    """Linear from the first to the last value over the first part of training."""
    progress = min(env_step / (RECIPE["epsilon_fraction"] * env_steps), 1.0)
    return RECIPE["epsilon_start"] + progress * (RECIPE["epsilon_end"] - RECIPE["epsilon_start"])


def gradient_step(online, target, optimizer, replay: Replay) -> None:
    """One DQN update on the mean squared TD error."""
    batch = replay.sample(RECIPE["batch_size"])
    observations, actions, rewards, next_observations, terminated = batch
    with torch.no_grad():
        best_next = target(next_observations).max(dim=1).values
        td_target = rewards + RECIPE["discount"] * best_next * (1.0 - terminated)
    loss = nn.functional.mse_loss(online(observations).gather(1, actions).squeeze(1), td_target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def train(training_seed: int, env_steps: int):
    """The trained network, every training episode's return, and the count of gradient steps."""
    random.seed(training_seed)
    np.random.seed(training_seed)
    torch.manual_seed(training_seed)
    environment = gymnasium.make(ENVIRONMENT)
    environment.action_space.seed(training_seed)
    online, target = q_network(), q_network()
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=RECIPE["learning_rate"])
    replay = Replay(RECIPE["replay_transitions"])

    episode_returns: list[float] = []
    episode_return = 0.0
    gradient_steps = 0
    observation, _ = environment.reset(seed=training_seed)
    for env_step in range(env_steps):
        if random.random() < epsilon_at(env_step, env_steps):
            action = int(environment.action_space.sample())
        else:
            with torch.no_grad():
                action = int(online(torch.from_numpy(observation)).argmax())
        next_observation, reward, terminated, truncated, _ = environment.step(action)
        replay.add(observation, action, reward, next_observation, terminated)
        episode_return += float(reward)
        observation = next_observation
        if terminated or truncated:
            episode_returns.append(episode_return)
            episode_return = 0.0
            observation, _ = environment.reset()

        if env_step > RECIPE["learning_starts_env_steps"]:
            if env_step % RECIPE["gradient_step_every_env_steps"] == 0:
                gradient_step(online, target, optimizer, replay)
                gradient_steps += 1
            if env_step % RECIPE["target_update_every_env_steps"] == 0:
                target.load_state_dict(online.state_dict())
    return online, episode_returns, gradient_steps


def train_and_judge(training_seed: int, env_steps: int) -> dict[str, object]:
    """One training run and everything that is reported about it."""
    wall, cpu = time.perf_counter(), time.process_time()
    online, episode_returns, gradient_steps = train(training_seed, env_steps)
    wall_seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu

    def greedy_actions(observations: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return online(torch.from_numpy(observations)).argmax(dim=1).numpy()

    final_returns = GreedyEvaluator(FINAL_EVALUATION_EPISODES).returns(
        greedy_actions, final_evaluation_seeds(training_seed, FINAL_EVALUATION_EPISODES)
    )
    return {
        "seed": training_seed,
        "env_steps": env_steps,
        "gradient_steps": gradient_steps,
        "training_episodes": len(episode_returns),
        "training_return_last_100": statistics.fmean(episode_returns[-100:]),
        "final_mean": statistics.fmean(final_returns),
        "final_min": min(final_returns),
        "training_wall_seconds": wall_seconds,
        "training_cpu_seconds": cpu_seconds,
        "env_steps_per_second": env_steps / wall_seconds,
        "last_100_training_returns": episode_returns[-100:],
        "final_returns": final_returns,
    }


def summarise(runs: list[dict]) -> dict[str, object]:
    """Mean and population standard deviation over seeds of the published figure, and the rest."""
    last_100 = [run["training_return_last_100"] for run in runs]
    return {
        "training_return_last_100_mean": statistics.fmean(last_100),
        "training_return_last_100_std": statistics.pstdev(last_100),
        "published": "488.69 ± 16.11 over 3 seeds",
        "final": summary_of_final([run["final_mean"] for run in runs]),
        "training_wall_seconds_median": statistics.median(
            run["training_wall_seconds"] for run in runs
        ),
        "env_steps_per_second_median": statistics.median(
            run["env_steps_per_second"] for run in runs
        ),
    }


def line(run: dict) -> str:
    return (
        f"last 100 training episodes {run['training_return_last_100']:.1f}, "
        f"final greedy mean {run['final_mean']:.1f}, {run['training_wall_seconds']:.1f} s, "
        f"{run['env_steps_per_second']:.0f} env steps/s"
    )


def main() -> None:
    torch.set_num_threads(1)
    run_seeds(
        Peer(
            name="CleanRL's DQN recipe, re-implemented",
            description=__doc__.splitlines()[0],
            pins=PINS,
            seeds="2001..2003",
            out=Path("results/cleanrl_dqn_cartpole.json"),
            env_steps=ENV_STEPS,
            settings={
                "recipe": RECIPE,
                "final_evaluation_episodes": FINAL_EVALUATION_EPISODES,
            },
            train_and_judge=train_and_judge,
            summarise=summarise,
            line=line,
        )
    )


if __name__ == "__main__":
    main()
