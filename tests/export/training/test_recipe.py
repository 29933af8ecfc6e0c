from __future__ import annotations

import pytest

from osteoserve_export.cli import RECIPE
from osteoserve_export.errors import RecipeError
from osteoserve_export.training.recipe import read_recipe


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return read_recipe(path)

    return write


def test_the_shipped_recipe_reads():
    recipe = read_recipe(RECIPE)
    assert recipe.training.first_channels == 8
    assert {"ct_pelvis_3mm", "ct_abdomen_j2k"} <= {study.name for study in recipe.studies}
    assert all(study.source for study in recipe.studies)


def test_holding_a_study_out_changes_nothing_else():
    recipe = read_recipe(RECIPE)
    rest = recipe.without("ct_pelvis_3mm")
    assert rest.training == recipe.training
    assert [s for s in recipe.studies if s.name != "ct_pelvis_3mm"] == list(rest.studies)


def test_every_cycle_of_the_refinement_has_its_own_random_numbers():
    recipe = read_recipe(RECIPE)
    cycles = [recipe.refined_training(n + 1) for n in range(len(recipe.refinement))]
    assert len({recipe.training.seed, *(c.seed for c in cycles)}) == len(cycles) + 1
    assert [c.steps for c in cycles] == [refinement.steps for refinement in recipe.refinement]


def test_a_cycle_changes_shares_of_studies_that_exist():
    recipe = read_recipe(RECIPE)
    named = {name for refinement in recipe.refinement for name in refinement.shares}
    assert named <= {study.name for study in recipe.studies}


def test_an_unknown_study_cannot_be_held_out():
    with pytest.raises(RecipeError, match="nothing_like_it"):
        read_recipe(RECIPE).without("nothing_like_it")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[training]\nstep = 3", "step"),
        ("[trainings]\nsteps = 3", "trainings"),
        ("[training]\ncrop = 100", "16"),
        ("[training]\nsteps = 10\ncycle_steps = 5", "cycle_steps"),
        ("[[refinement]]\nsteps = 1\nlearning_rate = 1.0\nstrength = 2.0", "strength"),
        ('[[study]]\nname = "a"\nimage = "a"\nshare = 1.0', "labels or pseudo"),
        ('[[study]]\nname = "a"\nimage = "a"\nlabels = "b"\nshare = 0.0', "share"),
        ('[[study]]\nname = "a"\nlabels = "b"\nshare = 1.0', "image"),
        ('[[study]]\nname = "a"\nimage = "a"\nlabels = "b"\nshare = 1.0\n' * 2, "twice"),
        ("[training", "no TOML"),
    ],
)
def test_a_faulty_recipe_is_refused(written, text, complaint):
    with pytest.raises(RecipeError, match=complaint):
        written(text)
