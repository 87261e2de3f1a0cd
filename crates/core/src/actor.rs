//! The part of a run that acts.

use crate::behaviour_policy::{ActionValues, BehaviourPolicy, ExplorationRates};
use crate::loss::ActionValueReader;
use crate::network::{Parameters, QNetwork};
use crate::replay::ReplayStore;
use crate::{
    EnvFailure, NStepAccumulator, NoiseSource, Observation, StateError, StateReader, StateWriter, VectorEnv,
};

/// Steps the environments by the behaviour policy, and stores what they give.
pub struct Actor {
    envs: VectorEnv,
    policy: Box<dyn BehaviourPolicy>,
    accumulators: Vec<NStepAccumulator>,
    bootstrap_at_truncation: bool,
    actions: Vec<u32>,
    q: Vec<f32>,
    reader: ActionValueReader,
    noise: Option<NoiseSource>,
}

/// How an actor's steps become transitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActorConfig {
    /// Steps a transition spans, at least 1.
    pub n_step: usize,
    /// The discount factor of one step.
    pub gamma: f64,
    /// Whether a truncated episode is learned as one that goes on. False is the fault of the common tutorials,
    /// `done = terminated or truncated`, and is only there to reproduce them.
    pub bootstrap_at_truncation: bool,
}

/// The online network's values at the present observations.
struct OnlineValues<'a> {
    network: &'a mut dyn QNetwork,
    reader: &'a mut ActionValueReader,
    noise: Option<&'a mut NoiseSource>,
    observations: Observation<'a>,
    q: &'a mut [f32],
}

impl ActionValues for OnlineValues<'_> {
    fn q(&mut self) -> &[f32] {
        if let Some(noise) = &mut self.noise {
            noise.refresh(self.network, Parameters::Online);
        }
        self.reader.action_values(self.network, Parameters::Online, self.observations, self.q);
        self.q
    }
}

impl Actor {
    /// An actor that steps `envs` by `policy`.
    pub fn new(envs: VectorEnv, policy: Box<dyn BehaviourPolicy>, config: ActorConfig) -> Self {
        let count = envs.len();
        let q = vec![0.0; count * envs.spec().actions];
        let accumulators = vec![NStepAccumulator::new(config.n_step, config.gamma); count];
        let bootstrap_at_truncation = config.bootstrap_at_truncation;
        let (reader, noise) = (ActionValueReader::expected(), None);
        Self {
            envs,
            policy,
            accumulators,
            bootstrap_at_truncation,
            actions: vec![0; count],
            q,
            reader,
            noise,
        }
    }

    /// The same for networks whose values `reader` gives, acting on noise from `noise`.
    pub fn reading(self, reader: ActionValueReader, noise: NoiseSource) -> Self {
        Self { reader, noise: Some(noise), ..self }
    }

    /// Its environments.
    pub fn envs(&self) -> &VectorEnv {
        &self.envs
    }

    /// The actions of the latest step, one an environment.
    pub fn actions(&self) -> &[u32] {
        &self.actions
    }

    /// Begins an episode in every environment, and a run with an empty store. Steps of an earlier run that
    /// wait for their transition are forgotten.
    ///
    /// # Errors
    /// Where an environment fails.
    ///
    /// # Panics
    /// If there are not as many seeds as environments, if the store was made for other environments or for
    /// transitions over other steps, or if it has observations already: a step taken before would get a
    /// transition over the reset.
    pub fn reset(&mut self, seeds: &[u64], store: &mut ReplayStore) -> Result<(), EnvFailure> {
        let fits = store.config();
        let (envs, n_step) = (self.envs.len(), self.accumulators[0].n_step());
        let (element, observation_len) = (self.envs.element(), self.envs.observation_len());
        assert_eq!((fits.envs, fits.n_step), (envs, n_step), "environments and steps of a transition");
        assert_eq!((fits.element, fits.observation_len), (element, observation_len), "observations");
        // A store that keeps each frame once would give other observations than those that were seen.
        let frames = self.envs.spec().stacked_frames;
        assert!([1, frames].contains(&fits.stacked_frames), "frames of an observation");
        let spec = self.envs.spec();
        let pads_alike = fits.stacked_frames == 1 || fits.stack_padding == spec.stack_padding;
        assert!(pads_alike, "what stands before an episode's first frame");
        assert!(fits.actions >= spec.actions, "actions of the store");
        assert_eq!(fits.action_masks, spec.action_masks, "action masks of the store");
        assert!(!fits.action_masks || fits.actions == spec.actions, "flags of an action mask");
        assert!(!store.has_observations(), "a run begins with a store without observations");
        self.accumulators.iter_mut().for_each(NStepAccumulator::clear);
        self.envs.reset(seeds)?;
        (0..envs).for_each(|env| self.policy.begin_episode(env));
        store.push_observations(self.envs.observations(), self.envs.action_masks(), |_| true);
        Ok(())
    }

    /// Takes one step in every environment, exploring as much as `rates` say, and stores the transitions that it
    /// completes.
    ///
    /// # Errors
    /// Where an environment fails.
    pub fn step(
        &mut self,
        network: &mut dyn QNetwork,
        rates: ExplorationRates,
        store: &mut ReplayStore,
    ) -> Result<(), EnvFailure> {
        let observations = self.envs.observations();
        let mut values = OnlineValues {
            network,
            reader: &mut self.reader,
            noise: self.noise.as_mut(),
            observations,
            q: &mut self.q,
        };
        self.policy.select(rates, &mut values, self.envs.action_masks(), &mut self.actions);
        self.envs.step(&self.actions)?;
        for (env, accumulator) in self.accumulators.iter_mut().enumerate() {
            let mut step = self.envs.steps()[env];
            step.terminated |= step.truncated && !self.bootstrap_at_truncation;
            let next = match step.ended() {
                true => {
                    self.policy.begin_episode(env);
                    store.push_final(self.envs.final_observation(env), self.envs.final_action_mask(env))
                }
                false => store.upcoming(env),
            };
            let (at, action) = (store.newest(env), self.actions[env]);
            accumulator.push(at, action, step, next, |transition| store.push(transition));
        }
        let steps = self.envs.steps();
        let (observations, masks) = (self.envs.observations(), self.envs.action_masks());
        store.push_observations(observations, masks, |env| steps[env].ended());
        Ok(())
    }

    /// Writes all that its future depends on.
    pub fn save_state(&self, state: &mut StateWriter) {
        state.tag("actor");
        self.envs.save_state(state);
        self.policy.save_state(state);
        self.noise.iter().for_each(|noise| noise.save_state(state));
        self.accumulators.iter().for_each(|accumulator| accumulator.save_state(state));
    }

    /// Takes over what [`save_state`](Self::save_state) wrote.
    ///
    /// `store` is the one it feeds, its own state loaded already.
    ///
    /// # Errors
    /// Where the bytes are not the state of such an actor.
    pub fn load_state(&mut self, state: &mut StateReader<'_>, store: &ReplayStore) -> Result<(), StateError> {
        state.tag("actor")?;
        self.envs.load_state(state)?;
        self.policy.load_state(state)?;
        self.noise.iter_mut().try_for_each(|noise| noise.load_state(state))?;
        self.accumulators.iter_mut().try_for_each(|accumulator| accumulator.load_state(state, store))
    }
}
