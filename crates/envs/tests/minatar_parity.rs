//! MinAtar's games against what the package MinAtar 1.0.15 gave: `fixtures/minatar`, and the scripts that made it.

use deepq_core::{Env, ObservationMut, Space};
use deepq_envs::minatar::{Asterix, Breakout, Freeway, Game, MinAtar, Seaquest, SpaceInvaders};

/// Plays a game and digests what it gives.
struct Player<G> {
    env: MinAtar<G>,
    observation: Vec<u8>,
    digest: u32,
}

impl<G: Game> Player<G> {
    fn new(env: MinAtar<G>) -> Self {
        let Space::Box(space) = &env.spec().observation_space else { unreachable!("a box") };
        let observation = vec![9; space.len()];
        Self { env, observation, digest: 0 }
    }

    fn digest_observation(&mut self) {
        for (place, byte) in self.observation.iter().enumerate() {
            assert!(*byte <= 1);
            if *byte == 1 {
                self.digest = self.digest.wrapping_mul(31).wrapping_add(place as u32 + 1);
            }
        }
        self.digest = self.digest.wrapping_mul(31);
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.env.reset(seed, ObservationMut::U8(&mut self.observation)).unwrap();
        self.digest_observation();
    }

    /// Reward, and whether the episode is over.
    fn step(&mut self, action: usize) -> (f64, bool) {
        let step = self.env.step(action, ObservationMut::U8(&mut self.observation)).unwrap();
        self.digest_observation();
        assert!(!step.truncated);
        (step.reward, step.terminated)
    }
}

struct Vector {
    seed: u64,
    reward: f64,
    ends: usize,
    first_ends: &'static [usize],
    digest: u32,
    next: u32,
}

fn assert_vector<G: Game>(vector: Vector, action: impl Fn(usize) -> usize) {
    let mut player = Player::new(MinAtar::<G>::v0());
    player.reset(Some(vector.seed));
    let (mut reward, mut ends) = (0.0, vec![]);
    for t in 0..3000 {
        let (earned, ended) = player.step(action(t));
        reward += earned;
        if ended {
            ends.push(t + 1);
            player.reset(None);
        }
    }
    let id = &player.env.spec().id;
    assert_eq!((reward, ends.len()), (vector.reward, vector.ends), "{id}, seed {}", vector.seed);
    assert_eq!(ends[..vector.first_ends.len()], *vector.first_ends, "{id}, seed {}", vector.seed);
    assert_eq!(format!("{:08x}", player.digest), format!("{:08x}", vector.digest), "{id}");
    assert_eq!(player.env.random().clone().next_u32(), vector.next, "{id}");
}

/// Rows of seed, total reward, ends, steps done at the first ends, digest, next random word.
macro_rules! vectors {
    ($game:ty, $action:expr, $([$seed:expr, $reward:expr, $ends:expr, $first_ends:expr, $digest:expr, $next:expr]),*) => {
        $(assert_vector::<$game>(
            Vector {
                seed: $seed,
                reward: f64::from($reward),
                ends: $ends,
                first_ends: &$first_ends,
                digest: $digest,
                next: $next,
            },
            $action,
        );)*
    };
}

fn mixed_actions(t: usize) -> usize {
    (5 * (t / 4) + t * t / 7) % 6
}

#[test]
fn three_thousand_steps_of_mixed_actions_are_minatars() {
    vectors!(
        Asterix,
        mixed_actions,
        [0, 22, 52, [60, 104, 165], 0xc376e729, 0x358ed186],
        [42, 21, 48, [42, 90, 139], 0xe3f2a5b1, 0x3f2504f9]
    );
    vectors!(
        Breakout,
        mixed_actions,
        [0, 130, 280, [6, 12, 28], 0x58254c02, 0x638e38a2],
        [42, 137, 266, [6, 12, 18], 0xf3315e6a, 0xc969b9f7]
    );
    vectors!(
        Freeway,
        mixed_actions,
        [0, 0, 1, [2501], 0x954cca50, 0x15ef8276],
        [42, 0, 1, [2501], 0xee24a3ba, 0x6b17ed92]
    );
    vectors!(
        Seaquest,
        mixed_actions,
        [0, 8, 104, [45, 74, 248], 0x271aeb77, 0x9d3dce5d],
        [42, 5, 125, [46, 77, 80], 0x832866b3, 0x47e7e17f]
    );
    vectors!(
        SpaceInvaders,
        mixed_actions,
        [0, 201, 83, [66, 83, 120], 0xdeccaec9, 0x69f97221],
        [42, 211, 70, [27, 44, 61], 0x643ba12e, 0xac364372]
    );
}

#[test]
fn a_chicken_that_always_goes_up_crosses_as_minatars_does() {
    vectors!(
        Freeway,
        |_| 2,
        [0, 40, 1, [2501], 0xf9bf53c7, 0xd16c35a2],
        [42, 12, 1, [2501], 0x67b4206f, 0xe2668056]
    );
}
