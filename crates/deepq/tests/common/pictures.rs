//! Environments whose observations are pictures.

use deepq::config::ChannelAxis;
use deepq::*;

const ROWS: usize = 6;
const COLUMNS: usize = 5;
const CHANNELS: usize = 2;

/// A spot in a picture of two channels. Going to the side on which it is pays 1, in the second channel the other.
struct Spot {
    spec: EnvSpec,
    axis: ChannelAxis,
    stream: RandomStream,
    place: [usize; 3],
    steps: u32,
}

impl Spot {
    fn new(element: ElementKind, axis: ChannelAxis) -> Self {
        let shape = match axis {
            ChannelAxis::First => vec![CHANNELS, ROWS, COLUMNS],
            ChannelAxis::Last => vec![ROWS, COLUMNS, CHANNELS],
        };
        let spec = picture("Spot", element, shape);
        Self { spec, axis, stream: RandomStream::new(0, "spot", 0), place: [0; 3], steps: 0 }
    }

    fn show(&mut self, observation: ObservationMut<'_>) {
        let [channel, row, column] = [CHANNELS, ROWS, COLUMNS].map(|length| self.stream.below(length));
        self.place = [channel, row, column];
        let element = match self.axis {
            ChannelAxis::First => (channel * ROWS + row) * COLUMNS + column,
            ChannelAxis::Last => (row * COLUMNS + column) * CHANNELS + channel,
        };
        match observation {
            ObservationMut::F32(values) => {
                values.fill(0.0);
                values[element] = 1.0;
            }
            ObservationMut::U8(values) => {
                values.fill(0);
                values[element] = 255;
            }
        }
    }
}

fn picture(id: &str, element: ElementKind, shape: Vec<usize>) -> EnvSpec {
    let len = shape.iter().product();
    let observation_space = BoxSpace { shape, element, low: vec![0.0; len], high: vec![255.0; len] };
    EnvSpec::new(id, observation_space, 2)
}

impl Env for Spot {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<(), EnvError> {
        if let Some(seed) = seed {
            self.stream = RandomStream::new(seed, "spot", 0);
        }
        self.steps = 0;
        self.show(observation);
        Ok(())
    }

    fn step(&mut self, action: usize, observation: ObservationMut<'_>) -> Result<Step, EnvError> {
        let [channel, _, column] = self.place;
        let right = usize::from(column > COLUMNS / 2) ^ channel;
        self.steps += 1;
        self.show(observation);
        let reward = if action == right { 1.0 } else { 0.0 };
        Ok(Step { reward, terminated: self.steps == 10, truncated: false })
    }

    fn save_state(&self, state: &mut StateWriter) {
        self.stream.save_state(state);
        self.place.iter().for_each(|place| state.u64(*place as u64));
        state.u64(u64::from(self.steps));
    }

    fn load_state(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.stream.load_state(state)?;
        for place in &mut self.place {
            *place = state.u64_at_most("place", 9)? as usize;
        }
        self.steps = state.u64_at_most("steps", 10)? as u32;
        Ok(())
    }
}

/// An environment that is only asked what it gives.
struct Mute(EnvSpec);

impl Env for Mute {
    fn spec(&self) -> &EnvSpec {
        &self.0
    }
    fn reset(&mut self, _: Option<u64>, _: ObservationMut<'_>) -> Result<(), EnvError> {
        Ok(())
    }
    fn step(&mut self, _: usize, _: ObservationMut<'_>) -> Result<Step, EnvError> {
        Ok(Step::default())
    }
    fn save_state(&self, _: &mut StateWriter) {}
    fn load_state(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// The built-in environments, spots in either order of axes, and some that have only a shape.
pub(crate) fn registry() -> Registry {
    use ChannelAxis::{First, Last};
    let mut registry = Registry::builtin();
    for (id, element, axis) in [
        ("SpotFirst", ElementKind::F32, First),
        ("SpotLast", ElementKind::F32, Last),
        ("SpotBytes", ElementKind::U8, Last),
    ] {
        registry.register(id, "a spot", move || Spot::new(element, axis)).unwrap();
    }
    for (id, shape) in [
        ("Atari", vec![4, 84, 84]),
        ("Grid", vec![10, 10, 4]),
        ("Cube", vec![10, 10, 10]),
        ("Table", vec![7, 9]),
        ("Film", vec![2, 3, 4, 5]),
        ("Endless", vec![3, 100_000, 100_000]),
    ] {
        // Bounds of the endless one would take gigabytes, and nobody asks for them.
        let mut spec = picture(id, ElementKind::U8, vec![1]);
        if let Space::Box(space) = &mut spec.observation_space {
            space.shape = shape;
        }
        registry.register(id, "only a shape", move || Mute(spec.clone())).unwrap();
    }
    registry
}
