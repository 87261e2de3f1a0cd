"""What the best policy earns on average in the toy-text environments, by value iteration.

For the first five on Gymnasium's own tables of transitions: `limit` is the best return of a policy that knows how many
steps are left, `stationary` that of the best policy without a limit, played within the limit. Blackjack is computed
from its rules: cards drawn with replacement, the dealer stops at 17, a natural pays no more.

Made with gymnasium 1.4.0 and numpy 2.4.6:

    pip install 'gymnasium[toy-text]==1.4.0' numpy==2.4.6 && python toy_text_optima.py
"""

import functools

import gymnasium
import numpy as np

LIMITS = {
    "FrozenLake-v1": 100,
    "FrozenLake8x8-v1": 200,
    "CliffWalking-v1": None,
    "CliffWalkingSlippery-v1": None,
    "Taxi-v4": 200,
}
# A walk without a limit is over long before.
LONG = 20_000
CARDS = {**{card: 1 / 13 for card in range(1, 10)}, 10: 4 / 13}


def tables(env_id):
    """Probabilities [state][action][next state] of going on, mean rewards [state][action], first states."""
    env = gymnasium.make(env_id).unwrapped
    going_on = np.zeros((len(env.P), len(env.P[0]), len(env.P)))
    reward = np.zeros(going_on.shape[:2])
    for state, actions in env.P.items():
        for action, outcomes in actions.items():
            for probability, next_state, earned, terminated in outcomes:
                reward[state, action] += probability * earned
                if not terminated:
                    going_on[state, action, next_state] += probability
    return going_on, reward, np.asarray(env.initial_state_distrib)


def best_with_limit(env_id):
    going_on, reward, first = tables(env_id)
    value = np.zeros(len(reward))
    for _ in range(LIMITS[env_id] or LONG):
        value = (reward + going_on @ value).max(1)
    return first @ value


def best_stationary(env_id, gamma=0.9999):
    going_on, reward, first = tables(env_id)
    value = np.zeros(len(reward))
    for _ in range(3 * LONG):
        value = (reward + gamma * going_on @ value).max(1)
    choice = (reward + gamma * going_on @ value).argmax(1)
    states = np.arange(len(choice))
    played = np.zeros(len(reward))
    for _ in range(LIMITS[env_id] or LONG):
        played = reward[states, choice] + going_on[states, choice] @ played
    return first @ played


def total(hard, ace):
    """The sum of a hand whose aces count 1 in `hard`."""
    return hard + 10 if ace and hard <= 11 else hard


@functools.cache
def dealer_ends(hard, ace):
    """Probabilities of the dealer's last sum, 0 for more than 21."""
    sum_now = total(hard, ace)
    if sum_now >= 17:
        return {sum_now if sum_now <= 21 else 0: 1.0}
    return dealer_draws(hard, ace)


def dealer_draws(hard, ace):
    ends = {}
    for card, probability in CARDS.items():
        for end, share in dealer_ends(hard + card, ace or card == 1).items():
            ends[end] = ends.get(end, 0) + probability * share
    return ends


@functools.cache
def hand(hard, ace, shown):
    """What a hand is worth against the dealer's open card."""
    sum_now = total(hard, ace)
    if sum_now > 21:
        return -1.0
    ends = dealer_draws(shown, shown == 1)
    stick = sum(share * ((sum_now > end) - (sum_now < end)) for end, share in ends.items())
    hit = sum(share * hand(hard + card, ace or card == 1, shown) for card, share in CARDS.items())
    return max(stick, hit)


def blackjack():
    return sum(
        p * q * r * hand(a + b, 1 in (a, b), shown)
        for a, p in CARDS.items()
        for b, q in CARDS.items()
        for shown, r in CARDS.items()
    )


for name in LIMITS:
    print(f"{name}: limit {best_with_limit(name):.4f}, stationary {best_stationary(name):.4f}")
print(f"Blackjack-v1: {blackjack():.4f}")
