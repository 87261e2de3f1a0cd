// Part of deepq, not of Box2D: the functions that Rust calls, and all of Box2D in one translation unit.

// Before the namespace, so that what the sources include lies outside of it.
#include <algorithm>
#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <memory>
#include <memory.h>
#include <new>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A program may hold another Box2D as well: the names of this one are its own.
namespace deepq_box2d
{
#include "Box2D/Collision/Shapes/b2CircleShape.cpp"
#include "Box2D/Collision/Shapes/b2EdgeShape.cpp"
#include "Box2D/Collision/Shapes/b2PolygonShape.cpp"
#include "Box2D/Collision/b2BroadPhase.cpp"
#include "Box2D/Collision/b2CollideCircle.cpp"
#include "Box2D/Collision/b2CollideEdge.cpp"
#include "Box2D/Collision/b2CollidePolygon.cpp"
#include "Box2D/Collision/b2Collision.cpp"
#include "Box2D/Collision/b2Distance.cpp"
#include "Box2D/Collision/b2DynamicTree.cpp"
#include "Box2D/Collision/b2TimeOfImpact.cpp"
#include "Box2D/Common/b2BlockAllocator.cpp"
#include "Box2D/Common/b2Math.cpp"
#include "Box2D/Common/b2Settings.cpp"
#include "Box2D/Common/b2StackAllocator.cpp"
#include "Box2D/Dynamics/Contacts/b2CircleContact.cpp"
#include "Box2D/Dynamics/Contacts/b2Contact.cpp"
#include "Box2D/Dynamics/Contacts/b2ContactSolver.cpp"
#include "Box2D/Dynamics/Contacts/b2EdgeAndCircleContact.cpp"
#include "Box2D/Dynamics/Contacts/b2EdgeAndPolygonContact.cpp"
#include "Box2D/Dynamics/Contacts/b2PolygonAndCircleContact.cpp"
#include "Box2D/Dynamics/Contacts/b2PolygonContact.cpp"
#include "Box2D/Dynamics/Joints/b2Joint.cpp"
#include "Box2D/Dynamics/Joints/b2RevoluteJoint.cpp"
#include "Box2D/Dynamics/b2Body.cpp"
#include "Box2D/Dynamics/b2ContactManager.cpp"
#include "Box2D/Dynamics/b2Fixture.cpp"
#include "Box2D/Dynamics/b2Island.cpp"
#include "Box2D/Dynamics/b2World.cpp"
#include "Box2D/Dynamics/b2WorldCallbacks.cpp"

namespace
{

/// Counts the contacts of each body in its user data: twice the number of those that began, and one more while the
/// last event was a beginning.
class ContactCounter : public b2ContactListener
{
public:
	void BeginContact(b2Contact* contact) override
	{
		Note(contact->GetFixtureA()->GetBody(), true);
		Note(contact->GetFixtureB()->GetBody(), true);
	}

	void EndContact(b2Contact* contact) override
	{
		Note(contact->GetFixtureA()->GetBody(), false);
		Note(contact->GetFixtureB()->GetBody(), false);
	}

private:
	static void Note(b2Body* body, bool begins)
	{
		uintptr_t count = reinterpret_cast<uintptr_t>(body->GetUserData()) >> 1;
		if (begins && count < INT32_MAX)
		{
			++count;
		}
		body->SetUserData(reinterpret_cast<void*>(count << 1 | (begins ? 1 : 0)));
	}
};

struct World
{
	explicit World(const b2Vec2& gravity) : world(gravity)
	{
		world.SetContactListener(&counter);
	}

	ContactCounter counter;
	b2World world;
};

}

extern "C"
{

struct DeepqMaterial
{
	float density;
	float friction;
	float restitution;
	uint16_t category;
	uint16_t mask;
};

struct DeepqRevoluteJoint
{
	b2Body* body_a;
	b2Body* body_b;
	float anchor_a[2];
	float anchor_b[2];
	float reference_angle;
	float lower_angle;
	float upper_angle;
	float motor_speed;
	float greatest_motor_torque;
};

struct DeepqBodyState
{
	float position[2];
	float angle;
	float velocity[2];
	float angular_velocity;
	uint32_t contacts_begun;
	bool last_contact_began;
	bool awake;
};

}

static void CreateFixture(b2Body* body, const b2Shape* shape, const DeepqMaterial* material)
{
	b2FixtureDef definition;
	definition.shape = shape;
	definition.density = material->density;
	definition.friction = material->friction;
	definition.restitution = material->restitution;
	definition.filter.categoryBits = material->category;
	definition.filter.maskBits = material->mask;
	body->CreateFixture(&definition);
}

extern "C"
{

void* deepq_box2d_new_world(float gravity_x, float gravity_y)
{
	return new (std::nothrow) World(b2Vec2(gravity_x, gravity_y));
}

void deepq_box2d_delete_world(void* world)
{
	delete static_cast<World*>(world);
}

b2Body* deepq_box2d_add_body(void* world, bool dynamic, float x, float y, float angle)
{
	b2BodyDef definition;
	definition.type = dynamic ? b2_dynamicBody : b2_staticBody;
	definition.position.Set(x, y);
	definition.angle = angle;
	return static_cast<World*>(world)->world.CreateBody(&definition);
}

void deepq_box2d_add_edge(b2Body* body, const float* ends, const DeepqMaterial* material)
{
	b2EdgeShape shape;
	shape.Set(b2Vec2(ends[0], ends[1]), b2Vec2(ends[2], ends[3]));
	CreateFixture(body, &shape, material);
}

void deepq_box2d_add_polygon(b2Body* body, const float* corners, int32_t count, const DeepqMaterial* material)
{
	b2Vec2 vertices[b2_maxPolygonVertices];
	for (int32 i = 0; i < count; ++i)
	{
		vertices[i].Set(corners[2 * i], corners[2 * i + 1]);
	}
	b2PolygonShape shape;
	shape.Set(vertices, count);
	CreateFixture(body, &shape, material);
}

void deepq_box2d_add_rectangle(b2Body* body, float half_width, float half_height, const DeepqMaterial* material)
{
	b2PolygonShape shape;
	shape.SetAsBox(half_width, half_height);
	CreateFixture(body, &shape, material);
}

void deepq_box2d_add_circle(b2Body* body, float radius, const DeepqMaterial* material)
{
	b2CircleShape shape;
	shape.m_radius = radius;
	CreateFixture(body, &shape, material);
}

void deepq_box2d_add_revolute_joint(void* world, const DeepqRevoluteJoint* joint)
{
	b2RevoluteJointDef definition;
	definition.bodyA = joint->body_a;
	definition.bodyB = joint->body_b;
	definition.localAnchorA.Set(joint->anchor_a[0], joint->anchor_a[1]);
	definition.localAnchorB.Set(joint->anchor_b[0], joint->anchor_b[1]);
	definition.referenceAngle = joint->reference_angle;
	definition.enableLimit = true;
	definition.lowerAngle = joint->lower_angle;
	definition.upperAngle = joint->upper_angle;
	definition.enableMotor = true;
	definition.motorSpeed = joint->motor_speed;
	definition.maxMotorTorque = joint->greatest_motor_torque;
	static_cast<World*>(world)->world.CreateJoint(&definition);
}

void deepq_box2d_apply_force(b2Body* body, float x, float y)
{
	body->ApplyForceToCenter(b2Vec2(x, y), true);
}

void deepq_box2d_apply_torque(b2Body* body, float torque)
{
	body->ApplyTorque(torque, true);
}

void deepq_box2d_apply_impulse(b2Body* body, float x, float y, float point_x, float point_y)
{
	body->ApplyLinearImpulse(b2Vec2(x, y), b2Vec2(point_x, point_y), true);
}

void deepq_box2d_step(void* world, float seconds, int32_t velocity_iterations, int32_t position_iterations)
{
	static_cast<World*>(world)->world.Step(seconds, velocity_iterations, position_iterations);
}

void deepq_box2d_state(const b2Body* body, DeepqBodyState* out)
{
	uintptr_t contacts = reinterpret_cast<uintptr_t>(body->GetUserData());
	out->position[0] = body->GetPosition().x;
	out->position[1] = body->GetPosition().y;
	out->angle = body->GetAngle();
	out->velocity[0] = body->GetLinearVelocity().x;
	out->velocity[1] = body->GetLinearVelocity().y;
	out->angular_velocity = body->GetAngularVelocity();
	out->contacts_begun = static_cast<uint32_t>(contacts >> 1);
	out->last_contact_began = (contacts & 1) != 0;
	out->awake = body->IsAwake();
}

}

}
