//! Every kind of network that a configuration can ask for: which one it is, how it trains, how it is kept, and
//! what is refused.

mod common;

use common::pictures::registry;
use deepq::config::{Architecture, ConfigError, NetworkConfig};
use deepq::network::{Initialization, InputShape, LayerSpec, NetworkSpec};
use deepq::run::{CheckpointChoice, TrainRequest, train};
use deepq::*;

fn resolve(env: &str, network: &str) -> Result<Config, ConfigError> {
    let set = [
        &format!("network={network}"),
        "stop.env_steps=400",
        "learning.start_env_steps=50",
        "evaluation={final_episodes=20}",
        "replay.capacity=400",
    ]
    .map(ToOwned::to_owned);
    Config::resolve(env, None, Some("dqn"), &set).map(|(config, _)| config)
}

fn spec_of(env: &str, network: &str) -> Result<NetworkSpec, ConfigError> {
    network_spec_of(&resolve(env, network)?, &registry())
}

const CONVOLUTIONS: &str = r#"{initialization="glorot-uniform",layers=[
    {kind="convolution",channels=4,size=3},{kind="relu"},
    {kind="residual",layers=[{kind="convolution",channels=4,size=3,padding=1},{kind="silu"}]},
    {kind="max-pool",size=2,stride=2},{kind="flatten"},{kind="layer-norm"},{kind="linear",outputs=16},
    {kind="tanh"}]}"#;
const DUELING: &str = r#"{channels="last",layers=[{kind="flatten"},{kind="linear",outputs=16},{kind="relu"},
    {kind="dueling",value=[],advantage=[{kind="linear",outputs=8},{kind="gelu"}]}]}"#;

#[test]
fn each_kind_of_network_is_what_it_says() {
    let hidden = spec_of("CartPole-v1", r#"{hidden=[24,12],initialization="glorot-uniform"}"#).unwrap();
    assert_eq!(hidden, NetworkSpec::mlp(4, &[24, 12], 2, Initialization::GlorotUniform));
    let row = spec_of("Grid", "{hidden=[8]}").unwrap();
    assert_eq!((row.input, row.element), (InputShape::Vector { len: 400 }, ElementKind::U8));
    assert_eq!(spec_of("Atari", r#"{architecture="nature"}"#).unwrap(), NetworkSpec::nature(4, 2));
    assert_eq!(spec_of("Atari", r#"{architecture="impala"}"#).unwrap(), NetworkSpec::impala(4, 1, 2));
    assert_eq!(spec_of("Atari", r#"{architecture="impala",scale=2}"#).unwrap(), NetworkSpec::impala(4, 2, 2));
    let grid = spec_of("Grid", r#"{architecture="minatar"}"#).unwrap();
    assert_eq!(grid, NetworkSpec { element: ElementKind::U8, ..NetworkSpec::minatar(4, 2) });
    // Flags count as they are, pixels as shares of 255.
    for (env, network, full_byte) in [
        ("MinAtar/Breakout-v1", r#"{architecture="minatar"}"#, 1),
        ("MinAtar/Seaquest-v0", "{hidden=[8]}", 1),
        ("Taxi-v4", "{hidden=[8]}", 1),
        ("Grid", "{hidden=[8]}", 255),
    ] {
        let spec = spec_of(env, network).unwrap();
        assert_eq!((spec.element, spec.full_byte), (ElementKind::U8, full_byte), "{env}");
    }

    let layers = spec_of("SpotFirst", CONVOLUTIONS).unwrap().layers;
    let last = LayerSpec::Linear { outputs: 2, initialization: Initialization::GlorotUniform };
    assert_eq!((layers.len(), &layers[8]), (9, &last));
    let layers = spec_of("SpotLast", DUELING).unwrap().layers;
    let LayerSpec::Dueling { value, advantage } = &layers[3] else { panic!("{layers:?}") };
    assert_eq!((layers.len(), &value[..]), (4, &[LayerSpec::linear(1)][..]));
    assert_eq!((advantage.len(), &advantage[2]), (3, &LayerSpec::linear(2)));
    let empty = spec_of("CartPole-v1", "{layers=[]}").unwrap().layers;
    assert_eq!(empty, [LayerSpec::linear(2)]);
}

#[test]
fn channels_are_the_shorter_axis_unless_somebody_says_so() {
    let first = |channels, height, width| InputShape::ChannelsFirst { channels, height, width };
    let last = |height, width, channels| InputShape::ChannelsLast { height, width, channels };
    let convolution = r#"layers=[{kind="convolution",channels=2,size=1},{kind="flatten"}]"#;
    for (env, network, input) in [
        ("Atari", r#"architecture="nature""#, first(4, 84, 84)),
        ("Atari", convolution, first(4, 84, 84)),
        ("Grid", r#"architecture="minatar""#, last(10, 10, 4)),
        ("Grid", convolution, last(10, 10, 4)),
        ("Grid", r#"channels="first",layers=[{kind="flatten"}]"#, first(10, 10, 4)),
        ("Cube", r#"architecture="minatar""#, last(10, 10, 10)),
        ("Cube", r#"architecture="impala""#, first(10, 10, 10)),
        ("Cube", r#"architecture="impala",channels="last""#, last(10, 10, 10)),
        ("Cube", r#"channels="last",layers=[{kind="flatten"}]"#, last(10, 10, 10)),
        ("Table", "layers=[]", InputShape::Vector { len: 63 }),
        ("Film", "layers=[]", InputShape::Vector { len: 120 }),
    ] {
        let spec = spec_of(env, &format!("{{{network}}}")).unwrap_or_else(|error| panic!("{env}: {error}"));
        assert_eq!(spec.input, input, "{env} {network}");
    }
}

/// The place and the message of an error, with what helps.
fn told(error: &ConfigError) -> String {
    format!("{error} {}", error.help().unwrap_or_default())
}

#[test]
fn what_makes_no_sense_is_refused() {
    let one = |layer: &str| format!("{{layers=[{layer}]}}");
    let deep = (0..6)
        .fold(r#"{kind="relu"}"#.to_owned(), |inner, _| format!(r#"{{kind="residual",layers=[{inner}]}}"#));
    for (network, words) in [
        ("3".to_owned(), vec!["found 3, allowed is a table with hidden, architecture or layers"]),
        ("{}".to_owned(), vec!["none of hidden, architecture and layers"]),
        (
            r#"{hidden=[8],architecture="nature"}"#.into(),
            vec!["architecture cannot", "network.hidden", "--set"],
        ),
        (
            "{hidden=[8],layers=[]}".into(),
            vec!["network.layers cannot be given together with network.hidden"],
        ),
        ("{hidden=[8],scale=2}".into(), vec!["network.scale does not go with hidden", "impala"]),
        (r#"{hidden=[8],channels="last"}"#.into(), vec!["network.channels does not go with hidden"]),
        (r#"{architecture="nature",scale=2}"#.into(), vec!["network.scale", "architecture = \"impala\""]),
        (
            r#"{architecture="nature",initialization="glorot-uniform"}"#.into(),
            vec!["network.initialization does not go with architecture"],
        ),
        (
            "{layers=[],divide_observations_by=[1.0]}".into(),
            vec!["divide_observations_by", "kind = \"divide\""],
        ),
        (r#"{architecture="impala",scale=0}"#.into(), vec!["network.scale: found 0, allowed is 1 to 64"]),
        (
            r#"{architecture="natur"}"#.into(),
            vec!["no value 'natur'", "'nature'?", "minatar, nature, impala"],
        ),
        (r#"{architecture="nature",channels="lst"}"#.into(), vec!["'lst'", "did you mean 'last'?"]),
        ("{hiden=[8]}".into(), vec!["no key 'hiden'", "did you mean 'hidden'?"]),
        (one(r#"{kind="conv",channels=4,size=3}"#), vec!["no value 'conv'", "did you mean 'convolution'?"]),
        (one(r#"{kind="convolution",chanels=4,size=3}"#), vec!["no key 'chanels'", "'channels'?"]),
        (one(r#"{kind="relu",size=3}"#), vec!["network.layers.0: there is no key 'size'", "there are: kind"]),
        (
            one(r#"{kind="residual",layers=[{kind="relu"},{kind="flatten",x=1}]}"#),
            vec!["network.layers.0.layers.1: there is no key 'x'"],
        ),
        (
            one(r#"{kind="linear",outputs=0},{kind="relu"}"#),
            vec!["network.layers.0.outputs: found 0, allowed is 1"],
        ),
        (one(r#"{kind="convolution",channels=0,size=3}"#), vec!["network.layers.0.channels: found 0"]),
        (one(r#"{kind="convolution",channels=1,size=3,stride=0}"#), vec!["network.layers.0.stride: found 0"]),
        (
            one(r#"{kind="convolution",channels=1,size=3,padding=3}"#),
            vec!["network.layers.0.padding: found 3, allowed is 0 to 2"],
        ),
        (one(r#"{kind="max-pool",size=3,stride=1,padding=2}"#), vec!["padding: found 2, allowed is 0 to 1"]),
        (one(r#"{kind="layer-norm",epsilon=0}"#), vec!["network.layers.0.epsilon: found 0"]),
        (one(r#"{kind="divide",by=[1.0,0.0]}"#), vec!["network.layers.0.by: found 0"]),
        (
            one(r#"{kind="relu"},{kind="noisy-linear",outputs=0},{kind="relu"}"#),
            vec!["network.layers.1.outputs: found 0"],
        ),
        (
            one(r#"{kind="dueling",value=[{kind="noisy-linear",outputs=8,noise=0}],advantage=[]}"#),
            vec!["network.layers.0.value.0.noise: found 0"],
        ),
        (
            one(r#"{kind="cosine-embedding"}"#),
            vec!["network.layers: have a cosine embedding", "take the head implicit-quantile"],
        ),
        (
            one(r#"{kind="dueling",value=[],advantage=[]},{kind="relu"}"#),
            vec!["layers.0: is a dueling head", "last"],
        ),
        (
            one(r#"{kind="relu"},{kind="linear",outputs=2}"#),
            vec!["network.layers.1: is a linear layer at the end"],
        ),
        (
            one(r#"{kind="dueling",value=[],advantage=[{kind="linear",outputs=2}]}"#),
            vec!["network.layers.0.advantage.0: is a linear layer at the end"],
        ),
        (one(&vec![r#"{kind="relu"}"#; 1025].join(",")), vec!["network.layers: found 1025 layers"]),
        (one(&deep), vec!["found layers inside 5 others"]),
        (r#"{layers=[],atoms=51}"#.into(), vec!["there is no key 'atoms'"]),
    ] {
        let error = told(&resolve("CartPole-v1", &network).expect_err(&network));
        for word in words {
            assert!(error.contains(word), "{network}: '{word}' is missing in: {error}");
        }
    }
}

#[test]
fn networks_that_do_not_fit_the_observations_are_refused() {
    let cartpole = "an observation of CartPole-v1 is 4 numbers";
    for (env, network, words) in [
        (
            "CartPole-v1",
            r#"{architecture="nature"}"#,
            ["network.architecture: this network is for images", cartpole],
        ),
        (
            "CartPole-v1",
            r#"{layers=[{kind="relu"},{kind="convolution",channels=4,size=3}]}"#,
            ["network.layers.1: this layer is for images", cartpole],
        ),
        (
            "CartPole-v1",
            r#"{channels="first",layers=[{kind="linear",outputs=4},{kind="relu"}]}"#,
            ["network.channels: the axis of the channels is for images", cartpole],
        ),
        (
            "Table",
            r#"{architecture="minatar"}"#,
            ["three axes", "an observation of Table is [7, 9] bytes; network.hidden takes any"],
        ),
        (
            "Cube",
            r#"{layers=[{kind="flatten"}]}"#,
            [
                "network.channels: is not given, and an observation of Cube is [10, 10, 10] bytes",
                "\"first\" and \"last\"",
            ],
        ),
        (
            "Grid",
            r#"{architecture="nature"}"#,
            ["network.architecture: its layer 2", "an observation of Grid is [10, 10, 4] bytes"],
        ),
        (
            "Grid",
            r#"{layers=[{kind="linear",outputs=4},{kind="relu"}]}"#,
            ["network.layers.0: ", "flatten it first"],
        ),
        (
            "Grid",
            r#"{layers=[{kind="convolution",channels=4,size=3},{kind="relu"}]}"#,
            ["network.layers: the last layer gives an image of 8 rows", "{ kind = \"flatten\" } follow"],
        ),
        (
            "Grid",
            r#"{layers=[{kind="convolution",channels=4,size=11},{kind="flatten"}]}"#,
            ["network.layers.0: ", "11 rows"],
        ),
        ("CartPole-v1", "{layers=[{kind=\"divide\",by=[1.0,2.0]}]}", ["network.layers.0: ", "but gets 4"]),
        (
            "Endless",
            "{layers=[{kind=\"relu\"},{kind=\"flatten\"}]}",
            ["network.layers.0: gives", "more than 2147483648"],
        ),
    ] {
        let error = told(&spec_of(env, network).expect_err(network));
        for word in words {
            assert!(error.contains(word), "{env} {network}: '{word}' is missing in: {error}");
        }
    }
}

/// Trains in a folder of its own; what a seed determines of it, and the run.
fn train_in(config: Config, out: &std::path::Path) -> deepq::run::RunSummary {
    let mut request = TrainRequest::new(config, "test", 3);
    (request.out, request.registry) = (Some(out.to_owned()), registry());
    train(&request, &mut ()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_kind_of_network_trains_and_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for (name, env, network, written) in [
        ("hidden", "SpotBytes", "{hidden=[16]}", "hidden = [16]\ninitialization = \"fan-in-uniform\"\n"),
        ("convolutions", "SpotFirst", CONVOLUTIONS, "channels = \"first\"\n"),
        ("dueling", "SpotBytes", DUELING, "[[network.layers.advantage]]\n"),
        (
            "divided",
            "CartPole-v1",
            r#"{layers=[{kind="divide",by=[2.4,2.5,0.21,2.5]},{kind="linear",outputs=8},{kind="relu"}]}"#,
            "by = [",
        ),
    ] {
        let path = folder.path().join(name);
        let config = resolve(env, network).unwrap();
        let summary = train_in(config.clone(), &path);
        assert!(summary.gradient_steps > 30, "{summary:?}");
        let text = std::fs::read_to_string(path.join("config.toml")).unwrap();
        assert!(text.contains(written), "{name}: {text}");
        let run = RunDirectory::open(&path).unwrap();
        let read = run.config().unwrap();
        assert_eq!(read.to_toml(), text, "{name}");
        let trainer = Trainer::with_registry(&config, 3, &registry()).unwrap();
        assert_eq!(&read, trainer.config(), "{name}");
        let again = Trainer::with_registry(&read, 3, &registry()).unwrap();
        assert_eq!(&read, again.config(), "{name}");
        let mut policy = run.policy(CheckpointChoice::Final, &registry()).unwrap();
        assert_ne!(policy.parameters(), trainer.policy().parameters(), "{name} learned something");
        let mut evaluator = Evaluator::new(&registry(), env).unwrap();
        let seeds = evaluation_seeds(3, "final-evaluation", 20);
        let returns = evaluator.evaluate_policy(&mut policy, &seeds).unwrap();
        assert_eq!(EvaluationSummary::of(&returns), summary.eval, "{name}");
    }
}

/// The same pictures in either order of axes give the same network, to the bit.
#[test]
fn the_order_of_axes_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let network = |env: &str| {
        let path = folder.path().join(env);
        let summary = train_in(resolve(env, CONVOLUTIONS).unwrap(), &path);
        let parameters = RunDirectory::open(&path)
            .unwrap()
            .policy(CheckpointChoice::Last, &registry())
            .unwrap()
            .parameters();
        (parameters.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), summary.eval)
    };
    let (first, last) = (network("SpotFirst"), network("SpotLast"));
    assert!(first == last);
}

#[test]
fn a_convolution_learns_where_the_spot_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = resolve("SpotBytes", CONVOLUTIONS).unwrap();
    config.stop.env_steps = Some(6_000);
    config.learning.gamma = 0.0;
    let summary = train_in(config, folder.path());
    let mean = summary.eval.unwrap().mean;
    assert!(mean > 9.0, "10 is the most, 5 is chance: {mean}");
}

#[test]
fn the_named_kinds_are_values_of_the_configuration() {
    let config = resolve("Atari", r#"{architecture="impala"}"#).unwrap();
    let expected = NetworkConfig::Architecture {
        architecture: Architecture::Impala { scale: 1 },
        channels: None,
        extras: deepq::config::Extras::default(),
    };
    assert_eq!(config.network, expected);
    assert!(
        config.to_toml().contains("[network]\narchitecture = \"impala\"\nscale = 1\n"),
        "{}",
        config.to_toml()
    );
    let error = resolve("CartPole-v1", r#"{architecture="nature",size=4}"#).unwrap_err();
    assert!(told(&error).contains("hidden, architecture, scale"), "{error}");
    let error =
        Config::resolve("CartPole-v1", None, None, &["network.architecture=nature".into()]).unwrap_err();
    assert_eq!(error.place, "--set network.architecture=nature");
    assert!(error.message.contains("--set 'network={architecture=…}'"), "{error}");
}

#[test]
fn wrong_layers_in_a_file_are_told_with_their_place() {
    let text = resolve("SpotFirst", CONVOLUTIONS).unwrap().to_toml();
    for (from, to, place, words) in [
        (
            "kind = \"silu\"",
            "kind = \"sylu\"",
            "config.toml:",
            "network.layers.2: there is no value 'sylu' here did you mean 'silu'?",
        ),
        (
            "kind = \"silu\"",
            "kind = \"silu\"\nsize = 1",
            "config.toml: network.layers.2.layers.1",
            "no key 'size'",
        ),
        ("outputs = 16", "outputs = 0", "config.toml: network.layers.6.outputs", "found 0"),
        (
            "outputs = 16",
            "outputs = \"many\"",
            "config.toml:",
            "network.layers.6: found \"many\", allowed is a whole number",
        ),
        (
            "[network]",
            "[network]\nhidden = [4]",
            "config.toml:",
            "cannot be given together with network.hidden",
        ),
    ] {
        let error = Config::from_toml(&text.replacen(from, to, 1), "config.toml").unwrap_err();
        assert!(
            error.place.starts_with(place) && told(&error).contains(words),
            "{from} → {to}: {}",
            told(&error)
        );
    }
}
