//! Passes over flat vectors, shared by a team.

use std::sync::{Mutex, PoisonError};

use super::Team;
use crate::aligned::LINE;

/// Elements from which on a pass over flat vectors is worth a team: some tens of microseconds.
pub(super) const WORTH_A_TEAM: usize = 65_536;

/// The most stretches that a vector is cut into.
const MOST_STRETCHES: usize = 64;

/// How long the stretches of a vector of `len` elements are, one for each of the team, where each is a whole
/// number of `grain` elements.
pub(super) fn stretch_len(team: &Team, len: usize, grain: usize) -> usize {
    len.div_ceil(team.count().min(MOST_STRETCHES)).next_multiple_of(grain.max(LINE))
}

/// Does `work` with each of the stretches, of which there are no more than the team has threads: each thread
/// takes one. Nothing is allocated.
pub(super) fn hand_out<T: Send>(
    team: &mut Team,
    stretches: impl Iterator<Item = T>,
    work: &(dyn Fn(T) + Sync),
) {
    let mut places: [Mutex<Option<T>>; MOST_STRETCHES] = std::array::from_fn(|_| Mutex::new(None));
    for (place, stretch) in places.iter_mut().zip(stretches) {
        *place.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(stretch);
    }
    team.run(&|worker| {
        let Some(place) = places.get(worker.index) else { return };
        let stretch = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stretch) = stretch {
            work(stretch);
        }
    });
}
