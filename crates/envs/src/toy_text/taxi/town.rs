//! The town: its walls and ranks, and what each action leads to.

use crate::toy_text::transitions::{Outcome, TransitionTable};

pub(super) const ACTIONS: [&str; 6] = ["south", "north", "east", "west", "pick up", "drop off"];
pub(super) const SIDE: usize = 5;
pub(super) const STATES: usize = SIDE * SIDE * (IN_TAXI + 1) * RANKS.len();
/// The passenger's place while they ride.
pub(super) const IN_TAXI: usize = RANKS.len();
/// Row and column of the ranks red, green, yellow and blue.
pub(super) const RANKS: [(usize, usize); 4] = [(0, 0), (0, 4), (4, 0), (4, 3)];
/// Row and column of the places with a wall to their east.
pub(super) const WALLS: [(usize, usize); 6] = [(0, 1), (1, 1), (3, 0), (4, 0), (3, 2), (4, 2)];

/// Where the taxi and the passenger are, and where the passenger wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaxiState {
    /// The taxi's row, 0 to 4 from the north.
    pub row: usize,
    /// The taxi's column, 0 to 4 from the west.
    pub column: usize,
    /// The rank where the passenger waits: red (0), green (1), yellow (2) or blue (3); 4 in the taxi.
    pub passenger: usize,
    /// The rank they want to go to.
    pub destination: usize,
}

impl TaxiState {
    /// The state of that number; of a number above 499, some other.
    pub(super) const fn decode(number: u32) -> Self {
        let number = number as usize % STATES;
        Self {
            row: number / 100,
            column: number / 20 % 5,
            passenger: number / 4 % 5,
            destination: number % 4,
        }
    }

    /// Its number, which is the observation.
    pub(super) const fn encode(self) -> u32 {
        (((self.row * 5 + self.column) * 5 + self.passenger) * 4 + self.destination) as u32
    }

    /// The rank the taxi stands at.
    const fn rank(self) -> Option<usize> {
        let mut rank = 0;
        while rank < RANKS.len() {
            if RANKS[rank].0 == self.row && RANKS[rank].1 == self.column {
                return Some(rank);
            }
            rank += 1;
        }
        None
    }

    const fn can_pick_up(self) -> bool {
        matches!(self.rank(), Some(rank) if rank == self.passenger)
    }

    const fn can_drop_off(self) -> bool {
        self.rank().is_some() && self.passenger == IN_TAXI
    }

    /// The state with the taxi one place to the south (0), north (1), east (2) or west (3); `None` where the
    /// edge of the town or a wall is in the way.
    const fn moved(self, action: usize) -> Option<Self> {
        let Self { row, column, .. } = self;
        let (row, column) = match action {
            0 if row + 1 < SIDE => (row + 1, column),
            1 if row > 0 => (row - 1, column),
            2 if column + 1 < SIDE && !wall_east_of(row, column) => (row, column + 1),
            3 if column > 0 && !wall_east_of(row, column - 1) => (row, column - 1),
            _ => return None,
        };
        Some(Self { row, column, ..self })
    }

    const fn mask(self) -> [bool; ACTIONS.len()] {
        let mut mask = [false; ACTIONS.len()];
        let mut action = 0;
        while action < 4 {
            mask[action] = self.moved(action).is_some();
            action += 1;
        }
        mask[4] = self.can_pick_up();
        mask[5] = self.can_drop_off();
        mask
    }
}

const fn wall_east_of(row: usize, column: usize) -> bool {
    let mut wall = 0;
    while wall < WALLS.len() {
        if WALLS[wall].0 == row && WALLS[wall].1 == column {
            return true;
        }
        wall += 1;
    }
    false
}

/// Which actions change something, for each state.
pub(super) static MASKS: [[bool; ACTIONS.len()]; STATES] = {
    let mut masks = [[false; ACTIONS.len()]; STATES];
    let mut state = 0;
    while state < STATES {
        masks[state] = TaxiState::decode(state as u32).mask();
        state += 1;
    }
    masks
};

/// The world, in rain with the probability given that the taxi drives as it was meant to.
///
/// Episodes begin with the taxi anywhere and the passenger at a rank that is not their destination.
pub(super) fn table(straight_in_rain: Option<f64>) -> TransitionTable {
    let start_weight = |state| {
        let TaxiState { passenger, destination, .. } = TaxiState::decode(state as u32);
        f64::from(u8::from(passenger != IN_TAXI && passenger != destination))
    };
    TransitionTable::new(STATES, ACTIONS.len(), start_weight, |state, action| {
        let state = TaxiState::decode(state as u32);
        match (action, straight_in_rain) {
            (4, _) => vec![picked_up(state)],
            (5, _) => vec![dropped_off(state)],
            (_, None) => vec![driven(1.0, state.moved(action).unwrap_or(state))],
            (_, Some(straight)) => driven_in_rain(state, action, straight).to_vec(),
        }
    })
}

fn driven(probability: f64, to: TaxiState) -> Outcome {
    Outcome { probability, next_state: to.encode() as usize, reward: -1.0, terminated: false }
}

/// Straight on, or pushed to the left or right of the way driven, each as likely. A taxi that cannot drive
/// straight on is not pushed either.
fn driven_in_rain(state: TaxiState, action: usize, straight: f64) -> [Outcome; 3] {
    const LEFT_AND_RIGHT: [(usize, usize); 4] = [(2, 3), (3, 2), (1, 0), (0, 1)];
    let aside = (1.0 - straight) / 2.0;
    let (left, right) = LEFT_AND_RIGHT[action];
    let pushed = |way| state.moved(action).and_then(|_| state.moved(way)).unwrap_or(state);
    [driven(straight, pushed(action)), driven(aside, pushed(left)), driven(aside, pushed(right))]
}

fn picked_up(state: TaxiState) -> Outcome {
    let (next, reward) = match state.can_pick_up() {
        true => (TaxiState { passenger: IN_TAXI, ..state }, -1.0),
        false => (state, -10.0),
    };
    Outcome { probability: 1.0, next_state: next.encode() as usize, reward, terminated: false }
}

fn dropped_off(state: TaxiState) -> Outcome {
    let (next, reward, terminated) = match state.rank().filter(|_| state.can_drop_off()) {
        Some(rank) if rank == state.destination => (TaxiState { passenger: rank, ..state }, 20.0, true),
        Some(rank) => (TaxiState { passenger: rank, ..state }, -1.0, false),
        None => (state, -10.0, false),
    };
    Outcome { probability: 1.0, next_state: next.encode() as usize, reward, terminated }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_states_are_each_others() {
        assert!((0..STATES as u32).all(|number| TaxiState::decode(number).encode() == number));
        let state = TaxiState { row: 3, column: 1, passenger: 2, destination: 0 };
        assert_eq!(state.encode(), 328);
    }

    #[test]
    fn a_move_and_the_one_back_are_open_or_shut_together() {
        for state in (0..STATES as u32).map(TaxiState::decode) {
            for (there, back) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
                let returned = state.moved(there).map(|next| next.moved(back));
                assert!(returned.is_none_or(|returned| returned == Some(state)), "{state:?} {there}");
            }
        }
    }

    #[test]
    fn the_mask_tells_the_actions_that_change_something_in_dry_weather() {
        let dry = table(None);
        for (number, mask) in (0..).zip(&MASKS) {
            for (action, allowed) in mask.iter().enumerate() {
                let arrival = dry.step(number, action, 0.5);
                assert_eq!(arrival.state != number, *allowed, "state {number}, action {action}");
            }
        }
    }
}
