//! One flight: the moon, the lander with its legs, the wind and the engines.
//!
//! Python's numbers are float64 and Box2D's float32. What is rounded when, and the order of the operations, is
//! Gymnasium's, so that each bit is.

use std::f64::consts::PI;

use deepq_box2d::{Body, BodyState, Invalid, Material, RevoluteJoint, Shape, World};
use deepq_core::Step;

use super::LunarLanderOptions;
use crate::numpy_random::NumpyGenerator;

/// Pixels per metre of the picture; the task's sizes are given in pixels.
pub(super) const SCALE: f64 = 30.0;
/// Width of the sky in metres.
pub(super) const WIDTH: f64 = 600.0 / SCALE;
/// Height of the sky in metres.
pub(super) const HEIGHT: f64 = 400.0 / SCALE;
/// Height of the landing pad in metres.
pub(super) const PAD_HEIGHT: f64 = HEIGHT / 4.0;
/// Corners of the terrain.
pub(super) const CORNERS: usize = 11;
/// The lander's corners in pixels.
pub(super) const LANDER: [[f64; 2]; 6] =
    [[-14.0, 17.0], [-17.0, 0.0], [-17.0, -10.0], [17.0, -10.0], [17.0, 0.0], [14.0, 17.0]];
/// Half a leg's width and height in pixels.
pub(super) const LEG: [f64; 2] = [2.0, 8.0];
/// For how many steps a particle of the engines' exhaust is seen.
pub(super) const PARTICLE_STEPS: usize = 6;

const STEPS_PER_SECOND: f64 = 50.0;
const VELOCITY_ITERATIONS: u16 = 180;
const POSITION_ITERATIONS: u16 = 60;
const GREATEST_INITIAL_FORCE: f64 = 1000.0;
const LEG_AWAY: f64 = 20.0;
const LEG_DOWN: f64 = 18.0;
const LEG_MOTOR_TORQUE: f32 = 40.0;
const MAIN_ENGINE_POWER: f64 = 13.0;
const MAIN_ENGINE_BELOW: f64 = 4.0;
const MAIN_ENGINE_COST: f64 = 0.30;
const SIDE_ENGINE_POWER: f64 = 0.6;
const SIDE_ENGINE_ABOVE: f64 = 14.0;
const SIDE_ENGINE_AWAY: f64 = 12.0;
const SIDE_ENGINE_COST: f64 = 0.03;
/// Categories of Box2D, as bits.
const GROUND: u16 = 0x0001;
const LANDER_CATEGORY: u16 = 0x0010;
const LEG_CATEGORY: u16 = 0x0020;
const PARTICLE_CATEGORY: u16 = 0x0100;

/// One particle of exhaust, as it leaves an engine.
#[derive(Clone, Copy, Debug)]
struct Particle {
    position: [f32; 2],
    impulse: [f32; 2],
    density: f32,
}

/// Where the particles that are still seen are, the oldest first, with the number of steps since they left.
pub(super) type Exhaust = Vec<([f32; 2], usize)>;

/// One flight, from a reset on.
#[derive(Debug)]
pub(super) struct Flight {
    world: World,
    lander: Body,
    legs: [Body; 2],
    /// Where lander and legs are.
    states: [BodyState; 3],
    /// Heights of the terrain's corners in metres, from left to right.
    terrain: [f64; CORNERS],
    wind: Option<Wind>,
    previous_shaping: Option<f64>,
    /// The particles that left an engine in the latest steps: that of step `n` stands at `n % PARTICLE_STEPS`.
    particles: [Option<Particle>; PARTICLE_STEPS],
    steps: usize,
    gravity: f32,
}

/// The wind's strength over time, which starts at random.
#[derive(Clone, Copy, Debug)]
struct Wind {
    power: f64,
    turbulence: f64,
    time: i32,
    turbulence_time: i32,
}

impl Wind {
    fn new(options: &LunarLanderOptions, random: &mut NumpyGenerator) -> Option<Self> {
        // NumPy's integers(-9999, 9999), the end left out.
        let mut draw = || random.integers(19_998) as i32 - 9999;
        options.enable_wind.then(|| Self {
            power: options.wind_power,
            turbulence: options.turbulence_power,
            time: draw(),
            turbulence_time: draw(),
        })
    }

    fn strength(time: i32) -> f64 {
        let time = f64::from(time);
        ((0.02 * time).sin() + (PI * 0.01 * time).sin()).tanh()
    }
}

/// What an engine did in a step.
struct Engine {
    /// From the lander's centre, opposite to the push.
    offset: [f64; 2],
    /// Where it pushes, in the world.
    position: [f64; 2],
    power: f64,
    density: f32,
}

impl Flight {
    /// A new flight, before its first step; the terrain, the push at the start and the wind are drawn.
    pub(super) fn new(options: &LunarLanderOptions, random: &mut NumpyGenerator) -> Result<Self, Invalid> {
        let terrain = draw_terrain(random);
        let gravity = options.gravity as f32;
        let mut world = World::new([0.0, gravity])?;
        add_ground(&mut world, &terrain)?;
        let lander = add_lander(&mut world)?;
        let mut draw = || random.uniform(-GREATEST_INITIAL_FORCE, GREATEST_INITIAL_FORCE) as f32;
        let force = [draw(), draw()];
        world.apply_force(lander, force);
        let wind = Wind::new(options, random);
        let legs = [add_leg(&mut world, lander, -1.0)?, add_leg(&mut world, lander, 1.0)?];
        let states = [lander, legs[0], legs[1]].map(|body| world.state(body));
        let particles = [None; PARTICLE_STEPS];
        let previous_shaping = None;
        Ok(Self {
            world,
            lander,
            legs,
            states,
            terrain,
            wind,
            previous_shaping,
            particles,
            steps: 0,
            gravity,
        })
    }

    /// Lander, leg on the right, leg on the left.
    pub(super) fn bodies(&self) -> &[BodyState; 3] {
        &self.states
    }

    /// The corners of the terrain in metres, from left to right.
    pub(super) fn terrain(&self) -> [[f64; 2]; CORNERS] {
        corners_of(&self.terrain)
    }

    /// Takes a step and writes the observation that follows.
    #[inline]
    pub(super) fn step(
        &mut self,
        action: u8,
        random: &mut NumpyGenerator,
        observation: &mut [f32; 8],
    ) -> Step {
        self.blow();
        let cost = self.fire(action, random);
        self.world.step((1.0 / STEPS_PER_SECOND) as f32, VELOCITY_ITERATIONS, POSITION_ITERATIONS);
        self.states = [self.lander, self.legs[0], self.legs[1]].map(|body| self.world.state(body));
        let state = self.observe();
        *observation = state.map(|value| value as f32);
        let shaping = -100.0 * (state[0] * state[0] + state[1] * state[1]).sqrt()
            - 100.0 * (state[2] * state[2] + state[3] * state[3]).sqrt()
            - 100.0 * state[4].abs()
            + 10.0 * state[6]
            + 10.0 * state[7];
        let gain = self.previous_shaping.map_or(0.0, |previous| shaping - previous);
        self.previous_shaping = Some(shaping);
        let crashed = self.states[0].contacts_begun > 0 || state[0].abs() >= 1.0;
        let rests = !self.states[0].awake;
        let reward = match (rests, crashed) {
            (true, _) => 100.0,
            (false, true) => -100.0,
            (false, false) => gain - cost,
        };
        Step { reward, terminated: crashed || rests, truncated: false }
    }

    /// Wind blows while no leg touches the ground.
    #[inline]
    fn blow(&mut self) {
        let landed = self.states[1].last_contact_began || self.states[2].last_contact_began;
        let Some(wind) = self.wind.as_mut().filter(|_| !landed) else {
            return;
        };
        let force = Wind::strength(wind.time) * wind.power;
        let torque = Wind::strength(wind.turbulence_time) * wind.turbulence;
        wind.time += 1;
        wind.turbulence_time += 1;
        self.world.apply_force(self.lander, [force as f32, 0.0]);
        self.world.apply_torque(self.lander, torque as f32);
    }

    /// Fires the engine that the action names and tells what that costs.
    #[inline]
    fn fire(&mut self, action: u8, random: &mut NumpyGenerator) -> f64 {
        let BodyState { position, angle, .. } = self.states[0];
        let [x, y] = position.map(f64::from);
        let (tip_x, tip_y) = f64::from(angle).sin_cos();
        let [side_x, side_y] = [-tip_y, tip_x];
        // Drawn whether an engine fires or not.
        let mut draw = || random.uniform(-1.0, 1.0) / SCALE;
        let [along, across] = [draw(), draw()];
        let (engine, cost) = match action {
            2 => {
                let down = MAIN_ENGINE_BELOW / SCALE + 2.0 * along;
                let offset = [tip_x * down + side_x * across, -tip_y * down - side_y * across];
                let position = [x + offset[0], y + offset[1]];
                (Engine { offset, position, power: MAIN_ENGINE_POWER, density: 3.5 }, MAIN_ENGINE_COST)
            }
            1 | 3 => {
                let direction = f64::from(action) - 2.0;
                let out = 3.0 * across + direction * SIDE_ENGINE_AWAY / SCALE;
                let offset = [tip_x * along + side_x * out, -tip_y * along - side_y * out];
                // 17 where one would expect 14: so it is in Gymnasium.
                let position =
                    [x + offset[0] - tip_x * 17.0 / SCALE, y + offset[1] + tip_y * SIDE_ENGINE_ABOVE / SCALE];
                (Engine { offset, position, power: SIDE_ENGINE_POWER, density: 0.7 }, SIDE_ENGINE_COST)
            }
            _ => {
                self.note(None);
                return 0.0;
            }
        };
        self.push(&engine);
        cost
    }

    #[inline]
    fn push(&mut self, engine: &Engine) {
        let position = engine.position.map(|value| value as f32);
        let impulse = engine.offset.map(|value| (value * engine.power) as f32);
        self.world.apply_impulse(self.lander, impulse.map(|value| -value), position);
        self.note(Some(Particle { position, impulse, density: engine.density }));
    }

    #[inline]
    fn note(&mut self, particle: Option<Particle>) {
        self.particles[self.steps % PARTICLE_STEPS] = particle;
        self.steps += 1;
    }

    #[inline]
    fn observe(&self) -> [f64; 8] {
        let BodyState { position, velocity, angle, angular_velocity, .. } = self.states[0];
        let ([x, y], [x_speed, y_speed]) = (position.map(f64::from), velocity.map(f64::from));
        let touches = |leg: usize| if self.states[leg].last_contact_began { 1.0 } else { 0.0 };
        [
            (x - WIDTH / 2.0) / (WIDTH / 2.0),
            (y - (PAD_HEIGHT + LEG_DOWN / SCALE)) / (HEIGHT / 2.0),
            x_speed * (WIDTH / 2.0) / STEPS_PER_SECOND,
            y_speed * (HEIGHT / 2.0) / STEPS_PER_SECOND,
            f64::from(angle),
            20.0 * f64::from(angular_velocity) / STEPS_PER_SECOND,
            touches(1),
            touches(2),
        ]
    }

    /// Where the exhaust of the latest steps is.
    ///
    /// Particles collide with the ground alone. They fly in a world of their own, made for a picture, so that a
    /// flight is the same whether or not anybody looks.
    pub(super) fn exhaust(&self) -> Result<Exhaust, Invalid> {
        let mut world = World::new([0.0, self.gravity])?;
        add_ground(&mut world, &self.terrain)?;
        let mut seen = Vec::with_capacity(PARTICLE_STEPS);
        for step in self.steps.saturating_sub(PARTICLE_STEPS)..self.steps {
            if let Some(particle) = self.particles[step % PARTICLE_STEPS] {
                let body = world.add_dynamic_body(particle.position, 0.0)?;
                let material = Material {
                    density: particle.density,
                    friction: 0.1,
                    restitution: 0.3,
                    category: PARTICLE_CATEGORY,
                    mask: GROUND,
                };
                let radius = (2.0 / SCALE) as f32;
                world.add_fixture(body, Shape::Circle { radius }, material)?;
                world.apply_impulse(body, particle.impulse, particle.position);
                seen.push((body, self.steps - 1 - step));
            }
            world.step((1.0 / STEPS_PER_SECOND) as f32, VELOCITY_ITERATIONS, POSITION_ITERATIONS);
        }
        Ok(seen.into_iter().map(|(body, age)| (world.state(body).position, age)).collect())
    }
}

/// Hills at random, smoothed, with a level pad in the middle.
fn draw_terrain(random: &mut NumpyGenerator) -> [f64; CORNERS] {
    let mut heights = [0.0; CORNERS + 1];
    heights.fill_with(|| random.uniform(0.0, HEIGHT / 2.0));
    let middle = CORNERS / 2;
    heights[middle - 2..=middle + 2].fill(PAD_HEIGHT);
    // The first corner's neighbour to the left is the last height of all.
    std::array::from_fn(|corner| {
        let left = heights[(corner + CORNERS) % (CORNERS + 1)];
        0.33 * (left + heights[corner] + heights[corner + 1])
    })
}

fn corners_of(terrain: &[f64; CORNERS]) -> [[f64; 2]; CORNERS] {
    std::array::from_fn(|corner| [WIDTH / (CORNERS as f64 - 1.0) * corner as f64, terrain[corner]])
}

fn add_ground(world: &mut World, terrain: &[f64; CORNERS]) -> Result<(), Invalid> {
    let moon = world.add_static_body();
    world.add_fixture(moon, Shape::Edge([0.0, 0.0], [WIDTH as f32, 0.0]), Material::default())?;
    let corners = corners_of(terrain).map(|corner| corner.map(|value| value as f32));
    for pair in corners.windows(2) {
        let material = Material { friction: 0.1, ..Material::default() };
        world.add_fixture(moon, Shape::Edge(pair[0], pair[1]), material)?;
    }
    Ok(())
}

fn add_lander(world: &mut World) -> Result<Body, Invalid> {
    let lander = world.add_dynamic_body([(WIDTH / 2.0) as f32, HEIGHT as f32], 0.0)?;
    let corners = LANDER.map(|corner| corner.map(|value| (value / SCALE) as f32));
    let material =
        Material { density: 5.0, friction: 0.1, restitution: 0.0, category: LANDER_CATEGORY, mask: GROUND };
    world.add_fixture(lander, Shape::Polygon(&corners), material)?;
    Ok(lander)
}

/// A leg: the one on the right for `side` −1, as in Gymnasium, the one on the left for 1.
fn add_leg(world: &mut World, lander: Body, side: f64) -> Result<Body, Invalid> {
    let position = [(WIDTH / 2.0 - side * LEG_AWAY / SCALE) as f32, HEIGHT as f32];
    let angle = (side * 0.05) as f32;
    let leg = world.add_dynamic_body(position, angle)?;
    let [half_width, half_height] = LEG.map(|size| (size / SCALE) as f32);
    let material = Material { density: 1.0, category: LEG_CATEGORY, mask: GROUND, ..Material::default() };
    world.add_fixture(leg, Shape::Rectangle { half_width, half_height }, material)?;
    let (lower, upper) = if side < 0.0 { (0.9 - 0.5, 0.9) } else { (-0.9, -0.9 + 0.5) };
    world.add_revolute_joint(RevoluteJoint {
        body_a: lander,
        body_b: leg,
        anchor_a: [0.0, 0.0],
        anchor_b: [(side * LEG_AWAY / SCALE) as f32, (LEG_DOWN / SCALE) as f32],
        // Python's binding takes the angle between the bodies.
        reference_angle: angle,
        lower_angle: lower as f32,
        upper_angle: upper as f32,
        motor_speed: (0.3 * side) as f32,
        greatest_motor_torque: LEG_MOTOR_TORQUE,
    })?;
    Ok(leg)
}
