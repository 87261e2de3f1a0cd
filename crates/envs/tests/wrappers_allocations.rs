//! A step through wrappers costs no allocation.
#![allow(unsafe_code)] // A global allocator cannot be written without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use deepq_core::{Env, ObservationBuffer};
use deepq_envs::make;
use deepq_envs::wrappers::{ObservationStatistics, RecordEpisodeStatistics, Statistics, WrapperConfig, wrap};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of some episodes, the first of which is not counted.
fn allocations(env: &mut dyn Env) -> usize {
    let space = &env.spec().observation_space;
    let (element, len, actions) = (space.element(), space.len(), env.spec().actions);
    let mut observation = ObservationBuffer::zeros(element, len);
    let mut begin = 0;
    for episode in 0..5u64 {
        begin = if episode == 1 { ALLOCATIONS.get() } else { begin };
        env.reset(Some(episode), observation.slice_mut(0..len)).unwrap();
        for step in 0.. {
            if env.step(step % actions, observation.slice_mut(0..len)).unwrap().ended() {
                break;
            }
        }
    }
    ALLOCATIONS.get() - begin
}

#[test]
fn a_step_through_all_wrappers_allocates_nothing() {
    let configs = [
        WrapperConfig::TimeLimit { episode_steps: 100 },
        WrapperConfig::ActionRepeat { times: 2 },
        WrapperConfig::StickyActions { probability: 0.25 },
        WrapperConfig::FlattenObservation {},
        WrapperConfig::ClipReward { low: -1.0, high: 1.0 },
        WrapperConfig::ScaleReward { factor: 0.5 },
        WrapperConfig::NormalizeReward { gamma: 0.99, epsilon: 1e-8 },
        WrapperConfig::FrameStack { frames: 4, padding: Default::default() },
        WrapperConfig::NormalizeObservation { clip: Some(10.0) },
    ];
    for id in ["CartPole-v1", "Taxi-v4", "Blackjack-v1", "MinAtar/Breakout-v1"] {
        let statistics = ObservationStatistics::new();
        let mut env: Box<dyn Env> = Box::new(RecordEpisodeStatistics::new(make(id).unwrap()));
        assert_eq!(allocations(&mut *env), 0, "{id}");
        for config in &configs {
            env = wrap(env, config, Some(Statistics::Updated(&statistics))).unwrap();
            assert_eq!(allocations(&mut *env), 0, "{id} up to {}", config.kind());
        }
    }
    assert!(ALLOCATIONS.get() > 0, "somebody has to count");
}
