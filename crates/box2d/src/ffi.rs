//! The functions of `cpp/interface.cpp`.
//!
//! The layouts stand there once more. No function keeps a pointer to what it is given but worlds and bodies,
//! throws, or calls back into Rust.

#![allow(unsafe_code)] // Declaring a foreign function vouches for its signature.

use std::ffi::c_void;
use std::marker::{PhantomData, PhantomPinned};

/// A body, which its world owns: known here by its address alone.
#[repr(C)]
pub(crate) struct Body {
    _opaque: [u8; 0],
    _pinned: PhantomData<(*mut u8, PhantomPinned)>,
}

#[repr(C)]
pub(crate) struct Material {
    pub(crate) density: f32,
    pub(crate) friction: f32,
    pub(crate) restitution: f32,
    pub(crate) category: u16,
    pub(crate) mask: u16,
}

#[repr(C)]
pub(crate) struct RevoluteJoint {
    pub(crate) body_a: *mut Body,
    pub(crate) body_b: *mut Body,
    pub(crate) anchor_a: [f32; 2],
    pub(crate) anchor_b: [f32; 2],
    pub(crate) reference_angle: f32,
    pub(crate) lower_angle: f32,
    pub(crate) upper_angle: f32,
    pub(crate) motor_speed: f32,
    pub(crate) greatest_motor_torque: f32,
}

#[repr(C)]
#[derive(Default)]
pub(crate) struct BodyState {
    pub(crate) position: [f32; 2],
    pub(crate) angle: f32,
    pub(crate) velocity: [f32; 2],
    pub(crate) angular_velocity: f32,
    pub(crate) contacts_begun: u32,
    pub(crate) last_contact_began: bool,
    pub(crate) awake: bool,
}

unsafe extern "C" {
    pub(crate) fn deepq_box2d_new_world(gravity_x: f32, gravity_y: f32) -> *mut c_void;
    pub(crate) fn deepq_box2d_delete_world(world: *mut c_void);
    pub(crate) fn deepq_box2d_add_body(
        world: *mut c_void,
        dynamic: bool,
        x: f32,
        y: f32,
        angle: f32,
    ) -> *mut Body;
    pub(crate) fn deepq_box2d_add_edge(body: *mut Body, ends: *const f32, material: *const Material);
    pub(crate) fn deepq_box2d_add_polygon(
        body: *mut Body,
        corners: *const f32,
        count: i32,
        material: *const Material,
    );
    pub(crate) fn deepq_box2d_add_rectangle(
        body: *mut Body,
        half_width: f32,
        half_height: f32,
        material: *const Material,
    );
    pub(crate) fn deepq_box2d_add_circle(body: *mut Body, radius: f32, material: *const Material);
    pub(crate) fn deepq_box2d_add_revolute_joint(world: *mut c_void, joint: *const RevoluteJoint);
    pub(crate) fn deepq_box2d_apply_force(body: *mut Body, x: f32, y: f32);
    pub(crate) fn deepq_box2d_apply_torque(body: *mut Body, torque: f32);
    pub(crate) fn deepq_box2d_apply_impulse(body: *mut Body, x: f32, y: f32, point_x: f32, point_y: f32);
    pub(crate) fn deepq_box2d_step(
        world: *mut c_void,
        seconds: f32,
        velocity_iterations: i32,
        position_iterations: i32,
    );
    pub(crate) fn deepq_box2d_state(body: *const Body, out: *mut BodyState);
}
