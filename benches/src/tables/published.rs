//! The recipes of the family beside what was published for the same algorithms, by the publishers' own protocols.

use deepq::statistics;

use super::family::{Entry, NONE};
use super::presets::published_figure;
use super::render::{Maker, row, thousands};
use crate::presets::published::{
    CLEANRL, Place, Protocol, Published, Publisher, STABLE_BASELINES, YOUNG_TIAN, figures_of,
};

/// What the seeds scored by `protocol`; `None` where one of them has no number, because none is left out.
fn scores(entry: &Entry, protocol: Protocol) -> Option<Vec<f64>> {
    let score = |seed: &super::family::Seed| match protocol {
        Protocol::Greedy => seed.greedy_mean,
        Protocol::LastTrainingReturns => seed.last_100_training_returns,
    };
    entry.seeds.iter().map(score).collect()
}

/// Whether half of the runs or more ended before their limit. What they returned last while training, they returned
/// while they still explored much.
fn ended_early(entry: &Entry) -> bool {
    entry.env_steps_limit.is_some_and(|limit| entry.env_steps_median < limit as f64)
}

/// The recipe of the same name: the longest of its studies that took no more env steps than what it stands beside, or
/// else the shortest.
fn same<'a>(entries: &'a [Entry], env: &str, algorithm: &str, env_steps: u64) -> Option<&'a Entry> {
    let of_recipe = entries.iter().filter(|entry| entry.env == env && entry.recipe == algorithm);
    let rank = |entry: &Entry| match entry.most_env_steps() {
        steps if steps <= env_steps as f64 => steps,
        steps => -steps,
    };
    of_recipe.max_by(|a, b| rank(a).total_cmp(&rank(b)))
}

/// The recipe with the greatest mean by `protocol`, of those that had no more env steps than what they stand beside.
fn best<'a>(entries: &'a [Entry], env: &str, protocol: Protocol, env_steps: u64) -> Option<&'a Entry> {
    let mean = |entry: &Entry| scores(entry, protocol).and_then(|scores| statistics::mean(&scores));
    let mut best: Option<(&Entry, f64)> = None;
    let within = |entry: &&Entry| entry.most_env_steps() <= env_steps as f64;
    for entry in entries.iter().filter(|entry| entry.env == env).filter(within) {
        if let Some(mean) = mean(entry).filter(|mean| best.is_none_or(|(_, best)| *mean > best)) {
            best = Some((entry, mean));
        }
    }
    best.map(|(entry, _)| entry)
}

impl Maker<'_> {
    /// A table for each publisher.
    pub(super) fn beside_published(&self, entries: &[Entry]) -> Vec<String> {
        let mut lines = vec![];
        for publisher in [CLEANRL, STABLE_BASELINES, YOUNG_TIAN] {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.extend([format!("**{}**", self.word(publisher.heading)), String::new()]);
            lines.extend(self.publisher(entries, publisher));
        }
        lines
    }

    fn publisher(&self, entries: &[Entry], publisher: Publisher) -> Vec<String> {
        let columns = [
            self.word("recipe"),
            self.word("published"),
            self.word("deepq, the same recipe"),
            self.word("found"),
            self.word("deepq's best recipe"),
            self.word("found"),
        ];
        let mut rows = vec![row(self.word("environment"), &columns), "|---|---|---|---|---|---|---|".into()];
        let figures: Vec<Published> = figures_of(publisher).collect();
        let mut seen = vec![];
        for figure in &figures {
            let key = (figure.env, figure.algorithm);
            if !seen.contains(&key) {
                seen.push(key);
                let same: Vec<&Published> =
                    figures.iter().filter(|other| (other.env, other.algorithm) == key).collect();
                rows.push(self.beside(entries, &same, publisher.protocol));
            }
        }
        rows
    }

    /// The row of figures of one algorithm in one environment.
    fn beside(&self, entries: &[Entry], figures: &[&Published], protocol: Protocol) -> String {
        let (env, algorithm) = (figures[0].env, figures[0].algorithm);
        let published = figures.iter().map(|figure| {
            let steps = self.steps_of(env, &thousands(figure.env_steps as f64));
            let mean = published_figure(figure.mean, figure.spread);
            format!("{mean}<br>{}, {steps}", self.word(figure.source))
        });
        let most = figures.iter().map(|figure| figure.env_steps).max().unwrap_or(0);
        let same = same(entries, env, algorithm, most);
        let best = best(entries, env, protocol, most);
        let name = best.map_or(String::new(), |best| format!("`{}` ", best.recipe));
        let cells = [
            format!("`{algorithm}`"),
            published.collect::<Vec<_>>().join("<br>"),
            self.ours(same, protocol),
            self.found(same, figures, protocol),
            name + &self.ours(best, protocol),
            self.found(best, figures, protocol),
        ];
        row(env, &cells.each_ref().map(String::as_str))
    }

    /// Mean and standard deviation over seeds, and over how many of what length.
    fn ours(&self, entry: Option<&Entry>, protocol: Protocol) -> String {
        let Some((entry, scores)) = entry.and_then(|entry| Some((entry, scores(entry, protocol)?))) else {
            return NONE.to_owned();
        };
        let (Some(mean), Some(deviation)) =
            (statistics::mean(&scores), statistics::standard_deviation(&scores))
        else {
            return NONE.to_owned();
        };
        let figure = match scores.len() {
            1 => format!("{mean:.2}"),
            _ => format!("{mean:.2} ± {deviation:.2}"),
        };
        let mut steps = thousands(entry.env_steps_median);
        if let Some(limit) = entry.env_steps_limit.filter(|_| ended_early(entry)) {
            steps = format!("{steps} {} {}", self.word("of"), thousands(limit as f64));
        }
        let mut told =
            format!("{figure}<br>{}, {}", self.count(scores.len()), self.steps_of(&entry.env, &steps));
        if !entry.is_current() {
            told += &format!(", {}", self.word("earlier settings"));
        }
        told
    }

    /// Where our mean lies by each figure.
    fn found(&self, entry: Option<&Entry>, figures: &[&Published], protocol: Protocol) -> String {
        let Some((entry, scores)) = entry.and_then(|entry| Some((entry, scores(entry, protocol)?))) else {
            return NONE.to_owned();
        };
        let exploring = protocol == Protocol::LastTrainingReturns && ended_early(entry);
        let places = figures.iter().map(|figure| {
            let place = match figure.place(&scores) {
                Place::Above => self.word("better"),
                Place::Within => self.word("within"),
                Place::Below => self.word("below"),
            };
            match exploring {
                true => format!("{place} ({})", self.word("ended early")),
                false => place.to_owned(),
            }
        });
        places.collect::<Vec<_>>().join("<br>")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::family::tests::{entry, with_maker};

    /// The rows of an environment and a recipe, in the order of the publishers.
    fn rows(entries: &Value, env: &str, recipe: &str) -> Vec<String> {
        let table = with_maker(entries, |maker| maker.family_published().unwrap());
        let start = format!("| {env} | `{recipe}` |");
        table.lines().filter(|line| line.starts_with(&start)).map(str::to_owned).collect()
    }

    #[test]
    fn each_publishers_own_protocol_is_compared() {
        // The greedy mean is -80, the returns while training are a tenth less than that of each seed: -72.
        let entries = json!([entry("Acrobot-v1", "dqn", 100_000, &[-70.0, -90.0])]);
        let rows = rows(&entries, "Acrobot-v1", "dqn");
        let ours = "-72.00 ± 9.00<br>2 seeds, 100,000 env steps";
        assert_eq!(
            rows[0],
            format!(
                "| Acrobot-v1 | `dqn` | -91.54 ± 7.2<br>CleanRL, 3 seeds, 500,000 env steps | {ours} | better | \
                 `dqn` {ours} | better |"
            )
        );
        let theirs = "-76.64 ± 11.75<br>rl-zoo3, 1 seed, 100,000 env steps<br>-74 ± 2<br>SB3-contrib, several \
                      seeds, 100,000 env steps";
        let ours = "-80.00 ± 10.00<br>2 seeds, 100,000 env steps";
        assert!(
            rows[1].contains(&format!("| {theirs} | {ours} | within<br>below | `dqn` {ours} |")),
            "{}",
            rows[1]
        );
    }

    #[test]
    fn the_best_recipe_is_the_one_with_the_greatest_mean_by_the_protocol() {
        let mut entries = json!([
            entry("Acrobot-v1", "dqn", 100_000, &[-90.0; 3]),
            entry("Acrobot-v1", "c51", 100_000, &[-80.0; 3]),
            entry("Acrobot-v1", "iqn", 100_000, &[-85.0; 3]),
            entry("CartPole-v1", "m-dqn", 100_000, &[500.0; 3]),
        ]);
        entries[2]["seeds"][0]["last_100_training_returns"] = json!(-10.0);
        let rows = rows(&entries, "Acrobot-v1", "dqn");
        assert!(rows[0].contains("| `iqn` -54.33 ± 31.35<br>3 seeds"), "{}", rows[0]);
        assert!(rows[1].contains("| `c51` -80.00 ± 0.00<br>3 seeds"), "{}", rows[1]);
    }

    #[test]
    fn a_recipe_that_is_not_there_is_a_dash_beside_the_best() {
        let entries = json!([entry("Acrobot-v1", "iqn", 100_000, &[-85.0; 3])]);
        let row = &rows(&entries, "Acrobot-v1", "qr-dqn")[0];
        assert!(row.contains("100,000 env steps | – | – | `iqn` -85.00"), "{row}");
        let row = &rows(&entries, "LunarLander-v3", "dqn")[0];
        assert!(
            row.ends_with("SB3-contrib, several seeds, v2, 100,000 env steps | – | – | – | – |"),
            "{row}"
        );
    }

    #[test]
    fn of_two_studies_the_longest_stands_there_that_is_no_longer_than_the_publishers() {
        let game = "MinAtar/Breakout-v0";
        let of = |limits: &[u64]| {
            let entries: Vec<Value> = limits.iter().map(|limit| entry(game, "dqn", *limit, &[9.0])).collect();
            rows(&json!(entries), game, "dqn").remove(0)
        };
        for (limits, shown) in [
            (&[1_000_000, 5_000_000, 10_000_000][..], "5,000,000"),
            (&[1_000_000], "1,000,000"),
            (&[10_000_000, 20_000_000], "10,000,000"),
        ] {
            let row = of(limits);
            assert!(row.contains(&format!("| 8.10<br>1 seed, {shown} frames |")), "{limits:?}: {row}");
        }
    }

    /// rl-zoo3 trains CartPole for 50,000 env steps.
    #[test]
    fn runs_that_took_fewer_steps_than_they_might_count_by_what_they_took() {
        let mut entries = json!([entry("CartPole-v1", "dqn", 100_000, &[500.0; 2])]);
        assert!(rows(&entries, "CartPole-v1", "dqn")[1].ends_with("| – | – |"));
        entries[0]["seeds"][0]["env_steps"] = json!(20_000);
        assert!(rows(&entries, "CartPole-v1", "dqn")[1].ends_with("| – | – |"), "one of them took more");
        entries[0]["seeds"][1]["env_steps"] = json!(50_000);
        assert!(rows(&entries, "CartPole-v1", "dqn")[1].contains("| `dqn` 500.00 ± 0.00<br>2 seeds"));
    }

    #[test]
    fn runs_that_ended_early_say_so_where_training_returns_are_compared() {
        let mut entries = json!([entry("CartPole-v1", "dqn", 100_000, &[200.0; 3])]);
        entries[0]["env_steps_median"] = json!(11_500.0);
        let rows = rows(&entries, "CartPole-v1", "dqn");
        let ended = "3 seeds, 11,500 of 100,000 env steps";
        assert!(rows[0].contains(&format!("{ended} | below (ended early) |")), "{}", rows[0]);
        assert!(rows[1].contains(&format!("{ended} | below<br>below |")), "{}", rows[1]);
    }

    #[test]
    fn figures_from_plots_are_held_against_the_interval_of_ours() {
        let game = "MinAtar/Breakout-v0";
        for (score, place) in [(5.0, "below"), (10.0 / 0.9, "within"), (20.0, "better")] {
            let entries = json!([entry(game, "dqn", 500_000, &[score - 0.5, score, score + 0.5])]);
            let row = &rows(&entries, game, "dqn")[0];
            assert!(row.contains("| ~10<br>Young & Tian, 30 seeds, 5,000,000 frames |"), "{row}");
            assert!(row.contains(&format!("500,000 frames | {place} |")), "{score}: {row}");
        }
    }

    #[test]
    fn a_seed_without_a_number_is_not_left_out() {
        let mut entries = json!([entry("Acrobot-v1", "dqn", 100_000, &[-90.0; 3])]);
        entries[0]["seeds"][1]["last_100_training_returns"] = Value::Null;
        let rows = rows(&entries, "Acrobot-v1", "dqn");
        assert!(rows[0].ends_with("| – | – | – | – |"), "{}", rows[0]);
        assert!(rows[1].contains("| -90.00 ± 0.00"), "{}", rows[1]);
    }
}
