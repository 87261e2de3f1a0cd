//! Reverse-mode differentiation of single numbers.

/// A number on a [`Tape`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Var(u32);

/// Numbers in the order in which they were computed, each with those it was computed from and the slope by them.
#[derive(Default)]
pub(crate) struct Tape {
    values: Vec<f32>,
    /// Where the sources of a number end in `sources`; they begin where those of the number before end.
    ends: Vec<u32>,
    sources: Vec<(Var, f32)>,
}

impl Tape {
    pub(crate) fn value(&self, var: Var) -> f32 {
        self.values[var.0 as usize]
    }

    /// A number from its sources, each with the slope by it.
    pub(crate) fn push(&mut self, value: f32, sources: impl IntoIterator<Item = (Var, f32)>) -> Var {
        self.sources.extend(sources);
        self.values.push(value);
        self.ends.push(self.sources.len() as u32);
        Var(self.values.len() as u32 - 1)
    }

    pub(crate) fn leaf(&mut self, value: f32) -> Var {
        self.push(value, [])
    }

    /// A function of one number, of which `value_and_slope` are known.
    pub(crate) fn map(&mut self, x: Var, value_and_slope: impl Fn(f32) -> (f32, f32)) -> Var {
        let (value, slope) = value_and_slope(self.value(x));
        self.push(value, [(x, slope)])
    }

    pub(crate) fn add(&mut self, left: Var, right: Var) -> Var {
        self.push(self.value(left) + self.value(right), [(left, 1.0), (right, 1.0)])
    }

    pub(crate) fn subtract(&mut self, left: Var, right: Var) -> Var {
        self.push(self.value(left) - self.value(right), [(left, 1.0), (right, -1.0)])
    }

    pub(crate) fn multiply(&mut self, left: Var, right: Var) -> Var {
        let (l, r) = (self.value(left), self.value(right));
        self.push(l * r, [(left, r), (right, l)])
    }

    /// The sum of products, plus `addend`.
    pub(crate) fn dot(&mut self, pairs: &[(Var, Var)], addend: Var) -> Var {
        let sum: f32 = pairs.iter().map(|(l, r)| self.value(*l) * self.value(*r)).sum();
        for (left, right) in pairs {
            let (l, r) = (self.value(*left), self.value(*right));
            self.sources.extend([(*left, r), (*right, l)]);
        }
        self.push(sum + self.value(addend), [(addend, 1.0)])
    }

    pub(crate) fn mean(&mut self, vars: &[Var]) -> Var {
        let count = vars.len() as f32;
        let sum: f32 = vars.iter().map(|var| self.value(*var)).sum();
        self.push(sum / count, vars.iter().map(|var| (*var, 1.0 / count)))
    }

    /// The gradient by the first `count` numbers, from that by some.
    pub(crate) fn gradient(&self, of: &[(Var, f32)], count: usize) -> Vec<f32> {
        let mut gradient = vec![0.0; self.values.len()];
        of.iter().for_each(|(var, d)| gradient[var.0 as usize] += d);
        for place in (0..self.values.len()).rev() {
            let begin = if place == 0 { 0 } else { self.ends[place - 1] as usize };
            for (source, slope) in &self.sources[begin..self.ends[place] as usize] {
                gradient[source.0 as usize] += gradient[place] * slope;
            }
        }
        gradient.truncate(count);
        gradient
    }
}
