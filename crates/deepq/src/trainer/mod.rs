//! The loop: act, learn, judge, and stop.

mod body;
mod build;
mod memory;
mod method;
mod network;
mod state;

pub use memory::MemoryUse;
pub use network::network_spec_of;
pub use state::TrainerState;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deepq_core::network::QNetwork;
use deepq_core::{CallMonitor, ExplorationRates, LearnMetrics, Period, Progress};

use deepq_envs::wrappers::ObservationStatistics;

use self::method::Method;
use crate::config::{Config, FinalPolicy};
use crate::evaluation::evaluation_seeds_at;
use crate::events::{EpisodeEnded, Evaluated, Event, Observer};
use crate::{EnvFactory, Error, Evaluator, Policy, statistics};

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// All env steps or episodes of the configuration were taken.
    Finished,
    /// An evaluation was good enough to stop early.
    Solved,
    /// An observer, or whoever holds the [stop flag](Trainer::stop_flag), asked for it.
    Interrupted,
}

/// The best policy of an evaluation so far.
struct Best {
    /// Over the episodes that every evaluation has. Those that confirm an early stop do not count: a policy that
    /// failed in one of them would fall behind another that never got so far.
    mean_return: f64,
    /// All episodes that were played; of equal means the one that got further is better.
    episodes: u64,
    env_steps: u64,
    gradient_steps: u64,
    parameters: Vec<f32>,
    /// What its observations were normalised by, where they were.
    statistics: Option<ObservationStatistics>,
}

/// Sums over the batches since the end of the last episode.
#[derive(Clone, Copy, Default)]
struct Learned {
    loss: f64,
    q_mean: f64,
    batches: u64,
}

impl Learned {
    fn add(&mut self, metrics: LearnMetrics) {
        self.loss += f64::from(metrics.loss);
        self.q_mean += f64::from(metrics.q_mean);
        self.batches += 1;
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        (self.batches > 0).then(|| sum / self.batches as f64)
    }
}

/// Trains one agent. It writes no file and reads no clock; whoever wants to know watches it.
pub struct Trainer {
    config: Config,
    seed: u64,
    threads: usize,
    memory: MemoryUse,
    method: Method,
    factory: EnvFactory,
    evaluator: Evaluator,
    monitor: CallMonitor,
    progress: Progress,
    learned: Learned,
    best: Option<Best>,
    stop_flag: Arc<AtomicBool>,
}

impl Trainer {
    /// What it was made from, with all settled that the environment decides.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The seed all its random numbers come from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many threads share a large pass of the network.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// How much memory it takes, experience that is still to come included.
    pub fn memory(&self) -> MemoryUse {
        self.memory
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The network it trains.
    pub fn network(&self) -> &dyn QNetwork {
        self.method.network()
    }

    /// Sees which calls of its environments are under way, from any thread.
    pub fn call_monitor(&self) -> CallMonitor {
        self.monitor.clone()
    }

    /// Set this to true, from a signal handler or another thread, and training ends cleanly after the step
    /// under way.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop_flag)
    }

    /// Lets `flag` end training, instead of a flag of its own.
    pub fn set_stop_flag(&mut self, flag: Arc<AtomicBool>) {
        self.stop_flag = flag;
    }

    /// The best policy of an evaluation so far: the env steps after which it was taken, its mean return and its
    /// parameters.
    pub fn best(&self) -> Option<(u64, f64, &[f32])> {
        self.best.as_ref().map(|best| (best.env_steps, best.mean_return, &best.parameters[..]))
    }

    /// What observations are normalised by now; `None` where the configuration does not normalise them.
    pub fn observation_statistics(&self) -> Option<ObservationStatistics> {
        self.factory.statistics()
    }

    /// What observations were normalised by when the [best](Self::best) policy was taken.
    pub fn best_observation_statistics(&self) -> Option<&ObservationStatistics> {
        self.best.as_ref()?.statistics.as_ref()
    }

    /// Env steps and gradient steps at which the policy it [ends with](Self::policy) was taken.
    pub fn policy_taken_at(&self) -> (u64, u64) {
        match (self.config.evaluation.final_policy, &self.best) {
            (FinalPolicy::Best, Some(best)) => (best.env_steps, best.gradient_steps),
            _ => (self.progress.env_steps, self.progress.gradient_steps),
        }
    }

    /// The policy that training has come to: the last one or the best one, as the configuration says.
    pub fn policy(&self) -> Policy {
        match (self.config.evaluation.final_policy, &self.best) {
            (FinalPolicy::Best, Some(best)) => self.policy_of(&best.parameters, best.statistics.clone()),
            _ => self.last_policy(),
        }
    }

    /// The policy of the last step, whichever the configuration prefers.
    pub fn last_policy(&self) -> Policy {
        let parameters = self.method.network().parameters(self.config.evaluation.parameters);
        self.policy_of(&parameters, self.observation_statistics())
    }

    fn policy_of(&self, parameters: &[f32], statistics: Option<ObservationStatistics>) -> Policy {
        Policy::with_head(self.method.network().spec(), parameters, &self.config.head())
            .expect("the network of a trainer was checked when it was made")
            .with_statistics(statistics)
    }

    /// Trains until the configuration, an evaluation or an observer says stop.
    ///
    /// # Errors
    /// Where an environment or an observer fails.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<StopReason, Error> {
        let watches_steps = observer.watches_steps();
        loop {
            if self.finished() {
                return Ok(StopReason::Finished);
            }
            if self.stop_flag.load(Ordering::Relaxed) {
                return Ok(StopReason::Interrupted);
            }
            if let ControlFlow::Break(reason) = self.advance(observer, watches_steps)? {
                return Ok(reason);
            }
        }
    }

    fn finished(&self) -> bool {
        let (stop, progress) = (self.config.stop, self.progress);
        stop.env_steps.is_some_and(|most| progress.env_steps >= most)
            || stop.episodes.is_some_and(|most| progress.episodes >= most)
    }

    /// One step in every environment, and all that follows from it.
    fn advance(
        &mut self,
        observer: &mut dyn Observer,
        watches_steps: bool,
    ) -> Result<ControlFlow<StopReason>, Error> {
        let before = self.progress;
        let epsilon = self.epsilon();
        let learned = &mut self.learned;
        let temperature = self.config.exploration.policy.temperature_at(self.progress);
        let rates = ExplorationRates { epsilon, temperature };
        self.method.advance(&self.config, rates, &mut self.progress, |metrics| learned.add(metrics))?;

        let mut tell = |event: &Event<'_>| observer.on_event(event).map_err(Error::Observer);
        let mut flow = ControlFlow::Continue(());
        if watches_steps {
            let (envs, actions) = (self.method.envs(), self.method.actions());
            flow = tell(&Event::Step { progress: self.progress, envs, actions, epsilon })?;
        }
        if self.progress.episodes > before.episodes && self.tell_of_episodes(before, &mut tell)?.is_break() {
            flow = ControlFlow::Break(());
        }
        if is_due(self.config.evaluation.every_env_steps, before, self.progress) {
            match self.evaluate(&mut tell)? {
                ControlFlow::Break(StopReason::Interrupted) => flow = ControlFlow::Break(()),
                ControlFlow::Break(reason) => return Ok(ControlFlow::Break(reason)),
                ControlFlow::Continue(()) => {}
            }
        }
        if is_due(self.config.checkpoint.every_env_steps, before, self.progress)
            && tell(&Event::CheckpointDue(self))?.is_break()
        {
            flow = ControlFlow::Break(());
        }
        Ok(flow.map_break(|()| StopReason::Interrupted))
    }

    /// The probability of a random action in the next step.
    pub fn epsilon(&self) -> f64 {
        let exploration = self.config.exploration;
        match self.progress.env_steps < exploration.random_env_steps {
            true => 1.0,
            false => exploration.epsilon.at(self.progress),
        }
    }

    fn tell_of_episodes(
        &mut self,
        before: Progress,
        tell: &mut impl FnMut(&Event<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<ControlFlow<()>, Error> {
        let (epsilon, learned) = (self.epsilon(), std::mem::take(&mut self.learned));
        let mut flow = ControlFlow::Continue(());
        for (count, episode) in self.method.envs().finished_episodes().iter().enumerate() {
            let episodes = before.episodes + 1 + count as u64;
            let event = EpisodeEnded {
                progress: Progress { episodes, ..self.progress },
                episode: *episode,
                epsilon,
                loss: learned.mean(learned.loss),
                q_mean: learned.mean(learned.q_mean),
            };
            if tell(&Event::EpisodeEnded(event))?.is_break() {
                flow = ControlFlow::Break(());
            }
        }
        Ok(flow)
    }

    /// Judges the policy, keeps it where it is the best so far, and says whether it is good enough to stop.
    fn evaluate(
        &mut self,
        tell: &mut impl FnMut(&Event<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<ControlFlow<StopReason>, Error> {
        let (returns, solved) = self.evaluation_returns()?;
        let is_best = self.keep_if_best(&returns);
        let event = Evaluated { trainer: self, progress: self.progress, returns: &returns, is_best };
        let flow = tell(&Event::Evaluated(event))?;
        Ok(match (solved, flow) {
            (true, _) => ControlFlow::Break(StopReason::Solved),
            (false, flow) => flow.map_break(|()| StopReason::Interrupted),
        })
    }

    /// Keeps the present policy where it is as good as the best so far, and says whether it is.
    fn keep_if_best(&mut self, returns: &[f64]) -> bool {
        let evaluation = self.config.evaluation;
        let mean_return = statistics::mean(&returns[..evaluation.episodes]).unwrap_or(f64::NEG_INFINITY);
        let episodes = returns.len() as u64;
        let is_best = self
            .best
            .as_ref()
            .is_none_or(|best| (mean_return, episodes) >= (best.mean_return, best.episodes));
        if is_best {
            let parameters = self.method.network().parameters(evaluation.parameters);
            let Progress { env_steps, gradient_steps, .. } = self.progress;
            let statistics = self.observation_statistics();
            self.best =
                Some(Best { mean_return, episodes, env_steps, gradient_steps, parameters, statistics });
        }
        is_best
    }

    /// The returns of an evaluation, and whether all of them are good enough to stop early.
    ///
    /// Every evaluation has episodes of its own: a policy that happens to be good at some is not asked the same
    /// ones again. The episodes that confirm it are played in growing portions: most policies that are not good enough yet
    /// show it in the first few, and the rest need not be played.
    fn evaluation_returns(&mut self) -> Result<(Vec<f64>, bool), Error> {
        let evaluation = self.config.evaluation;
        let confirm = evaluation.stop_early.map_or(0, |stop| stop.confirm_episodes);
        let all = evaluation.episodes + confirm;
        let seeds = evaluation_seeds_at(self.seed, "evaluation", self.progress.env_steps, all);
        let network = self.method.network_mut();
        let mut play = |seeds: &[u64]| self.evaluator.evaluate(network, evaluation.parameters, seeds);
        let mut returns = play(&seeds[..evaluation.episodes])?;
        let Some(stop) = evaluation.stop_early else { return Ok((returns, false)) };
        let good = |returns: &[f64]| returns.iter().all(|value| *value >= stop.min_return);
        while good(&returns) && returns.len() < all {
            let played = returns.len();
            returns.extend(play(&seeds[played..all.min(2 * played)])?);
        }
        let solved = good(&returns);
        Ok((returns, solved))
    }
}

/// True where a multiple of `every` env steps lies between two points of a run, the second included.
fn is_due(every: Option<u64>, before: Progress, now: Progress) -> bool {
    every.is_some_and(|every| Period::EnvSteps { every }.passed(before, now))
}
