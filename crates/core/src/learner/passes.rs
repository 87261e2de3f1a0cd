//! The forward passes that a loss asks for.

use std::ops::Range;

use super::LearnerConfig;
use crate::loss::{At, Fractions, Output, Pass, midpoints};
use crate::network::{NetworkSpec, Parameters, QNetwork};
use crate::replay::Batch;
use crate::{FractionProposal, Observation, RandomStream, StateError, StateReader, StateWriter};

/// The greatest number of forward passes a loss may ask for.
pub(super) const MOST_PASSES: usize = 6;

/// One pass and what it gave.
struct PassBuffer {
    pass: Pass,
    /// Values of each action.
    atoms: usize,
    /// `[batch][action][atom]`, of the trained one `[minibatch][action][atom]`.
    values: Vec<f32>,
    /// `[batch][atom]`, empty for networks that take no fractions.
    fractions: Vec<f32>,
}

/// The passes of a loss, the trained one first.
pub(super) struct PassBuffers {
    passes: Vec<PassBuffer>,
    actions: usize,
    inputs: usize,
    fraction_stream: RandomStream,
    proposal: Option<FractionProposal>,
}

impl PassBuffers {
    pub(super) fn new(
        passes: &[Pass],
        spec: &NetworkSpec,
        config: &LearnerConfig,
        seed: u64,
        proposal: Option<FractionProposal>,
    ) -> Self {
        assert!((1..=MOST_PASSES).contains(&passes.len()), "1 to {MOST_PASSES} passes, found {passes:?}");
        let trained = (passes[0].parameters, passes[0].at);
        assert_eq!(trained, (Parameters::Online, At::Observation), "the first pass is the trained one");
        let proposes =
            |pass: &Pass| matches!(pass.fractions, Fractions::Proposed | Fractions::ProposedMidpoints);
        let asks = passes.iter().any(proposes);
        assert_eq!(asks, proposal.is_some(), "proposals are for a loss that asks for them, which needs them");
        if asks {
            assert_eq!(config.minibatch_size, config.batch_size, "proposals learn from whole batches");
        }
        let atoms = proposal.as_ref().map_or(spec.atoms, FractionProposal::fractions);
        let buffer = |(number, pass): (usize, &Pass)| {
            let rows = if number == 0 { config.minibatch_size } else { config.batch_size };
            let atoms = pass.fractions.atoms(atoms);
            let fractions = if pass.fractions == Fractions::None { 0 } else { config.batch_size * atoms };
            let values = vec![0.0; rows * spec.actions * atoms];
            PassBuffer { pass: *pass, atoms, values, fractions: vec![0.0; fractions] }
        };
        Self {
            passes: passes.iter().enumerate().map(buffer).collect(),
            actions: spec.actions,
            inputs: spec.inputs(),
            fraction_stream: RandomStream::new(seed, "fractions", 0),
            proposal,
        }
    }

    /// Values of one row of a pass.
    pub(super) fn width(&self, pass: usize) -> usize {
        self.actions * self.passes[pass].atoms
    }

    /// `[batch][fraction]`: how many gradients by proposed fractions there are.
    pub(super) fn proposed_len(&self) -> usize {
        let proposed = self.passes.iter().find(|buffer| buffer.pass.fractions == Fractions::Proposed);
        proposed.map_or(0, |buffer| buffer.fractions.len())
    }

    /// Draws the fractions of all passes that take drawn ones.
    pub(super) fn draw_fractions(&mut self) {
        for buffer in &mut self.passes {
            if let Fractions::Drawn { drawn, midpoints: count } = buffer.pass.fractions {
                for row in buffer.fractions.chunks_exact_mut(buffer.atoms) {
                    row[..drawn].fill_with(|| self.fraction_stream.uniform_f32());
                    row[drawn..].iter_mut().zip(midpoints(count)).for_each(|(to, from)| *to = from);
                }
            }
        }
    }

    /// All forward passes but those of [`run_trained`](Self::run_trained), over the whole batch. A pass's fractions
    /// are proposed under its own noise.
    pub(super) fn run_untrained(&mut self, network: &mut dyn QNetwork, batch: &Batch) {
        for PassBuffer { pass, values, fractions, .. } in self.passes.iter_mut().skip(1) {
            match (pass.fractions, &mut self.proposal) {
                (Fractions::Proposed, _) => continue,
                (Fractions::ProposedMidpoints, Some(proposal)) => {
                    propose(proposal, network, (pass.parameters, pass.at), batch, fractions, None);
                }
                _ => {}
            }
            network.forward_at(pass.parameters, observation(batch, pass.at), fractions, values);
        }
    }

    /// The trained pass, over the transitions `rows`, and what belongs to it: proposals for the state as it sees it,
    /// and the pass at the proposed fractions, whose values are compared with its own. All have the same noise.
    pub(super) fn run_trained(&mut self, network: &mut dyn QNetwork, batch: &Batch, rows: Range<usize>) {
        if self.proposal.is_some() {
            self.run_proposed(network, batch);
        }
        let width = self.width(0);
        let PassBuffer { atoms, values, fractions, .. } = &mut self.passes[0];
        let fractions = of_rows(fractions, *atoms, &rows);
        let observation = batch.observation.slice(rows.start * self.inputs..rows.end * self.inputs);
        network.forward_train_at(observation, fractions, &mut values[..rows.len() * width]);
    }

    /// Proposes the fractions of the trained pass, and runs the pass at the fractions themselves. These proposals come
    /// last of all, because they are those that are learned from.
    fn run_proposed(&mut self, network: &mut dyn QNetwork, batch: &Batch) {
        let (Some(proposal), Some((trained, others))) = (&mut self.proposal, self.passes.split_first_mut())
        else {
            return;
        };
        let place = (Parameters::Online, At::Observation);
        let mut edges = others.iter_mut().find(|buffer| buffer.pass.fractions == Fractions::Proposed);
        let fractions = edges.as_mut().map(|buffer| &mut buffer.fractions[..]);
        propose(proposal, network, place, batch, &mut trained.fractions, fractions);
        if let Some(PassBuffer { values, fractions, .. }) = edges {
            network.forward_at(Parameters::Online, observation(batch, At::Observation), fractions, values);
        }
    }

    /// Fills `outputs` with what the passes gave for the transitions `rows`, and says how many passes there are. An
    /// array of the caller's spares an allocation in every gradient step.
    pub(super) fn outputs<'a>(
        &'a self,
        rows: Range<usize>,
        outputs: &mut [Output<'a>; MOST_PASSES],
    ) -> usize {
        for (pass, PassBuffer { atoms, values, fractions, .. }) in self.passes.iter().enumerate() {
            // The trained pass has run on these rows alone, the others on the whole batch.
            let first = if pass == 0 { 0 } else { rows.start };
            let width = self.actions * atoms;
            let fractions = of_rows(fractions, *atoms, &rows);
            let values = &values[first * width..(first + rows.len()) * width];
            outputs[pass] = Output { values, actions: self.actions, atoms: *atoms, fractions };
        }
        self.passes.len()
    }

    /// One gradient step of the proposals.
    pub(super) fn learn_proposals(&mut self, d_fractions: &[f32]) {
        if let Some(proposal) = &mut self.proposal {
            proposal.learn(d_fractions);
        }
    }

    /// Proposals begin anew with the network whose features they are made of.
    pub(super) fn reset_proposals(&mut self) {
        if let Some(proposal) = &mut self.proposal {
            proposal.begin_anew();
        }
    }

    pub(super) fn save_state(&self, state: &mut StateWriter) {
        self.fraction_stream.save_state(state);
        if let Some(proposal) = &self.proposal {
            proposal.save_state(state);
        }
    }

    pub(super) fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.fraction_stream.load_state(state)?;
        match &mut self.proposal {
            Some(proposal) => proposal.load_state(state),
            None => Ok(()),
        }
    }
}

/// The fractions of some rows; empty where there are none.
fn of_rows<'a>(fractions: &'a [f32], atoms: usize, rows: &Range<usize>) -> &'a [f32] {
    if fractions.is_empty() { fractions } else { &fractions[rows.start * atoms..rows.end * atoms] }
}

fn observation(batch: &Batch, at: At) -> Observation<'_> {
    match at {
        At::Observation => batch.observation.as_observation(),
        At::NextObservation => batch.next_observation.as_observation(),
    }
}

/// Proposes fractions for the features that the network has at a place: their midpoints, and the fractions themselves
/// where `edges` has room for them.
fn propose(
    proposal: &mut FractionProposal,
    network: &mut dyn QNetwork,
    (parameters, at): (Parameters, At),
    batch: &Batch,
    midpoints: &mut [f32],
    edges: Option<&mut [f32]>,
) {
    let fill = |features: &mut [f32]| {
        network.forward_features(parameters, observation(batch, at), features);
    };
    proposal.propose(fill, midpoints, edges);
}
