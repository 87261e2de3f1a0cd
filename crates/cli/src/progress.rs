//! The line that tells how training goes.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use deepq::config::Config;
use deepq::events::{Answer, EpisodeEnded, Event, Observer};
use deepq::{EvaluationSummary, MemoryUse, Progress};
use deepq_view::report::duration;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// How often the line is drawn anew.
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// Over how many episodes the line's return is a mean.
const RECENT_EPISODES: usize = 20;

/// Watches a run and tells of it.
pub(crate) struct ProgressLine<'a> {
    /// What is told first, once the run can begin.
    announcement: String,
    output: &'a Output,
    bar: ProgressBar,
    config: Config,
    started: Instant,
    drawn: Option<Instant>,
    /// Where the run stood when it was last asked whether a line of the log is due.
    logged: Progress,
    recent: VecDeque<f64>,
    epsilon: Option<f64>,
    loss: Option<f64>,
    evaluation: Option<f64>,
}

impl<'a> ProgressLine<'a> {
    pub(crate) fn new(announcement: String, output: &'a Output, config: &Config) -> Self {
        let target =
            if output.is_live() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:6} {msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self {
            announcement,
            output,
            bar,
            config: config.clone(),
            started: Instant::now(),
            drawn: None,
            logged: Progress::default(),
            recent: VecDeque::with_capacity(RECENT_EPISODES),
            epsilon: None,
            loss: None,
            evaluation: None,
        }
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// How much of the run is done, of 1.
    fn share(&self, progress: Progress) -> f64 {
        let share = |done: u64, all: Option<u64>| all.map_or(0.0, |all| done as f64 / all as f64);
        let stop = self.config.stop;
        share(progress.env_steps, stop.env_steps).max(share(progress.episodes, stop.episodes)).min(1.0)
    }

    fn draw(&mut self, progress: Progress) {
        let now = Instant::now();
        if self.drawn.is_some_and(|drawn| now.duration_since(drawn) < REDRAW_EVERY) {
            return;
        }
        self.drawn = Some(now);
        let (share, elapsed) = (self.share(progress), self.started.elapsed().as_secs_f64());
        let mut message = String::new();
        if let Some(epsilon) = self.epsilon {
            let mean = self.recent.iter().sum::<f64>() / self.recent.len() as f64;
            message = format!("return {mean:.1}  ε {epsilon:.2}");
        }
        if let Some(loss) = self.loss {
            message += &format!("  loss {}", three_digits(loss));
        }
        if let Some(evaluation) = self.evaluation {
            message += &format!("  eval {evaluation:.0}");
        }
        if share > 0.0 {
            message += &format!("  {} left", duration(elapsed * (1.0 - share) / share));
        }
        message += &format!("  {} steps/s", thousands(progress.env_steps as f64 / elapsed.max(1e-9)));
        self.bar.set_position((1000.0 * share) as u64);
        self.bar.set_message(cut(&message, room_for_the_message()));
    }

    fn log(&self, text: &str) {
        self.bar.suspend(|| self.output.note(text));
    }

    /// Whether a line of the log became due since the last time it was asked.
    fn is_log_line(&mut self, progress: Progress) -> bool {
        let before = std::mem::replace(&mut self.logged, progress);
        self.config.log.period.is_some_and(|period| period.passed(before, progress))
    }

    fn episode(&mut self, ended: &EpisodeEnded) {
        let EpisodeEnded { progress, episode, epsilon, loss, .. } = *ended;
        if self.recent.len() == RECENT_EPISODES {
            self.recent.pop_front();
        }
        self.recent.push_back(episode.episodic_return);
        self.epsilon = Some(epsilon);
        self.loss = loss.or(self.loss);
        if self.output.is_verbose() {
            let loss = loss.map_or(String::new(), |loss| format!("  loss {loss:.4}"));
            self.log(&format!(
                "env steps {:>7}  episode {:>5}  return {:>6.1}  ε {epsilon:.3}{loss}",
                progress.env_steps, progress.episodes, episode.episodic_return
            ));
        }
        if self.is_log_line(progress) {
            self.log(&format!(
                "Episode: {}, Total Reward: {:?}, Epsilon: {epsilon:.2}",
                progress.episodes - 1,
                episode.episodic_return
            ));
        }
        self.draw(progress);
    }
}

/// Columns beside the bar and a blank.
fn room_for_the_message() -> usize {
    let (_, columns) = console::Term::stderr().size();
    usize::from(columns).saturating_sub(6 + 1)
}

/// As many whole fields of a message, which two blanks part, as there is room for.
fn cut(message: &str, columns: usize) -> String {
    let mut kept = String::new();
    for field in message.split("  ").filter(|field| !field.is_empty()) {
        let gap = if kept.is_empty() { "" } else { "  " };
        if console::measure_text_width(&kept) + gap.len() + console::measure_text_width(field) > columns {
            break;
        }
        kept += gap;
        kept += field;
    }
    kept
}

impl Observer for ProgressLine<'_> {
    fn on_event(&mut self, event: &Event<'_>) -> Answer {
        match event {
            Event::Beginning(trainer) => {
                self.log(&self.announcement);
                self.log(&memory(&trainer.memory()));
            }
            Event::EpisodeEnded(ended) => self.episode(ended),
            Event::Evaluated(evaluated) => {
                self.evaluation = EvaluationSummary::of(evaluated.returns).map(|summary| summary.mean);
                if self.output.is_verbose()
                    && let Some(mean) = self.evaluation
                {
                    let (env_steps, count) = (evaluated.progress.env_steps, evaluated.returns.len());
                    self.log(&format!(
                        "env steps {env_steps:>7}  evaluation of {count} episodes  mean {mean:.1}"
                    ));
                }
                self.draw(evaluated.progress);
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// A number in about as much room whatever its size: 0.0123, 1.23, 12.3, 123.
fn three_digits(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    format!("{number:.decimals$}")
}

/// A number with its thousands apart: 123,456.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What a run will take of the machine's memory, in one line.
pub(crate) fn memory(memory: &MemoryUse) -> String {
    let MemoryUse { total, experience, experience_at_most } = *memory;
    let mut text = format!("memory about {}", bytes(total));
    if experience > 0 {
        text += &format!(", {} of it for experience", bytes(experience));
    }
    if bytes(experience_at_most) != bytes(experience) {
        text += &format!(" ({} at most, with episodes of one step)", bytes(experience_at_most));
    }
    text
}

/// A number of bytes as people write it: 800 KiB, 12.3 MiB, 1.50 GiB.
fn bytes(bytes: u64) -> String {
    const KIBIBYTE: f64 = 1024.0;
    let kibibytes = bytes as f64 / KIBIBYTE;
    match kibibytes {
        size if size < KIBIBYTE => format!("{} KiB", size.ceil()),
        size if size < KIBIBYTE * KIBIBYTE => format!("{:.1} MiB", size / KIBIBYTE),
        size => format!("{:.2} GiB", size / (KIBIBYTE * KIBIBYTE)),
    }
}

#[cfg(test)]
mod tests {
    use deepq::Period;

    use super::*;
    use crate::args::Global;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(123_456.4), "123,456");
        assert_eq!(thousands(999.0), "999");
        let line = "return 9.5  ε 0.050  3 s left";
        assert_eq!(
            [5, 10, 18, 19, 29, 80].map(|columns| cut(line, columns).chars().count()),
            [0, 10, 10, 19, 29, 29]
        );
        assert_eq!([0.01234, 1.234, 12.34, 123.4].map(three_digits), ["0.0123", "1.23", "12.3", "123"]);
    }

    #[test]
    fn memory_is_told_in_one_line() {
        let told = |total, experience, experience_at_most| {
            memory(&MemoryUse { total, experience, experience_at_most })
        };
        let mebibyte = 1 << 20;
        assert_eq!(told(1, 0, 0), "memory about 1 KiB");
        assert_eq!(
            told(900 << 10, 800 << 10, 800 << 10),
            "memory about 900 KiB, 800 KiB of it for experience"
        );
        assert_eq!(
            told(35 * mebibyte, 31 * mebibyte, 1536 * mebibyte),
            "memory about 35.0 MiB, 31.0 MiB of it for experience (1.50 GiB at most, with episodes of one step)"
        );
    }

    #[test]
    fn the_log_counts_in_any_unit() {
        let mut config = Config::preset("CartPole-v1", "tutorial").unwrap();
        config.log.period = Some(Period::EnvSteps { every: 100 });
        let output = Output::new(&Global { json: false, quiet: true, verbose: false });
        let mut line = ProgressLine::new(String::new(), &output, &config);
        let due = [40, 90, 130, 180, 350]
            .map(|env_steps| line.is_log_line(Progress { env_steps, ..Progress::default() }));
        assert_eq!(due, [false, false, true, false, true]);
    }
}
