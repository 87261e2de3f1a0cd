//! Worlds and what is in them.
#![allow(unsafe_code)] // Box2D is C++: each call below says why it is sound.

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::ffi;

/// A body of a [`World`]: a handle, good for that world as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body(usize);

/// What Box2D could not take: a number that is none, or a shape that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {allowed}, found {found}")]
pub struct Invalid {
    /// Which argument.
    pub what: &'static str,
    /// What it may be.
    pub allowed: &'static str,
    /// What it was.
    pub found: String,
}

fn invalid(what: &'static str, allowed: &'static str, found: impl std::fmt::Debug) -> Invalid {
    Invalid { what, allowed, found: format!("{found:?}") }
}

fn finite(what: &'static str, values: &[f32]) -> Result<(), Invalid> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(invalid(what, "finite numbers are allowed", values)),
    }
}

fn not_negative(what: &'static str, value: f32) -> Result<(), Invalid> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(invalid(what, "a finite number from 0 up is allowed", value)),
    }
}

/// The greatest size in metres: of numbers without a bound some products are none.
const LARGEST: f32 = 1000.0;
/// The least half a side, or radius, in metres: below it Box2D takes an area for none.
const SMALLEST: f32 = 0.0025;
/// Box2D merges corners whose squared distance in m² is less, and makes another shape of those that are left.
const MERGED: f32 = 0.5 * 0.005;

fn size(what: &'static str, value: f32) -> Result<(), Invalid> {
    match (SMALLEST..=LARGEST).contains(&value) {
        true => Ok(()),
        false => Err(invalid(what, "2.5 mm to 1 km is allowed", value)),
    }
}

fn place(what: &'static str, values: &[f32]) -> Result<(), Invalid> {
    match values.iter().all(|value| value.abs() <= LARGEST) {
        true => Ok(()),
        false => Err(invalid(what, "points up to 1 km away along each axis are allowed", values)),
    }
}

/// The form of a fixture, in the coordinates of its body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape<'a> {
    /// A line between two points, which has no mass. Each is at most 1 km away along each axis.
    Edge([f32; 2], [f32; 2]),
    /// A convex polygon of 3 to 8 corners, counter-clockwise, any two of them at least 5 cm apart and each at most
    /// 1 km away along each axis.
    Polygon(&'a [[f32; 2]]),
    /// A rectangle about the body's origin.
    Rectangle {
        /// Half its width in metres, from 0.0025 to 1000.
        half_width: f32,
        /// Half its height in metres, from 0.0025 to 1000.
        half_height: f32,
    },
    /// A disc about the body's origin.
    Circle {
        /// Its radius in metres, from 0.0025 to 1000.
        radius: f32,
    },
}

impl Shape<'_> {
    fn check(&self) -> Result<(), Invalid> {
        match *self {
            Self::Edge(from, to) => place("an edge", &[from, to].concat()),
            Self::Polygon(corners) => check_polygon(corners),
            Self::Rectangle { half_width, half_height } => {
                size("half the width of a rectangle", half_width)?;
                size("half the height of a rectangle", half_height)
            }
            Self::Circle { radius } => size("the radius of a disc", radius),
        }
    }
}

fn check_polygon(corners: &[[f32; 2]]) -> Result<(), Invalid> {
    const ALLOWED: &str = "3 to 8 corners, counter-clockwise, of a convex polygon, 5 cm apart or more, and a turn \
                           at each of them, are allowed";
    /// The sine of the least turn at a corner.
    const STRAIGHT: f32 = 1e-4;
    place("a polygon", corners.as_flattened())?;
    let wrong = || invalid("a polygon", ALLOWED, corners);
    if !(3..=8).contains(&corners.len()) {
        return Err(wrong());
    }
    let way = |from: [f32; 2], to: [f32; 2]| [to[0] - from[0], to[1] - from[1]];
    let corner = |index: usize| corners[index % corners.len()];
    let mut turns = 0.0;
    for index in 0..corners.len() {
        let merged = |other: &[f32; 2]| {
            let [x, y] = way(corner(index), *other);
            x * x + y * y < MERGED
        };
        let one = way(corner(index), corner(index + 1));
        let next = way(corner(index + 1), corner(index + 2));
        let cross = one[0] * next[1] - one[1] * next[0];
        let straight = cross < STRAIGHT * one[0].hypot(one[1]) * next[0].hypot(next[1]);
        if straight || corners[..index].iter().any(merged) {
            return Err(wrong());
        }
        turns += cross.atan2(one[0] * next[0] + one[1] * next[1]);
    }
    // A star turns to the left at every corner too, but more than once round.
    if turns < 1.5 * std::f32::consts::TAU { Ok(()) } else { Err(wrong()) }
}

/// What a fixture is made of, and what it collides with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Material {
    /// kg/m².
    pub density: f32,
    /// The coefficient of friction, usually from 0 to 1.
    pub friction: f32,
    /// How elastic it is, usually from 0 to 1.
    pub restitution: f32,
    /// The categories it belongs to, as bits.
    pub category: u16,
    /// The categories it collides with, as bits.
    pub mask: u16,
}

impl Default for Material {
    /// Box2D's: without mass, friction 0.2, not elastic, in category 1, colliding with all.
    fn default() -> Self {
        Self { density: 0.0, friction: 0.2, restitution: 0.0, category: 1, mask: u16::MAX }
    }
}

/// Two bodies that turn about a common point within limits, driven by a motor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RevoluteJoint {
    /// The first body.
    pub body_a: Body,
    /// The second body, another one.
    pub body_b: Body,
    /// The common point in the first body's coordinates.
    pub anchor_a: [f32; 2],
    /// The common point in the second body's coordinates.
    pub anchor_b: [f32; 2],
    /// The second body's angle less the first one's where the joint's angle is 0.
    pub reference_angle: f32,
    /// The joint's least angle.
    pub lower_angle: f32,
    /// The joint's greatest angle.
    pub upper_angle: f32,
    /// rad/s.
    pub motor_speed: f32,
    /// N·m.
    pub greatest_motor_torque: f32,
}

/// Where a body is, how it moves, and what it has touched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyState {
    /// Its origin.
    pub position: [f32; 2],
    /// Positive is counter-clockwise.
    pub angle: f32,
    /// Of its centre of mass, m/s.
    pub velocity: [f32; 2],
    /// rad/s.
    pub angular_velocity: f32,
    /// How many contacts with fixtures of other bodies have begun since it was added.
    pub contacts_begun: u32,
    /// Whether of all beginnings and ends of contacts the last one was a beginning. Other contacts may go on where
    /// it was an end.
    pub last_contact_began: bool,
    /// False where it has come to rest and Box2D no longer moves it. Static bodies are awake.
    pub awake: bool,
}

/// A world with its bodies, fixtures and joints, which live as long as it does.
///
/// Equal worlds to which the same is done in the same order go through equal bits on one kind of processor and
/// C library.
#[derive(Debug)]
pub struct World {
    world: NonNull<c_void>,
    bodies: Vec<NonNull<ffi::Body>>,
}

// SAFETY: a world refers to nothing outside itself but tables that are filled once, under a lock of C++'s own.
unsafe impl Send for World {}

impl World {
    /// An empty world.
    ///
    /// # Errors
    /// Where the gravity (m/s²) is not finite.
    ///
    /// # Panics
    /// Where there is no memory left.
    pub fn new(gravity: [f32; 2]) -> Result<Self, Invalid> {
        finite("the gravity", &gravity)?;
        // SAFETY: takes numbers alone.
        let world = unsafe { ffi::deepq_box2d_new_world(gravity[0], gravity[1]) };
        let world = NonNull::new(world).expect("memory for a world");
        Ok(Self { world, bodies: Vec::new() })
    }

    /// A body at the origin that never moves.
    pub fn add_static_body(&mut self) -> Body {
        self.add_body(false, [0.0; 2], 0.0)
    }

    /// A body that forces move.
    ///
    /// # Errors
    /// Where a number is not finite.
    pub fn add_dynamic_body(&mut self, position: [f32; 2], angle: f32) -> Result<Body, Invalid> {
        finite("a body's position", &position)?;
        finite("a body's angle", &[angle])?;
        Ok(self.add_body(true, position, angle))
    }

    fn add_body(&mut self, dynamic: bool, position: [f32; 2], angle: f32) -> Body {
        // SAFETY: the world lives, and no step is going on, in which Box2D would give back null: none of its steps
        // outlasts `step`, which borrows the world alone.
        let body = unsafe {
            ffi::deepq_box2d_add_body(self.world.as_ptr(), dynamic, position[0], position[1], angle)
        };
        self.bodies.push(NonNull::new(body).expect("no step is going on"));
        Body(self.bodies.len() - 1)
    }

    /// Gives a body a form, and by its material a mass.
    ///
    /// # Errors
    /// Where the form is none or a number of the material is negative or not finite.
    ///
    /// # Panics
    /// If the body is of another world, which has more of them.
    pub fn add_fixture(&mut self, body: Body, shape: Shape<'_>, material: Material) -> Result<(), Invalid> {
        shape.check()?;
        not_negative("the density", material.density)?;
        not_negative("the friction", material.friction)?;
        not_negative("the restitution", material.restitution)?;
        let Material { density, friction, restitution, category, mask } = material;
        let material = &ffi::Material { density, friction, restitution, category, mask };
        let body = self.address(body);
        // SAFETY: the body lives as long as its world; shape and material are only read during the call; the shape
        // was checked, so that Box2D can make it, and a polygon has at most the 8 corners there is room for.
        unsafe {
            match shape {
                Shape::Edge(from, to) => {
                    ffi::deepq_box2d_add_edge(body, [from, to].as_flattened().as_ptr(), material);
                }
                Shape::Polygon(corners) => {
                    let count = corners.len() as i32;
                    ffi::deepq_box2d_add_polygon(body, corners.as_flattened().as_ptr(), count, material);
                }
                Shape::Rectangle { half_width, half_height } => {
                    ffi::deepq_box2d_add_rectangle(body, half_width, half_height, material);
                }
                Shape::Circle { radius } => ffi::deepq_box2d_add_circle(body, radius, material),
            }
        }
        Ok(())
    }

    /// Joins two bodies.
    ///
    /// # Errors
    /// Where both are the same one, a number is not finite, the limits are in the wrong order, or the torque is
    /// negative.
    ///
    /// # Panics
    /// If a body is of another world, which has more of them.
    pub fn add_revolute_joint(&mut self, joint: RevoluteJoint) -> Result<(), Invalid> {
        let RevoluteJoint { body_a, body_b, anchor_a, anchor_b, reference_angle, lower_angle, .. } = joint;
        let RevoluteJoint { upper_angle, motor_speed, greatest_motor_torque, .. } = joint;
        if body_a == body_b {
            return Err(invalid("a joint's bodies", "two different ones are allowed", body_a));
        }
        finite("a joint's points", &[anchor_a, anchor_b].concat())?;
        finite("a joint's angles and speed", &[reference_angle, lower_angle, upper_angle, motor_speed])?;
        not_negative("the greatest torque of a motor", greatest_motor_torque)?;
        if lower_angle > upper_angle {
            let found = [lower_angle, upper_angle];
            return Err(invalid("a joint's limits", "the least, then the greatest angle is allowed", found));
        }
        let joint = ffi::RevoluteJoint {
            body_a: self.address(body_a),
            body_b: self.address(body_b),
            anchor_a,
            anchor_b,
            reference_angle,
            lower_angle,
            upper_angle,
            motor_speed,
            greatest_motor_torque,
        };
        // SAFETY: world and bodies live, the bodies are two, and `joint` is only read during the call.
        unsafe { ffi::deepq_box2d_add_revolute_joint(self.world.as_ptr(), &joint) };
        Ok(())
    }

    #[inline]
    fn address(&self, body: Body) -> *mut ffi::Body {
        self.bodies[body.0].as_ptr()
    }

    /// A force (N) on the centre of mass during the next step; forces add up, and one that is not finite takes the
    /// body out of all finite places.
    ///
    /// # Panics
    /// If the body is of another world, which has more of them.
    #[inline]
    pub fn apply_force(&mut self, body: Body, force: [f32; 2]) {
        // SAFETY: the body lives as long as its world, which nobody else uses now.
        unsafe { ffi::deepq_box2d_apply_force(self.address(body), force[0], force[1]) }
    }

    /// A torque (N·m) during the next step; torques add up.
    ///
    /// # Panics
    /// If the body is of another world, which has more of them.
    #[inline]
    pub fn apply_torque(&mut self, body: Body, torque: f32) {
        // SAFETY: as for `apply_force`.
        unsafe { ffi::deepq_box2d_apply_torque(self.address(body), torque) }
    }

    /// An impulse (N·s) at a point of the world, at once.
    ///
    /// # Panics
    /// If the body is of another world, which has more of them.
    #[inline]
    pub fn apply_impulse(&mut self, body: Body, impulse: [f32; 2], point: [f32; 2]) {
        let ([x, y], [point_x, point_y]) = (impulse, point);
        // SAFETY: as for `apply_force`.
        unsafe { ffi::deepq_box2d_apply_impulse(self.address(body), x, y, point_x, point_y) }
    }

    /// Moves everything on by a time (s), with so many iterations of the two solvers.
    #[inline]
    pub fn step(&mut self, seconds: f32, velocity_iterations: u16, position_iterations: u16) {
        let (velocity, position) = (velocity_iterations.into(), position_iterations.into());
        // SAFETY: the world lives and nobody else uses it now; with numbers that are not finite Box2D computes on:
        // all its loops have limits, and no index depends on a number's being finite.
        unsafe { ffi::deepq_box2d_step(self.world.as_ptr(), seconds, velocity, position) }
    }

    /// Where a body is, how it moves, and what it has touched.
    ///
    /// # Panics
    /// If the body is of another world, which has more of them.
    #[inline]
    pub fn state(&self, body: Body) -> BodyState {
        let mut state = ffi::BodyState::default();
        // SAFETY: the body lives as long as its world, which nobody changes now; `state` is written whole.
        unsafe { ffi::deepq_box2d_state(self.address(body), &mut state) };
        let ffi::BodyState { position, angle, velocity, angular_velocity, .. } = state;
        let ffi::BodyState { contacts_begun, last_contact_began, awake, .. } = state;
        BodyState { position, angle, velocity, angular_velocity, contacts_begun, last_contact_began, awake }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // SAFETY: the world was made by `deepq_box2d_new_world`, lives, and is not used afterwards.
        unsafe { ffi::deepq_box2d_delete_world(self.world.as_ptr()) }
    }
}
