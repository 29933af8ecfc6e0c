"""How the patient lies: joints are bent, then the whole body is leant, turned and scaled."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import NOMINAL_STATURE_MM, WAIST_Z
from osteoserve_client.phantom.scintigraphy.cloud import Array, Cloud, Part
from osteoserve_client.phantom.scintigraphy.parameters import ScintigraphyParameters

# Centres of joints on the left (x, y, z), nominal mm.
_SHOULDER = (177.0, 28.0, 1400.0)
_ELBOW = (228.0, 34.0, 1100.0)
_HIP = (88.0, 0.0, 890.0)
_ANKLE = (86.0, 8.0, 90.0)
_NECK = (0.0, 14.0, 1500.0)
_HEAD_PARTS = frozenset({Part.SKULL, Part.HEAD})
_AXES = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}


class Pose:
    """Maps the body's nominal points to where they lie under the camera."""

    def __init__(self, parameters: ScintigraphyParameters) -> None:
        self._p = parameters
        rng = np.random.default_rng([parameters.seed, 71])
        self._phase = float(rng.uniform(0, 2 * np.pi))
        self.scale = parameters.stature_mm / NOMINAL_STATURE_MM

    def place(self, cloud: Cloud) -> Array:
        """(N, 3) the cloud's points: x to the patient's left of the middle, y back, z up, mm."""
        points = self._bent(cloud)
        x, y, z = points.T
        p = self._p
        x = x * p.frame + p.scoliosis_mm * self._curve(z)
        turn = np.deg2rad(p.roll_deg) * np.clip((z - 400) / 500, 0, 1)
        c, s = np.cos(turn), np.sin(turn)
        x, y = c * x - s * y, s * x + c * y
        x = x + p.lean * (z - WAIST_Z)
        return np.stack([x * self.scale + p.offset_mm, y * self.scale, z * self.scale], axis=1)

    def _curve(self, z: Array) -> Array:
        inside = np.clip((z - 950) / 150, 0, 1) * np.clip((1620 - z) / 200, 0, 1)
        wave: Array = inside * np.sin(z / 95 + self._phase)
        return wave

    def _bent(self, cloud: Cloud) -> Array:
        points = cloud.points
        if cloud.part in (Part.HUMERUS, Part.ARM):
            return self._arm(points, cloud.side)
        if cloud.part in (Part.FEMUR, Part.LEG):
            return self._leg(points, cloud.side)
        if cloud.part is Part.TRUNK:
            # The shoulders' skin goes with them.
            high = np.clip((points[:, 2] - 1320) / 80, 0, 1)
            points = points + high[:, None] * self._lift(points)
        if cloud.part is Part.GIRDLE:
            return points + self._lift(points)
        if cloud.part in _HEAD_PARTS or cloud.part in (Part.SPINE, Part.TRUNK):
            return self._head(points, whole=cloud.part in _HEAD_PARTS)
        return points

    def _lift(self, points: Array) -> Array:
        """Shoulders drawn up: nothing at the sternum, all of it at the shoulder."""
        share = np.clip((np.abs(points[:, 0]) - 25) / 130, 0, 1)
        up: Array = share[:, None] * np.array([0.0, 0.0, self._p.shoulder_lift_mm])
        return up

    def _arm(self, points: Array, side: str) -> Array:
        p, n, sign = self._p, *_which(side)
        elbow, shoulder = np.array(_ELBOW) * (sign, 1, 1), np.array(_SHOULDER) * (sign, 1, 1)
        # The bend is spread over some centimetres, so that the skin stays whole.
        below = np.clip((_ELBOW[2] + 25 - points[:, 2]) / 50, 0, 1)
        points = _turned(points, elbow, "y", sign * p.elbow_deg[n] * below)
        points = _turned(points, elbow, "x", -p.forearm_lift_deg[n] * below)
        points = _turned(points, shoulder, "y", -sign * p.arm_abduction_deg[n])
        # In a wide body the arms start further out; `place` widens what is left of it.
        out = np.array([sign * 40 * max(0.0, p.girth - 1), 0.0, p.shoulder_lift_mm])
        moved: Array = points + out
        return moved

    def _leg(self, points: Array, side: str) -> Array:
        p, n, sign = self._p, *_which(side)
        ankle, hip = np.array(_ANKLE) * (sign, 1, 1), np.array(_HIP) * (sign, 1, 1)
        foot = np.clip((_ANKLE[2] + 20 - points[:, 2]) / 40, 0, 1)
        points = _turned(points, ankle, "x", p.foot_flexion_deg * foot)
        # From the hip to the knee the leg takes up its rotation; the thigh's skin hardly moves.
        share = np.clip((860 - points[:, 2]) / 360, 0, 1)
        points = _turned(points, ankle, "z", sign * p.leg_rotation_deg[n] * share)
        return _turned(points, hip, "y", -sign * p.leg_abduction_deg[n])

    def _head(self, points: Array, *, whole: bool) -> Array:
        p = self._p
        share = np.ones(len(points)) if whole else np.clip((points[:, 2] - 1440) / 130, 0, 1)
        neck = np.array(_NECK)
        points = _turned(points, neck, "z", p.head_turn_deg * share)
        points = _turned(points, neck, "y", p.head_tilt_deg * share)
        return _turned(points, neck, "x", p.head_nod_deg * share)


def _which(side: str) -> tuple[int, float]:
    return (0, 1.0) if side == "left" else (1, -1.0)


def _turned(points: Array, centre: Array, axis: str, degrees: float | Array) -> Array:
    """Points turned about an axis through a centre; right-handed, degrees for each or for all."""
    i, j = _AXES[axis]
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    out = points - centre
    out[:, i], out[:, j] = c * out[:, i] - s * out[:, j], s * out[:, i] + c * out[:, j]
    turned: Array = out + centre
    return turned
