//! A learning rate that changes reaches every gradient step.

mod common;

use common::config;
use deepq::Trainer;

/// The parameters after the first env step after which something was learned: so many batches in a row.
fn after_batches(batches: usize, learning_rate: &str) -> Vec<u32> {
    let config = config(
        "default-fixed",
        &[
            "stop={env_steps=500}",
            "learning.start_env_steps=500",
            "learning.every_env_steps=500",
            "optimizer={kind=\"sgd\"}",
            &format!("learning.batches={batches}"),
            &format!("learning.learning_rate={learning_rate}"),
        ],
    );
    let mut trainer = Trainer::new(&config, 3).unwrap();
    trainer.run(&mut ()).unwrap();
    assert_eq!(trainer.progress().gradient_steps, batches as u64);
    trainer.state().online.iter().map(|value| value.to_bits()).collect()
}

/// A rate of 0 leaves gradient descent where it is: so a schedule that reaches 0 after `n` gradient steps gives
/// the parameters of `n` gradient steps, and does not where it is asked only once an env step.
#[test]
fn a_schedule_over_gradient_steps_is_asked_at_each_of_them() {
    let schedule =
        |steps: u64| format!("{{kind=\"linear-in-gradient-steps\",from=0.01,to=0,gradient_steps={steps}}}");
    assert_eq!(after_batches(5, &schedule(1)), after_batches(1, "0.01"));
    assert_eq!(after_batches(5, &schedule(3)), after_batches(3, &schedule(3)));
    assert_ne!(after_batches(5, &schedule(3)), after_batches(2, &schedule(3)));
    assert_ne!(after_batches(5, &schedule(3)), after_batches(3, "0.01"));
}

#[test]
fn a_schedule_over_env_steps_has_the_rate_of_the_env_step() {
    let line = "{kind=\"linear\",from=0.02,to=0,env_steps=1000}";
    assert_eq!(after_batches(4, line), after_batches(4, "0.01"));
    let table = "{kind=\"constant\",value=0.01}";
    assert_eq!(after_batches(4, table), after_batches(4, "0.01"));
}
