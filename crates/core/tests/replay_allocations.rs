//! A memory takes as many bytes as it says before: asked of the allocator, not of itself.
#![allow(unsafe_code)] // A global allocator cannot be written without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use deepq_core::replay::{Normalization, ReplayStore, ReplayStoreConfig, Sampler, SamplerConfig};
use deepq_core::{ElementKind, ObservationBuffer, Schedule, StackPadding, Transition};

struct Counting;

thread_local! {
    /// Bytes that this thread has now, and the most that it had since it was last asked.
    static BYTES: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

fn count(bytes: i64) {
    let (now, most) = BYTES.get();
    BYTES.set((now + bytes, most.max(now + bytes)));
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` gives, the bytes that it left allocated, and the most that there were beside those before.
fn allocated<T>(work: impl FnOnce() -> T) -> (T, u64, u64) {
    let (before, _) = BYTES.get();
    BYTES.set((before, before));
    let outcome = work();
    let (now, most) = BYTES.get();
    (outcome, (now - before) as u64, (most - before) as u64)
}

fn configs() -> Vec<ReplayStoreConfig> {
    let mut configs = vec![];
    for element in [ElementKind::F32, ElementKind::U8] {
        for (observation_len, stacked_frames) in [(3, 1), (12, 4)] {
            for (capacity, envs, n_step) in [(1, 1, 1), (300, 1, 3), (254, 1, 1), (255, 4, 1), (1000, 3, 10)]
            {
                for action_masks in [false, true] {
                    configs.push(ReplayStoreConfig {
                        capacity,
                        envs,
                        actions: 9,
                        n_step,
                        element,
                        observation_len,
                        stacked_frames,
                        stack_padding: StackPadding::Zero,
                        action_masks,
                    });
                }
            }
        }
    }
    configs
}

/// Plays until the store is full, and half of it once more: episodes of `episode_steps`, all cut off at their end.
fn fill(store: &mut ReplayStore, episode_steps: usize) {
    let config = *store.config();
    let row = ObservationBuffer::zeros(config.element, config.envs * config.observation_len);
    let last = row.slice(0..config.observation_len);
    let masks = vec![true; if config.action_masks { config.envs * config.actions } else { 0 }];
    let mask = &masks[..masks.len() / config.envs];
    store.push_observations(row.as_observation(), &masks, |_| true);
    for step in 1..=(config.capacity * 3).div_ceil(2 * config.envs) {
        let ends = step % episode_steps == 0;
        for env in 0..config.envs {
            let next_observation = if ends { store.push_final(last, mask) } else { store.upcoming(env) };
            let observation = store.newest(env);
            store.push(Transition { observation, action: 0, reward: 0.0, discount: 0.9, next_observation });
        }
        store.push_observations(row.as_observation(), &masks, |_| ends);
    }
    assert_eq!(store.len(), config.capacity);
}

#[test]
fn an_empty_store_has_the_bytes_that_are_told() {
    for config in configs() {
        let (store, bytes, _) = allocated(|| ReplayStore::new(config));
        assert_eq!(bytes, config.bytes(), "{config:?}");
        assert_eq!(bytes, store.bytes(), "{config:?}");
    }
}

/// The bound is kept, and reached but for a row: it is no guess that is far too high.
#[test]
fn episodes_of_one_step_take_the_most_bytes() {
    for config in configs() {
        let work = || {
            let mut store = ReplayStore::new(config);
            fill(&mut store, 1);
            store
        };
        let (store, bytes, most) = allocated(work);
        assert_eq!(bytes, store.bytes(), "{config:?}");
        assert!(bytes <= config.most_bytes(), "{config:?}: {bytes}, told were {}", config.most_bytes());
        // What is written from, a row of observations and masks, is there besides.
        let row = (config.envs * (4 * config.observation_len + config.actions)) as u64;
        let told = config.most_bytes();
        assert!((told..=told + row).contains(&most), "{config:?}: {most}, told were {told}");
    }
}

/// Longer episodes take less than the most, and what the store says of itself is right for them too.
#[test]
fn longer_episodes_take_fewer_bytes() {
    for config in configs().into_iter().filter(|config| config.capacity >= 254) {
        let mut before = u64::MAX;
        for episode_steps in [1, 2, 10, 1000] {
            let work = || {
                let mut store = ReplayStore::new(config);
                fill(&mut store, episode_steps);
                store
            };
            let (store, bytes, _) = allocated(work);
            assert_eq!(bytes, store.bytes(), "{config:?}, {episode_steps} steps");
            assert!(bytes <= before, "{config:?}: more with episodes of {episode_steps} steps");
            before = bytes;
        }
        assert_eq!(before, config.bytes(), "{config:?}: hardly any episode ends");
    }
}

#[test]
fn samplers_have_the_bytes_that_are_told() {
    let prioritized = |normalization| SamplerConfig::Prioritized {
        alpha: 0.6,
        beta: Schedule::Constant { value: 0.4 },
        epsilon: 1e-6,
        normalization,
    };
    for config in [
        SamplerConfig::Uniform,
        SamplerConfig::UniformWithoutReplacement,
        prioritized(Normalization::Batch),
        prioritized(Normalization::Memory),
    ] {
        for capacity in [64, 1000, 1025] {
            let (_sampler, bytes, _) = allocated(|| Sampler::new(config, capacity));
            assert_eq!(bytes, config.bytes(capacity), "{config:?} of {capacity}");
        }
    }
}
