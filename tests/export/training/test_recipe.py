from __future__ import annotations

from dataclasses import replace

import pytest

from osteoserve_export.cli import RECIPE, RECIPES
from osteoserve_export.errors import RecipeError
from osteoserve_export.training.recipe import read_recipe
from osteoserve_preprocessing.core import Window

RESNET = '[training]\narchitecture = "resnet_unet"\nencoder = "resnet18"'


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


def test_what_a_recipe_does_not_say_is_a_sigmoid_unet_of_bone():
    training = read_recipe(RECIPE).training
    assert training.network_options == {"first_channels": 8, "classes": 1}
    assert training.window == Window(0, 300)


def test_the_pelvis_recipe_reads():
    recipe = read_recipe(RECIPES / "resnet_unet_pelvis.toml")
    assert recipe.training.network_options == {"encoder_name": "resnet18", "classes": 3}
    assert recipe.training.classes == ("patient", "bone")
    # Fat shows, so that the outline of a patient does.
    assert recipe.training.window.lower < -150
    assert all(study.source for study in recipe.studies)


def test_studies_of_two_recipes_are_labelled_alike():
    skeleton, pelvis = (
        {study.name: replace(study, share=1.0) for study in read_recipe(path).studies}
        for path in (RECIPE, RECIPES / "resnet_unet_pelvis.toml")
    )
    assert pelvis.items() <= skeleton.items()


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
        ('[training]\narchitecture = "vnet"', "architecture must be unet or resnet_unet"),
        ('[training]\narchitecture = "resnet_unet"', "encoder is needed"),
        ('[training]\nencoder = "resnet18"', "by nothing else"),
        (f"{RESNET}\nfirst_channels = 8", "first_channels is for unet"),
        (f"{RESNET}\ncrop = 176", "32"),
        ("[training]\nfirst_channels = 0", "first_channels"),
        ('[training]\nclasses = ["bone", "patient"]', "classes must be"),
        ('[training]\nclasses = "bone"', "classes must be"),
        ("[training]\nwindow_hu = [300, 0]", "window_hu cannot be .*ascending"),
        ("[training]\nwindow_hu = [0]", "window_hu cannot be"),
        ("[training]\nwindow_hu = 300", "window_hu cannot be"),
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
    with pytest.raises(RecipeError, match=complaint) as refused:
        written(text)
    assert "\n" not in str(refused.value)
