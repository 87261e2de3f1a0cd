//! What one expects of bodies, and what worlds refuse.

use deepq_box2d::{Body, Material, RevoluteJoint, Shape, World};

const GRAVITY: [f32; 2] = [0.0, -10.0];

/// A square metre of 1 kg that falls on level ground.
fn falling(height: f32) -> (World, Body, Body) {
    let mut world = World::new(GRAVITY).unwrap();
    let ground = world.add_static_body();
    world.add_fixture(ground, Shape::Edge([-9.0, 0.0], [9.0, 0.0]), Material::default()).unwrap();
    let body = world.add_dynamic_body([0.0, height], 0.0).unwrap();
    let square = Shape::Rectangle { half_width: 0.5, half_height: 0.5 };
    world.add_fixture(body, square, Material { density: 1.0, ..Material::default() }).unwrap();
    (world, ground, body)
}

#[test]
fn a_body_falls_lands_and_comes_to_rest() {
    let (mut world, ground, body) = falling(2.0);
    world.step(0.02, 8, 3);
    let state = world.state(body);
    assert_eq!(state.velocity, [0.0, -10.0 * 0.02]);
    assert_eq!((state.contacts_begun, state.last_contact_began, state.awake), (0, false, true));
    let mut steps = 1;
    while world.state(body).awake && steps < 1000 {
        world.step(0.02, 8, 3);
        steps += 1;
    }
    let state = world.state(body);
    assert!((state.position[1] - 0.5).abs() < 0.03, "{state:?}");
    assert!(state.last_contact_began && state.contacts_begun == 1 && steps < 200, "{steps}: {state:?}");
    assert_eq!(world.state(ground).contacts_begun, 1);
}

#[test]
fn the_end_of_a_contact_is_told() {
    let (mut world, _, body) = falling(0.5);
    world.step(0.02, 8, 3);
    assert!(world.state(body).last_contact_began);
    world.apply_impulse(body, [0.0, 5.0], [0.0, 0.5]);
    (0..20).for_each(|_| world.step(0.02, 8, 3));
    let state = world.state(body);
    assert!(!state.last_contact_began && state.contacts_begun == 1, "{state:?}");
}

#[test]
fn forces_torques_and_impulses_move_a_body_as_its_mass_says() {
    let mut world = World::new([0.0, 0.0]).unwrap();
    let body = world.add_dynamic_body([1.0, 2.0], 0.0).unwrap();
    let square = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]];
    world
        .add_fixture(body, Shape::Polygon(&square), Material { density: 2.0, ..Material::default() })
        .unwrap();
    world.apply_force(body, [4.0, 0.0]);
    world.apply_impulse(body, [0.0, 1.0], [1.0, 2.0]);
    world.apply_torque(body, 1.0);
    world.step(0.5, 8, 3);
    let state = world.state(body);
    assert_eq!(state.velocity, [1.0, 0.5]);
    // The square's moment of inertia is 2 kg · (1² + 1²)/12 m².
    assert!((state.angular_velocity - 1.5).abs() < 1e-5, "{state:?}");
    // No force outlasts its step.
    world.step(0.5, 8, 3);
    assert_eq!(world.state(body).velocity, [1.0, 0.5]);
}

#[test]
fn bodies_collide_as_their_categories_say() {
    let (mut world, _, body) = falling(3.0);
    let ghost = world.add_dynamic_body([0.2, 1.0], 0.0).unwrap();
    let material = Material { density: 1.0, category: 2, mask: 4, ..Material::default() };
    world.add_fixture(ghost, Shape::Circle { radius: 0.2 }, material).unwrap();
    (0..100).for_each(|_| world.step(0.02, 8, 3));
    assert!(world.state(ghost).position[1] < -5.0, "it falls through all");
    assert_eq!(world.state(ghost).contacts_begun, 0);
    assert_eq!(world.state(body).contacts_begun, 1);
}

#[test]
fn a_joint_keeps_its_limits() {
    let mut world = World::new([0.0, 0.0]).unwrap();
    let [body_a, body_b] = [[0.0, 0.0], [2.0, 0.0]].map(|position| {
        let body = world.add_dynamic_body(position, 0.0).unwrap();
        let material = Material { density: 1.0, ..Material::default() };
        world.add_fixture(body, Shape::Circle { radius: 0.5 }, material).unwrap();
        body
    });
    let joint = RevoluteJoint {
        body_a,
        body_b,
        anchor_a: [1.0, 0.0],
        anchor_b: [-1.0, 0.0],
        reference_angle: 0.0,
        lower_angle: -0.25,
        upper_angle: 0.5,
        motor_speed: 1.0,
        greatest_motor_torque: 10.0,
    };
    world.add_revolute_joint(joint).unwrap();
    (0..200).for_each(|_| world.step(0.02, 8, 3));
    let angle = world.state(body_b).angle - world.state(body_a).angle;
    assert!((angle - 0.5).abs() < 0.05, "{angle}");
    let error = world.add_revolute_joint(RevoluteJoint { body_b: body_a, ..joint }).unwrap_err();
    assert_eq!(error.to_string(), "a joint's bodies: two different ones are allowed, found Body(0)");
    for wrong in [
        RevoluteJoint { anchor_a: [f32::NAN, 0.0], ..joint },
        RevoluteJoint { motor_speed: f32::INFINITY, ..joint },
        RevoluteJoint { greatest_motor_torque: -1.0, ..joint },
        RevoluteJoint { lower_angle: 0.6, ..joint },
    ] {
        assert!(world.add_revolute_joint(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_is_no_shape_is_refused() {
    let (mut world, _, body) = falling(1.0);
    let far = [[0.0, 0.0], [1.0, 0.0], [f32::INFINITY, 1.0]];
    let clockwise = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]];
    let straight = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]];
    // Box2D would merge the corners and take a square of 4 m² instead.
    let tiny = [[0.0, 0.0], [0.04, 0.0], [0.0, 0.04]];
    let wasp = [[0.0, 0.0], [1.0, -0.02], [2.0, 0.0], [1.0, 0.02]];
    let dented = [[0.0, 0.0], [2.0, 0.0], [1.0, 0.5], [2.0, 2.0]];
    let circle = |corners: usize, rounds: f32| -> Vec<[f32; 2]> {
        let angle = |corner| rounds * std::f32::consts::TAU * corner as f32 / corners as f32;
        (0..corners).map(|corner| [angle(corner).cos(), angle(corner).sin()]).collect()
    };
    let shapes: [&[[f32; 2]]; 9] = [
        &far,
        &clockwise,
        &straight,
        &tiny,
        &wasp,
        &dented,
        &circle(2, 1.0),
        &circle(9, 1.0),
        // A star of five points.
        &circle(5, 2.0),
    ];
    for corners in shapes {
        let error = world.add_fixture(body, Shape::Polygon(corners), Material::default()).unwrap_err();
        assert_eq!(error.what, "a polygon", "{corners:?}");
    }
    world.add_fixture(body, Shape::Polygon(&circle(8, 1.0)), Material::default()).unwrap();
    for shape in [
        Shape::Edge([0.0, f32::NAN], [1.0, 0.0]),
        Shape::Rectangle { half_width: 0.0, half_height: 1.0 },
        Shape::Edge([0.0, 1001.0], [1.0, 0.0]),
        Shape::Rectangle { half_width: 1.0, half_height: f32::INFINITY },
        Shape::Rectangle { half_width: 1e-20, half_height: 1.0 },
        Shape::Rectangle { half_width: f32::NAN, half_height: 1.0 },
        Shape::Circle { radius: -1.0 },
        Shape::Circle { radius: 1e30 },
    ] {
        assert!(world.add_fixture(body, shape, Material::default()).is_err(), "{shape:?}");
    }
}

/// Box2D's search for the hull of corners as far away as these went on beyond its memory.
#[test]
fn polygons_of_any_size_are_taken_or_refused() {
    for exponent in -6..38 {
        let scale = 10f32.powi(exponent);
        for (near, far) in [(1.0, 2.0), (0.1, 1.0), (1.0, 1.1), (0.9, 3.0)] {
            let mut corners = [
                [near, -far],
                [far, -near],
                [far, near],
                [near, far],
                [-near, far],
                [-far, near],
                [-far, -near],
                [-near, -far],
            ]
            .map(|corner: [f32; 2]| corner.map(|value| value * scale));
            for _ in 0..8 {
                corners.rotate_left(1);
                let (mut world, _, body) = falling(1.0);
                let material = Material { density: 1.0, ..Material::default() };
                let taken = world.add_fixture(body, Shape::Polygon(&corners), material).is_ok();
                let shortest = scale * (2.0 * near).min(2f32.sqrt() * (far - near));
                assert_eq!(taken, shortest >= 0.05 && far * scale <= 1000.0, "{corners:?}");
                (0..3).for_each(|_| world.step(0.02, 8, 3));
                assert!(!taken || world.state(body).position.into_iter().all(f32::is_finite));
            }
        }
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    assert!(World::new([0.0, f32::NAN]).is_err());
    let (mut world, _, body) = falling(1.0);
    assert!(world.add_dynamic_body([f32::INFINITY, 0.0], 0.0).is_err());
    let error = world.add_dynamic_body([0.0, 0.0], f32::NAN).unwrap_err();
    assert_eq!(error.to_string(), "a body's angle: finite numbers are allowed, found [NaN]");
    for material in [
        Material { density: -1.0, ..Material::default() },
        Material { friction: f32::NAN, ..Material::default() },
        Material { restitution: f32::INFINITY, ..Material::default() },
    ] {
        let error = world.add_fixture(body, Shape::Circle { radius: 1.0 }, material).unwrap_err();
        assert_eq!(error.allowed, "a finite number from 0 up is allowed");
    }
}

#[test]
fn a_world_survives_forces_beyond_all_numbers() {
    for force in [f32::NAN, f32::INFINITY, f32::MAX, -f32::MAX] {
        let (mut world, _, body) = falling(0.5);
        (0..10).for_each(|_| world.step(0.02, 8, 3));
        world.apply_force(body, [force, force]);
        world.apply_torque(body, force);
        world.apply_impulse(body, [force, 0.0], [0.0, force]);
        (0..10).for_each(|_| world.step(0.02, 180, 60));
        world.step(f32::NAN, 8, 3);
        world.step(f32::INFINITY, 8, 3);
        world.state(body);
    }
}

/// Without an end to the search for a time of impact that there is not, this takes minutes.
#[test]
fn bodies_in_no_finite_place_do_not_hold_a_world_up() {
    let start = std::time::Instant::now();
    let (mut world, ground, _) = falling(1.0);
    for edge in 0..20 {
        let from = edge as f32;
        world.add_fixture(ground, Shape::Edge([from, 0.0], [from + 1.0, 0.0]), Material::default()).unwrap();
    }
    for number in 0..8 {
        let body = world.add_dynamic_body([number as f32, 0.3], 0.0).unwrap();
        let material = Material { density: 1.0, ..Material::default() };
        world.add_fixture(body, Shape::Circle { radius: 0.5 }, material).unwrap();
        world.step(0.02, 8, 3);
        world.apply_force(body, [f32::NAN, f32::INFINITY]);
    }
    (0..1000).for_each(|_| world.step(0.02, 8, 3));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
