//! Blackjack: draw cards up to 21 but not above, closer to it than the dealer.
//!
//! Example 5.1 of R. S. Sutton and A. G. Barto, "Reinforcement Learning: An Introduction" (2nd edition, 2018),
//! with the order of draws of Gymnasium 1.4. Every card is as likely at every draw: the deck never ends.
//!
//! An observation is three numbers: the sum of one's cards, the value of the card the dealer shows (1 to 10, an
//! ace is 1), and whether one holds a usable ace (0 or 1), one that counts 11 without bringing the sum above 21.
//! Action 0 sticks, 1 hits. A sum above 21 loses at once. Who sticks lets the dealer draw up to 17 or more; the
//! greater sum that is not above 21 wins. Won earns 1, lost −1, a draw 0; it all comes with the last step, which
//! terminates the episode. Nothing truncates it.

mod hand;
mod picture;

use deepq_core::{
    Env, EnvError, EnvSpec, Frame, ObservationMut, Space, StateError, StateReader, StateWriter, Step,
};
use serde::Deserialize;

use self::hand::Hand;
use crate::misuse::{numbers, wrong_step};
use crate::numpy_random::NumpyGenerator;

const ACTIONS: [&str; 2] = ["stick", "hit"];
const DEALER_STICKS_AT: u32 = 17;

/// Gymnasium's keyword arguments of Blackjack.
///
/// A *natural* is an ace and a ten with the first two cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlackjackOptions {
    /// Whether winning with a natural earns 1.5. Without effect where `sab` is true.
    pub natural: bool,
    /// Whether the rules are Sutton and Barto's: a natural wins against all but another natural, even against
    /// 21 of three cards. True in `Blackjack-v1`, as Gymnasium registers it.
    pub sab: bool,
}

impl Default for BlackjackOptions {
    fn default() -> Self {
        Self { natural: false, sab: true }
    }
}

/// What the dealer's open card looks like: its rank where the value leaves a choice, and its suit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct OpenCard {
    /// Clubs (0), diamonds, hearts, spades.
    suit: u8,
    /// Jack (0), queen or king, where the value is 10.
    court: u8,
}

/// The environment.
#[derive(Clone, Debug)]
pub struct Blackjack {
    spec: EnvSpec,
    options: BlackjackOptions,
    random: NumpyGenerator,
    dealer: Hand,
    player: Hand,
    open_card: OpenCard,
    /// An episode has been begun.
    begun: bool,
    /// The player has stuck or gone above 21: the picture shows the dealer's cards.
    ended: bool,
}

impl Blackjack {
    /// `Blackjack-v1`.
    pub fn v1() -> Self {
        Self::v1_with(BlackjackOptions::default())
    }

    /// `Blackjack-v1` with options.
    pub fn v1_with(options: BlackjackOptions) -> Self {
        let space = Space::Tuple([32, 11, 2].map(Space::discrete).to_vec());
        let spec = EnvSpec {
            render_fps: 4,
            frame_size: Some(picture::SIZE),
            ..EnvSpec::new("Blackjack-v1", space, ACTIONS.len())
        };
        Self {
            spec,
            options,
            random: NumpyGenerator::new(0),
            dealer: Hand::default(),
            player: Hand::default(),
            open_card: OpenCard::default(),
            begun: false,
            ended: false,
        }
    }

    /// The values of the player's cards (an ace is 1) in the order drawn, the first twenty-four of them.
    pub fn player_cards(&self) -> &[u8] {
        self.player.cards()
    }

    /// The values of the dealer's cards (an ace is 1) in the order drawn; the first is open.
    pub fn dealer_cards(&self) -> &[u8] {
        self.dealer.cards()
    }

    /// The dealer's open card as its picture shows it: rank (`A`, `2` to `9`, `J`, `Q` or `K`), then suit (`C`,
    /// `D`, `H` or `S`). `None` before the first reset.
    pub fn open_card(&self) -> Option<String> {
        let rank = picture::open_rank(self.dealer.first(), self.open_card.court);
        let suit = ["C", "D", "H", "S"][usize::from(self.open_card.suit) % 4];
        self.begun.then(|| format!("{rank}{suit}"))
    }

    #[inline]
    fn observe(&self, observation: &mut [f32; 3]) {
        let usable_ace = u8::from(self.player.has_usable_ace());
        *observation = [self.player.sum() as f32, self.dealer.first().into(), usable_ace.into()];
    }

    #[inline]
    fn hit(&mut self) -> Step {
        self.player.draw(&mut self.random);
        let terminated = self.player.is_bust();
        Step { reward: if terminated { -1.0 } else { 0.0 }, terminated, truncated: false }
    }

    #[inline]
    fn stick(&mut self) -> Step {
        while self.dealer.sum() < DEALER_STICKS_AT {
            self.dealer.draw(&mut self.random);
        }
        Step { reward: self.result(), terminated: true, truncated: false }
    }

    #[inline]
    fn result(&self) -> f64 {
        let (player, dealer) = (self.player.score(), self.dealer.score());
        let natural = self.player.is_natural();
        match player.cmp(&dealer) {
            // This goes before `natural`, which by these rules changes nothing.
            _ if self.options.sab && natural && !self.dealer.is_natural() => 1.0,
            std::cmp::Ordering::Greater if self.options.natural && natural => 1.5,
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Less => -1.0,
        }
    }
}

impl Default for Blackjack {
    fn default() -> Self {
        Self::v1()
    }
}

impl Env for Blackjack {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        let observation = numbers(&self.spec, observation)?;
        if let Some(seed) = seed {
            self.random = NumpyGenerator::new(seed.into());
        }
        self.dealer = Hand::dealt(&mut self.random);
        self.player = Hand::dealt(&mut self.random);
        let suit = self.random.integers(4) as u8;
        let court = if self.dealer.first() == 10 { self.random.integers(3) as u8 } else { 0 };
        self.open_card = OpenCard { suit, court };
        (self.begun, self.ended) = (true, false);
        self.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let observation = numbers(&self.spec, observation)?;
        let step = match action {
            0 if self.begun => self.stick(),
            1 if self.begun => self.hit(),
            _ => return Err(wrong_step(&self.spec, self.begun, &ACTIONS, action)),
        };
        self.ended |= step.terminated;
        self.observe(observation);
        Ok(step)
    }

    fn render(&self) -> Option<Frame> {
        let end = self.ended.then(|| self.result());
        self.begun.then(|| picture::draw(&self.player, &self.dealer, self.open_card, end))
    }

    fn save_state(&self, state: &mut StateWriter) {
        state.tag("blackjack");
        state.bool(self.options.natural);
        state.bool(self.options.sab);
        self.random.save_state(state);
        state.bool(self.begun);
        state.bool(self.ended);
        state.bytes_with_len(&[self.open_card.suit, self.open_card.court]);
        self.dealer.save_state(state);
        self.player.save_state(state);
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.tag("blackjack")?;
        let found = BlackjackOptions { natural: state.bool("natural")?, sab: state.bool("sab")? };
        if found != self.options {
            let [expected, found] = [self.options, found].map(|options| format!("{options:?}"));
            return Err(StateError::mismatch("the options of Blackjack", expected, found));
        }
        let mut random = self.random.clone();
        random.load_state(state)?;
        let begun = state.bool("whether an episode has begun")?;
        let ended = state.bool("whether the episode has ended")?;
        let card = state.bytes_with_len("the dealer's open card")?;
        let &[suit @ 0..4, court @ 0..3] = card else {
            let expected = "a suit below 4 and a court card below 3";
            return Err(StateError::mismatch("the dealer's open card", expected, format!("{card:?}")));
        };
        let (mut dealer, mut player) = (Hand::default(), Hand::default());
        dealer.load_state(state)?;
        player.load_state(state)?;
        if begun && dealer.cards().len().min(player.cards().len()) < 2 {
            return Err(StateError::mismatch("cards of an episode", "two for each at least", "fewer"));
        }
        (self.random, self.begun, self.ended) = (random, begun, ended);
        (self.dealer, self.player, self.open_card) = (dealer, player, OpenCard { suit, court });
        Ok(())
    }
}
