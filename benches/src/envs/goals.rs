//! What the environments are to reach, and whether they do.

use serde::Serialize;

use super::{EnvResult, OURS};

/// ns of a step of CartPole, 64 copies.
const CART_POLE_NS: f64 = 15.0;
/// Of a single environment beside Gymnasium's.
const TIMES_GYMNASIUM: f64 = 50.0;
/// The same where Box2D sets the limit.
const TIMES_GYMNASIUM_BOX2D: f64 = 2.5;
/// Env steps a second of one core, 64 copies.
const MINATAR_STEPS_PER_S: f64 = 10e6;

/// A goal, what was measured, and whether that reaches it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Verdict {
    env: String,
    what: What,
    measured: f64,
    goal: f64,
    reached: bool,
}

/// The quantity of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    /// ns of a step in 64 copies: at most.
    Nanoseconds,
    /// How many times as long Gymnasium's single environment takes as ours: at least.
    TimesGymnasium,
    /// Millions of env steps a second in 64 copies: at least.
    MillionStepsPerSecond,
}

impl Verdict {
    fn new(env: &str, what: What, measured: f64, goal: f64) -> Self {
        let reached = if what == What::Nanoseconds { measured <= goal } else { measured >= goal };
        Self { env: env.to_owned(), what, measured, goal, reached }
    }

    pub(super) fn line(&self) -> String {
        let Self { env, measured, goal, reached, .. } = self;
        let (what, sign) = match self.what {
            What::Nanoseconds => ("ns a step, 64 copies", "≤"),
            What::TimesGymnasium => ("times Gymnasium's single loop", "≥"),
            What::MillionStepsPerSecond => ("million steps/s, 64 copies", "≥"),
        };
        format!(
            "{} {env}: {measured:.1} {what} (goal {sign} {goal})",
            if *reached { "reached" } else { "MISSED " }
        )
    }
}

/// Of every environment, each goal that concerns it and for which there are figures.
pub(super) fn verdicts(results: &[EnvResult]) -> Vec<Verdict> {
    results.iter().flat_map(verdicts_of).collect()
}

fn verdicts_of(result: &EnvResult) -> Vec<Verdict> {
    let id = &*result.env;
    let find = |engine: &str, form: &str| {
        result.forms.iter().find(|found| found.engine == engine && found.form == form)
    };
    let mut verdicts = vec![];
    if let Some(ours) = find(OURS, "vector-64") {
        if id.starts_with("CartPole-") {
            verdicts.push(Verdict::new(id, What::Nanoseconds, ours.median_ns, CART_POLE_NS));
        }
        if id.starts_with("MinAtar/") {
            let (measured, goal) = (1e3 / ours.median_ns, MINATAR_STEPS_PER_S / 1e6);
            verdicts.push(Verdict::new(id, What::MillionStepsPerSecond, measured, goal));
        }
    }
    // The package MinAtar brings its games to Gymnasium.
    if let Some(theirs) = find("Gymnasium", "loop").or_else(|| find("MinAtar", "loop")) {
        let goal = if id.starts_with("LunarLander-") { TIMES_GYMNASIUM_BOX2D } else { TIMES_GYMNASIUM };
        verdicts.push(Verdict::new(id, What::TimesGymnasium, theirs.ratio, goal));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envs::FormResult;

    fn result(env: &str, forms: &[(&'static str, &str, f64, f64)]) -> EnvResult {
        let form = |&(engine, form, median_ns, ratio): &(&'static str, &str, f64, f64)| FormResult {
            engine,
            form: form.to_owned(),
            copies: super::super::copies_of(form),
            median_ns,
            least_ns: median_ns,
            ratio,
            ratio_quartiles: [ratio; 2],
            called: None,
        };
        let forms = forms.iter().map(form).collect();
        EnvResult { env: env.to_owned(), rounds: 5, forms, not_available: Default::default() }
    }

    #[test]
    fn each_goal_has_its_figure() {
        let cart_pole =
            result("CartPole-v1", &[("deepq", "vector-64", 15.1, 1.0), ("Gymnasium", "loop", 9.0, 49.9)]);
        let found: Vec<_> =
            verdicts(&[cart_pole]).iter().map(|verdict| (verdict.what, verdict.reached)).collect();
        assert_eq!(found, [(What::Nanoseconds, false), (What::TimesGymnasium, false)]);
        let lander = result("LunarLander-v3", &[("Gymnasium", "loop", 9.0, 2.5)]);
        assert_eq!(verdicts(&[lander]), [Verdict::new("LunarLander-v3", What::TimesGymnasium, 2.5, 2.5)]);
        let game =
            result("MinAtar/X-v1", &[("deepq", "vector-64", 80.0, 1.0), ("MinAtar", "loop", 9.0, 99.0)]);
        let verdicts = verdicts(&[game]);
        assert_eq!(verdicts[0], Verdict::new("MinAtar/X-v1", What::MillionStepsPerSecond, 12.5, 10.0));
        assert!(verdicts.iter().all(|verdict| verdict.reached));
        assert_eq!(verdicts[1].what, What::TimesGymnasium);
    }

    #[test]
    fn what_was_not_measured_has_no_verdict() {
        assert_eq!(verdicts(&[result("CartPole-v1", &[("EnvPool", "pool-64", 100.0, 8.0)])]), []);
    }
}
