//! Watching an agent, in a window or in the terminal: while it trains, or when it plays.

use std::ops::ControlFlow;

use deepq::EnvSpec;
use deepq::events::{Answer, Event, Observer};
use deepq_core::RandomStream;

use crate::ViewError;
use crate::episode::Episode;
use crate::player::{Pacer, Screen, ScreenError, Status};
use crate::terminal::Terminal;
use crate::window::Window;

/// Where the pictures go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenKind {
    /// A window of the desktop.
    Window,
    /// The terminal.
    Terminal,
}

/// How fast the pictures go.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// At the frame rate of the environment.
    #[default]
    Env,
    /// At so many frames a second.
    FramesPerSecond(f64),
    /// As fast as they can be drawn.
    Unlimited,
}

impl Pace {
    fn pacer(self, spec: &EnvSpec) -> Result<Pacer, ScreenError> {
        Pacer::new(match self {
            Self::Env => Some(f64::from(spec.render_fps)),
            Self::FramesPerSecond(rate) => Some(rate),
            Self::Unlimited => None,
        })
    }
}

/// Opens a screen for an environment.
///
/// # Errors
/// Where there is no such screen, or the environment draws nothing.
pub fn open_screen(kind: ScreenKind, spec: &EnvSpec) -> Result<Box<dyn Screen>, ViewError> {
    let Some((width, height)) = spec.frame_size else {
        return Err(ViewError::NoPicture { env: spec.id.clone() });
    };
    Ok(match kind {
        ScreenKind::Window => Box::new(Window::open(&spec.id, width, height).map_err(ScreenError::from)?),
        ScreenKind::Terminal => Box::new(Terminal::open().map_err(ScreenError::from)?),
    })
}

/// Shows every step of the first environment while an agent trains. Closing the screen ends training cleanly.
pub struct TrainingScreen {
    screen: Box<dyn Screen>,
    pacer: Pacer,
    title: String,
    episodic_return: f64,
    last_return: Option<f64>,
}

impl TrainingScreen {
    /// Shows training on `screen`.
    ///
    /// # Errors
    /// Where the pace is none.
    pub fn new(screen: Box<dyn Screen>, spec: &EnvSpec, pace: Pace) -> Result<Self, ViewError> {
        let (pacer, title) = (pace.pacer(spec)?, format!("{} training", spec.id));
        Ok(Self { screen, pacer, title, episodic_return: 0.0, last_return: None })
    }
}

impl Observer for TrainingScreen {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::Step { progress, envs, epsilon, .. } => {
                let step = envs.steps()[0];
                self.episodic_return += step.reward;
                // The environment has begun its next episode by now, and that is what the picture shows.
                if step.ended() {
                    self.last_return = Some(std::mem::take(&mut self.episodic_return));
                }
                let mut status = Status::new(&self.title)
                    .with("episode", progress.episodes)
                    .with("env steps", progress.env_steps)
                    .with("return", self.episodic_return)
                    .with("ε", format!("{epsilon:.3}"));
                if let Some(last) = self.last_return {
                    status = status.with("last return", last);
                }
                let Some(frame) = envs.render(0) else { return Ok(ControlFlow::Continue(())) };
                if self.screen.show(&frame, &status)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                Ok(self.pacer.wait(&mut *self.screen)?)
            }
            _ => Ok(ControlFlow::Continue(())),
        }
    }

    fn watches_steps(&self) -> bool {
        true
    }
}

/// An episode that was watched to its end.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Played {
    /// The sum of its rewards.
    #[serde(rename = "return")]
    pub episodic_return: f64,
    /// Its steps.
    pub length: u32,
}

/// Plays episodes on a screen, `None` of them until it is closed. Gives those that came to their end.
///
/// # Errors
/// Where the environment or the screen fails.
pub fn play(
    episode: &mut Episode,
    screen: &mut dyn Screen,
    pace: Pace,
    episodes: Option<usize>,
    seed: u64,
    should_stop: &dyn Fn() -> bool,
) -> Result<Vec<Played>, ViewError> {
    let spec = episode.env().spec().clone();
    let mut pacer = pace.pacer(&spec)?;
    let mut played = vec![];
    // The seeds of `evaluation_seeds(seed, "playing", ..)`, of which nobody knows how many it will take.
    let mut seeds = RandomStream::new(seed, "playing", 0);
    while episodes.is_none_or(|most| played.len() < most) {
        let number = played.len();
        episode.reset(seeds.next_u64())?;
        loop {
            let status = Status::new(&spec.id)
                .with("episode", number + 1)
                .with("step", episode.steps())
                .with("return", episode.episodic_return());
            let closed = screen.show(&episode.frame()?, &status)?.is_break();
            if closed || pacer.wait(screen)?.is_break() || should_stop() {
                return Ok(played);
            }
            if episode.step()?.ended() {
                break;
            }
        }
        played.push(Played { episodic_return: episode.episodic_return(), length: episode.steps() });
    }
    Ok(played)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use deepq::Trainer;
    use deepq::config::Config;
    use deepq_core::Frame;

    use super::*;

    /// A screen that only remembers what stood beside the pictures.
    struct Notes(Rc<RefCell<Vec<Status>>>);

    impl Screen for Notes {
        fn show(&mut self, _frame: &Frame, status: &Status) -> Result<ControlFlow<()>, ScreenError> {
            self.0.borrow_mut().push(status.clone());
            Ok(ControlFlow::Continue(()))
        }

        fn poll(&mut self) -> Result<ControlFlow<()>, ScreenError> {
            Ok(ControlFlow::Continue(()))
        }
    }

    fn field(status: &Status, label: &str) -> f64 {
        let found = status.fields().iter().find(|(name, _)| name == label);
        found.unwrap_or_else(|| panic!("no {label} in {status:?}")).1.parse().unwrap()
    }

    #[test]
    fn a_new_episodes_picture_has_the_new_episodes_return() {
        let mut config = Config::preset("CartPole-v1", "tutorial").unwrap();
        config.stop.episodes = Some(3);
        let mut trainer = Trainer::new(&config, 1).unwrap();
        let notes = Rc::new(RefCell::new(vec![]));
        let env = deepq::Registry::builtin().make("CartPole-v1").unwrap();
        let screen = Box::new(Notes(notes.clone()));
        trainer.run(&mut TrainingScreen::new(screen, env.spec(), Pace::Unlimited).unwrap()).unwrap();
        let notes = notes.borrow();
        let ends: Vec<_> =
            notes.windows(2).filter(|two| field(&two[0], "episode") < field(&two[1], "episode")).collect();
        assert_eq!(ends.len(), 3);
        for two in ends {
            assert_eq!(field(&two[1], "return"), 0.0);
            assert_eq!(field(&two[1], "last return"), field(&two[0], "return") + 1.0);
        }
        // The tutorial's factor, once an episode; the last step was taken before the third end.
        assert_eq!(field(&notes[0], "ε"), 1.0);
        assert_eq!(field(notes.last().unwrap(), "ε"), 0.99);
    }
}
