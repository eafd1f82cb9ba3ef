"""Materials by a network in the panel: found by a job that shows how far it is and can be stopped."""

import pytest

from drrsim_steps import ball_ct, drrsim_panel, settled, until

pytest.importorskip("torch")
pytest.importorskip("monai")


@pytest.fixture
def placed(load_module, bone_everywhere, monkeypatch):
    """The panel with the CT of a ball and its X-ray; the shipped network is one that takes everything for bone."""
    from DRRSimLib.segmentation import learned_materials

    monkeypatch.setattr(learned_materials, "model_card", lambda _: None)
    monkeypatch.setattr(learned_materials, "weights_path", lambda _: bone_everywhere)
    panel = drrsim_panel(load_module)
    panel.parameters.ct, _ = ball_ct()
    until(lambda: panel.xray.image is not None)
    settled(panel)
    return panel


@pytest.fixture
def bone_everywhere(tmp_path):
    from DRRSimLib.segmentation.classes import BONE
    from test_material_network import biased

    return biased(tmp_path, BONE, spacing_mm=3.0)


def water_is(panel):
    """The names of the materials in the scene that images are taken of."""
    return set(panel.xray._fluoroscope.patient.scene.materials)


def test_the_network_is_chosen_in_the_panel_and_the_image_follows(placed):
    before = placed.xray.image
    assert "bone_marrow" not in water_is(placed)
    placed.ui.materialsCombo.currentText = "network"
    assert placed.worker.busy and "Finding the materials" in placed.job_row.text
    until(lambda: placed.xray.image is not before)
    settled(placed)
    assert "bone_marrow" in water_is(placed)
    assert placed.job_row.text == ""


def test_it_can_be_stopped_and_begun_again(placed):
    placed.ui.materialsCombo.currentText = "network"
    placed.worker.cancel()
    settled(placed)
    assert placed.xray._fluoroscope is None
    assert "begins again" in placed.ui.statusLabel.text
    placed.ui.takeButton.click()
    settled(placed)
    assert "bone_marrow" in water_is(placed)


def test_a_recipe_keeps_its_metal_and_its_own_weights(placed, tmp_path):
    from DRRSimLib.panels.technique import chosen_physics, set_technique_parameters
    from DRRSimLib.parameters import FROM_RECIPE
    from DRRSimLib.recipe import DrrRecipe
    from Sim2RealLib.recipe import validate

    section = {"rule": "network", "metal": "steel", "weights": str(tmp_path / "own.safetensors")}
    recipe = validate(DrrRecipe, {"simulator": "drr", "physics": {"materials": section}}, "test")
    placed.parameters.live = False
    placed.parameters.recipe = recipe.model_dump_json()
    set_technique_parameters(placed.parameters, recipe.physics, recipe.output.display)
    assert placed.parameters.materials == FROM_RECIPE
    assert chosen_physics(placed.parameters).materials == recipe.physics.materials
    placed.ui.materialsCombo.currentText = "tissues"
    assert chosen_physics(placed.parameters).materials.model_dump() == {
        "rule": "tissues",
        "metal": "steel",
        "weights": None,
    }
