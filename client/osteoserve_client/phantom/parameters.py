"""What varies between phantoms: body, bone density, contrast, pose, table, scanner."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: Values of the options that are names.
ARMS = ("down", "up", "absent")
CONTRAST_PHASES = ("none", "arterial", "portal", "late")
TABLES = ("two_shell", "trapezoid", "curved", "flat", "none")

# Chosen so that seed 0, the demo, is an unremarkable patient on an ordinary table.
_STREAM = 3340


@dataclass(frozen=True, kw_only=True)
class PhantomParameters:
    """One patient, one scanner, one examination.

    Lengths are in mm, densities in HU, angles in degrees. `draw_parameters` draws a plausible
    set from a seed; `dataclasses.replace` changes single values.

    Args:
        seed: Feeds everything that has no parameter of its own (shapes of bowel loops, noise).
        stature_mm: Height of the standing patient; scales the whole body.
        frame: Width of the skeleton relative to its height, about 1.
        girth: Scale of the soft outline outside the skeleton, about 1.
        fat_mm: Thickness of the fat under the skin of the belly.
        muscle_fat: How much fat stands between and within the muscles, about 1.
        breast_mm: How far the breasts stand out; 0 for none.
        marrow_hu: Trabecular bone of the vertebrae: 20 (osteoporosis) to 250 (young adult).
        cortex_hu: Compact bone of the long shafts.
        marrow_fat: How far spongy bone of the pelvic ring and the limbs' ends has given way to fat,
            0..1, as in the alae of an old patient's sacrum.
        roll_deg: Rotation about the long axis.
        lean: (x, y) shift per mm along z, a slight tilt of the long axis.
        offset_mm: (x, y) shift of the body from the centre of the field of view.
        scoliosis_mm: Amplitude of the sideways curve of the spine.
        prone: The patient lies on the belly; the table is then at small y.
        arms: One of `ARMS`.
        arm_spread_mm: How much further from the body the arms lie than usual.
        contrast: One of `CONTRAST_PHASES`.
        contrast_hu: Enhancement of the brightest vessels in that phase.
        oral_contrast_hu: Content of some bowel loops; 0 for none.
        bolus_hu: Undiluted contrast in the vein of one arm, up to the upper vena cava; 0: none.
        plaque: Number of calcified plaques in the walls of the arteries.
        calcifications: Number of stones, calcified nodes and clips.
        hip_implant: Side of a metal hip, "left", "right" or "none".
        spinal_screws: Pedicle screws in the lumbar spine.
        external_lines: Number of leads, tubes and buttons on the skin.
        table: One of `TABLES`.
        table_gap_mm: Mattress between the back and the table.
        slice_thickness_mm: Over how much of z a slice averages; 0: an ideal thin slice.
        noise_hu: Standard deviation of the noise in soft tissue.
        blur_mm: Standard deviation of the in-plane point spread.
        padding_hu: Value outside the circular field of view; None: no circle.
    """

    seed: int = 0
    stature_mm: float = 1720.0
    frame: float = 1.0
    girth: float = 1.0
    fat_mm: float = 16.0
    muscle_fat: float = 1.0
    breast_mm: float = 0.0
    marrow_hu: float = 150.0
    cortex_hu: float = 1250.0
    roll_deg: float = 0.0
    lean: tuple[float, float] = (0.0, 0.0)
    offset_mm: tuple[float, float] = (0.0, 0.0)
    scoliosis_mm: float = 0.0
    prone: bool = False
    arms: str = "down"
    arm_spread_mm: float = 0.0
    contrast: str = "portal"
    contrast_hu: float = 180.0
    oral_contrast_hu: float = 300.0
    bolus_hu: float = 0.0
    plaque: int = 6
    calcifications: int = 3
    hip_implant: str = "none"
    spinal_screws: bool = False
    external_lines: int = 3
    table: str = "two_shell"
    table_gap_mm: float = 12.0
    slice_thickness_mm: float = 0.0
    noise_hu: float = 14.0
    blur_mm: float = 0.7
    padding_hu: int | None = -1024
    marrow_fat: float = 0.0

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.arms, ARMS),
            (self.contrast, CONTRAST_PHASES),
            (self.table, TABLES),
            (self.hip_implant, ("none", "left", "right")),
        ):
            if value not in allowed:
                raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
        if not 1000 <= self.stature_mm <= 2300:
            raise ValueError(f"stature_mm must lie in 1000..2300, not {self.stature_mm}")


def draw_parameters(seed: int) -> PhantomParameters:
    """A plausible patient and examination, the same for the same seed."""
    rng = np.random.default_rng([seed, _STREAM])
    contrast = str(rng.choice(CONTRAST_PHASES, p=[0.25, 0.25, 0.35, 0.15]))
    low, high = {"none": (0, 1), "arterial": (230, 420), "portal": (120, 210), "late": (60, 120)}[
        contrast
    ]
    girth = float(np.clip(rng.normal(1.0, 0.08), 0.85, 1.22))
    drawn = PhantomParameters(
        seed=seed,
        stature_mm=float(np.clip(rng.normal(1710, 85), 1500, 1960)),
        frame=float(np.clip(rng.normal(1.0, 0.04), 0.9, 1.1)),
        girth=girth,
        fat_mm=float(np.clip(rng.normal(16 + 90 * (girth - 1), 6), 4, 45)),
        muscle_fat=float(rng.uniform(0.5, 2.2)),
        breast_mm=float(rng.uniform(15, 55)) if rng.random() < 0.4 else 0.0,
        marrow_hu=float(rng.uniform(20, 250)),
        cortex_hu=float(rng.uniform(950, 1500)),
        roll_deg=float(rng.normal(0, 2.5)),
        lean=(float(rng.normal(0, 0.012)), float(rng.normal(0, 0.01))),
        offset_mm=(float(rng.normal(0, 10)), float(rng.normal(0, 12))),
        scoliosis_mm=float(rng.normal(0, 5)),
        prone=bool(rng.random() < 0.08),
        arms=str(rng.choice(ARMS, p=[0.5, 0.42, 0.08])),
        arm_spread_mm=float(rng.uniform(-12, 22)),
        contrast=contrast,
        contrast_hu=float(rng.uniform(low, high)),
        oral_contrast_hu=float(rng.choice([0.0, 150.0, 300.0, 500.0], p=[0.4, 0.15, 0.25, 0.2])),
        bolus_hu=float(rng.uniform(400, 2000)) if rng.random() < 0.12 else 0.0,
        plaque=int(rng.poisson(8)) if rng.random() < 0.6 else 0,
        calcifications=int(rng.poisson(4)),
        hip_implant=str(rng.choice(["none", "left", "right"], p=[0.84, 0.08, 0.08])),
        spinal_screws=bool(rng.random() < 0.06),
        external_lines=int(rng.integers(0, 7)),
        table=str(rng.choice(TABLES, p=[0.35, 0.2, 0.25, 0.12, 0.08])),
        table_gap_mm=float(rng.uniform(3, 22)),
        noise_hu=float(np.exp(rng.uniform(np.log(6), np.log(32)))),
        blur_mm=float(rng.uniform(0.45, 0.95)),
        padding_hu=[None, -1024, -2000, -3024][int(rng.integers(0, 4))],
        slice_thickness_mm=float(rng.choice([0.0, 3.0, 5.0], p=[0.6, 0.2, 0.2])),
    )
    # Where trabeculae have become few, fat has often taken their place.
    if drawn.marrow_hu < 160 and rng.random() < 0.7:
        drawn = replace(drawn, marrow_fat=float(rng.uniform(0.3, 1.0)))
    return drawn
