// Part of deepq, not of Box2D.

#ifndef DEEPQ_REPETITION_H
#define DEEPQ_REPETITION_H

#include <Box2D/Dynamics/Contacts/b2ContactSolver.h>
#include <Box2D/Dynamics/Joints/b2RevoluteJoint.h>

/// Finds out when the iterations of the velocity solver begin to repeat themselves.
///
/// What an iteration does depends on nothing but the velocities and the accumulated impulses. Where these are, bit
/// for bit, what they were `period` iterations ago, they go round in a circle from here on: of the iterations that
/// are left, only as many matter as remain after whole rounds. Leaving the whole rounds out changes no bit.
///
/// The circle is found as R. P. Brent does it (BIT 20, 1980): one earlier state is kept, and replaced by the
/// present one after 1, 2, 4, 8, ... iterations.
class Repetition
{
public:
	Repetition(const b2Velocity* velocities, int32 bodyCount, b2Joint* const* joints, int32 jointCount,
		const b2ContactSolver* contacts)
		: m_velocities(velocities), m_bodyCount(bodyCount), m_joints(joints), m_jointCount(jointCount),
		  m_contacts(contacts), m_age(0), m_renewal(1)
	{
		m_looking = bodyCount <= k_bodies && jointCount * k_jointImpulses <= k_impulses &&
			contacts->m_count * k_contactImpulses <= k_impulses - jointCount * k_jointImpulses;
		if (m_looking)
		{
			Keep();
		}
	}

	/// Called after an iteration: how many of the iterations `left` have to be done.
	int32 Needed(int32 left)
	{
		if (m_looking == false)
		{
			return left;
		}
		++m_age;
		if (IsKept())
		{
			m_looking = false;
			return left % m_age;
		}
		if (m_age == m_renewal)
		{
			Keep();
			m_age = 0;
			m_renewal *= 2;
		}
		return left;
	}

private:
	enum
	{
		k_bodies = 16,
		k_impulses = 128,
		k_jointImpulses = 4,
		k_contactImpulses = 2 * b2_maxManifoldPoints
	};

	size_t VelocityBytes() const { return m_bodyCount * sizeof(b2Velocity); }

	bool IsKept() const
	{
		if (memcmp(m_keptVelocities, m_velocities, VelocityBytes()) != 0)
		{
			return false;
		}
		float32 impulses[k_impulses];
		int32 count = Impulses(impulses);
		return memcmp(m_keptImpulses, impulses, count * sizeof(float32)) == 0;
	}

	void Keep()
	{
		memcpy(m_keptVelocities, m_velocities, VelocityBytes());
		Impulses(m_keptImpulses);
	}

	/// Writes the accumulated impulses and tells how many they are.
	int32 Impulses(float32* out) const
	{
		float32* end = out;
		for (int32 i = 0; i < m_jointCount; ++i)
		{
			// Joints of other kinds are not compiled.
			end = static_cast<const b2RevoluteJoint*>(m_joints[i])->Impulses(end);
		}
		for (int32 i = 0; i < m_contacts->m_count; ++i)
		{
			const b2ContactVelocityConstraint* constraint = m_contacts->m_velocityConstraints + i;
			for (int32 j = 0; j < constraint->pointCount; ++j)
			{
				*end++ = constraint->points[j].normalImpulse;
				*end++ = constraint->points[j].tangentImpulse;
			}
		}
		return (int32)(end - out);
	}

	const b2Velocity* m_velocities;
	int32 m_bodyCount;
	b2Joint* const* m_joints;
	int32 m_jointCount;
	const b2ContactSolver* m_contacts;
	bool m_looking;
	int32 m_age;
	int32 m_renewal;
	float32 m_keptVelocities[3 * k_bodies];
	float32 m_keptImpulses[k_impulses];
};

#endif
