//! From the outputs of a network to the values of its actions.

use crate::Observation;
use crate::math::mean_of_softmax;
use crate::network::{Parameters, QNetwork};

/// How the atoms of an action become its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Readout {
    /// The one atom is the value.
    Expected,
    /// The atoms are logits of a distribution over these returns; the value is its mean.
    Support(Vec<f32>),
    /// The atoms are equally likely returns; the value is their mean.
    Mean,
}

impl Readout {
    /// The value that the atoms of one action stand for.
    #[inline]
    pub fn value(&self, atoms: &[f32]) -> f32 {
        match self {
            Self::Expected => atoms[0],
            Self::Mean => atoms.iter().sum::<f32>() / atoms.len() as f32,
            Self::Support(support) => mean_of_softmax(atoms, support),
        }
    }
}

/// Gives the action values of a network, whatever it has learned of the return.
#[derive(Clone, Debug)]
pub struct ActionValueReader {
    readout: Readout,
    /// The fractions that each observation is valued at; empty for networks that take none.
    fractions: Vec<f32>,
    repeated: Vec<f32>,
    outputs: Vec<f32>,
}

impl ActionValueReader {
    /// For a network whose atoms are read by `readout`. One that takes fractions gets the midpoints of as many equal
    /// parts of 0 to 1 as `midpoints` says: the mean of its quantiles there is the value.
    pub fn new(readout: Readout, midpoints: usize) -> Self {
        Self { readout, fractions: super::midpoints(midpoints).collect(), repeated: vec![], outputs: vec![] }
    }

    /// For a network with one atom an action.
    pub fn expected() -> Self {
        Self::new(Readout::Expected, 0)
    }

    /// Writes the values of all actions at a batch of observations.
    ///
    /// # Shapes
    /// - `observation`: `[batch][inputs]`
    /// - `q`: `[batch][action]`
    pub fn action_values(
        &mut self,
        network: &mut dyn QNetwork,
        parameters: Parameters,
        observation: Observation<'_>,
        q: &mut [f32],
    ) {
        if self.readout == Readout::Expected {
            return network.forward(parameters, observation, q);
        }
        let atoms = if self.fractions.is_empty() { network.spec().atoms } else { self.fractions.len() };
        let batch = q.len() / network.spec().actions;
        self.outputs.resize(q.len() * atoms, 0.0);
        self.repeated.resize(batch * self.fractions.len(), 0.0);
        for row in self.repeated.chunks_exact_mut(self.fractions.len().max(1)) {
            row.copy_from_slice(&self.fractions);
        }
        network.forward_at(parameters, observation, &self.repeated, &mut self.outputs);
        for (q, atoms) in q.iter_mut().zip(self.outputs.chunks_exact(atoms)) {
            *q = self.readout.value(atoms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_means() {
        assert_eq!(Readout::Expected.value(&[3.0]), 3.0);
        assert_eq!(Readout::Mean.value(&[1.0, 2.0, 6.0]), 3.0);
        let support = Readout::Support(vec![-1.0, 0.0, 1.0]);
        assert_eq!(support.value(&[5.0, 5.0, 5.0]), 0.0);
        assert!((support.value(&[-200.0, -200.0, 200.0]) - 1.0).abs() < 1e-6);
        assert!((support.value(&[1e30, 1e30, -1e30]) + 0.5).abs() < 1e-6, "logits of any size");
    }
}
