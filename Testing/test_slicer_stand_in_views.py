"""The stand-in's views: layouts, handles and points taken by the mouse, slices of images, pictures of the window."""

import numpy as np
import pytest

LAYOUT, XRAY_LAYOUT, GRID_LAYOUT, TAB_LAYOUT = 742, 743, 744, 745
LAYOUT_XML = """
<layout type="horizontal" split="true">
 <item splitSize="600"><view class="vtkMRMLViewNode" singletontag="1"/></item>
 <item splitSize="200"><layout type="vertical">
  <item><view class="vtkMRMLSliceNode" singletontag="Xray">
   <property name="orientation" action="default">Coronal</property>
   <property name="viewlabel" action="default">X</property>
   <property name="viewcolor" action="default">#00FF00</property>
   <property name="viewgroup" action="default">3</property>
  </view></item>
  <item><view class="vtkMRMLViewNode" singletontag="2"/></item>
 </layout></item>
</layout>"""

IMAGE_RAS_FROM_IJK = np.array([[1, 0, 0, -49.5], [0, 0, 1, 0], [0, -1, 0, 24.5], [0, 0, 0, 1.0]])
"""Of a coronal image of 100 × 50 pixels of 1 mm: columns to the patient's left to right, rows downwards."""


def choose_layout(number: int, xml: str):
    """The layout manager, with a layout of one's own."""
    import slicer

    layouts = slicer.app.layoutManager()
    layouts.layoutLogic().GetLayoutNode().AddLayoutDescription(number, xml)
    layouts.setLayout(number)
    return layouts


def one_view(node_class: str, tag: str, orientation: str = "Coronal") -> str:
    return (
        f'<layout type="horizontal"><item><view class="{node_class}" singletontag="{tag}">'
        f'<property name="orientation" action="default">{orientation}</property></view></item></layout>'
    )


@pytest.fixture
def three_d(slicer_scene):
    """A 3D view alone, of 400 × 300 pixels, from the left front and above at 600 mm."""
    import slicer

    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView)
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.setFixedSize(400, 300)
    camera = view.cameraNode()
    camera.SetPosition(300, 400, 331)
    camera.SetFocalPoint(0, 0, 0)
    camera.SetViewUp(0, 0, 1)
    camera.ResetClippingRange()
    slicer.app.processEvents()
    return view


@pytest.fixture
def xray(slicer_scene):
    """A slice view of one's own, alone, of 200 × 100 pixels, that looks along A at 100 × 50 mm about the origin."""
    import slicer
    import vtk

    widget = choose_layout(XRAY_LAYOUT, one_view("vtkMRMLSliceNode", "Xray")).sliceWidget("Xray")
    widget.sliceView().setFixedSize(200, 100)
    slicer.app.processEvents()
    node = widget.mrmlSliceNode()
    slice_to_ras = vtk.vtkMatrix4x4()
    slice_to_ras.DeepCopy([1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1])
    node.GetSliceToRAS().DeepCopy(slice_to_ras)
    node.UpdateMatrices()
    node.SetFieldOfView(100, 50, 1)
    return widget


# ---- layouts ----


def test_a_layout_makes_the_views_that_it_names(slicer_scene):
    import slicer

    changes = []
    slicer.app.layoutManager().connect("layoutChanged(int)", changes.append)
    layouts = choose_layout(LAYOUT, LAYOUT_XML)
    assert (layouts.layout, changes[-1]) == (LAYOUT, LAYOUT)
    assert layouts.sliceViewNames() == ("Red", "Green", "Yellow", "Xray")
    assert layouts.threeDViewCount == 2
    assert layouts.threeDWidget(2) is None
    node = layouts.sliceWidget("Xray").mrmlSliceNode()
    assert (node.GetOrientation(), node.GetLayoutLabel(), node.GetViewGroup()) == ("Coronal", "X", 3)
    assert node.GetLayoutColor() == (0, 1, 0)
    assert slicer.app.applicationLogic().GetSliceLogicByLayoutName("Xray") is layouts.sliceWidget("Xray").sliceLogic()
    first, second = (layouts.threeDWidget(index).threeDView() for index in (0, 1))
    assert first.cameraNode() is not second.cameraNode()
    assert [layouts.threeDWidget(index).mrmlViewNode().GetLayoutName() for index in (0, 1)] == ["1", "2"]


def test_the_views_lie_as_the_layout_nests_them(slicer_scene):
    import slicer

    layouts = choose_layout(LAYOUT, LAYOUT_XML)
    views = layouts.threeDWidget(0).threeDView(), layouts.sliceWidget("Xray").sliceView()
    views += (layouts.threeDWidget(1).threeDView(), layouts.sliceWidget("Red").sliceView())
    slicer.app.processEvents()
    left, upper, lower = views[:3]
    corner = {view: view.mapTo(layouts.viewport(), view.rect.topLeft()) for view in views[:3]}
    assert corner[left].x() + left.width <= corner[upper].x() == corner[lower].x()
    assert corner[upper].y() + upper.height <= corner[lower].y()
    assert left.width == pytest.approx(3 * upper.width, rel=0.05)  # 600 : 200
    assert upper.height == pytest.approx(lower.height, abs=2)
    assert [view.visible for view in views] == [True, True, True, False]
    layouts.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    slicer.app.processEvents()
    assert [view.visible for view in views] == [False, False, False, True]


def test_grids_and_tabs_are_arranged_too(slicer_scene):
    import slicer

    red, green = (f'<view class="vtkMRMLSliceNode" singletontag="{name}"/>' for name in ("Red", "Green"))
    grid = f'<item row="1" column="0">{red}</item><item row="0" column="1">{green}</item>'
    layouts = choose_layout(GRID_LAYOUT, f'<layout type="grid">{grid}</layout>')
    views = [layouts.sliceWidget(name).sliceView() for name in ("Red", "Green")]
    slicer.app.processEvents()
    below, right = (view.mapTo(layouts.viewport(), view.rect.topLeft()) for view in views)
    assert below.x() < right.x() and below.y() > right.y()
    choose_layout(TAB_LAYOUT, f'<layout type="tab"><item name="a">{red}</item><item name="b">{green}</item></layout>')
    slicer.app.processEvents()
    assert [view.visible for view in views] == [True, False]


def test_views_of_ones_own_survive_a_closed_scene(slicer_scene):
    import slicer

    layouts = choose_layout(LAYOUT, LAYOUT_XML)
    view = layouts.sliceWidget("Xray").sliceView()
    slicer.mrmlScene.Clear(0)
    assert (layouts.layout, layouts.sliceWidget("Xray").sliceView()) == (LAYOUT, view)
    assert layouts.threeDWidget(1).threeDView().pixels().std() > 1


def test_after_a_test_views_of_ones_own_are_gone_and_the_others_as_they_were(slicer_scene):
    import slicer

    layouts = choose_layout(LAYOUT, LAYOUT_XML)
    view = layouts.threeDWidget(0).threeDView()
    view.setFixedSize(30, 20)
    slicer.app.processEvents()
    slicer.app.startOver()
    slicer.app.processEvents()
    assert (layouts.sliceViewNames(), layouts.threeDViewCount) == (("Red", "Green", "Yellow"), 1)
    assert not view.visible  # and costs no time
    assert (layouts.threeDWidget(0).threeDView(), view.visible) == (view, True)
    slicer.app.processEvents()
    assert view.width > 300
    again = choose_layout(LAYOUT, LAYOUT_XML)
    assert again.threeDWidget(1).threeDView().pixels().std() > 1


def test_controllers_can_be_hidden_and_all_views_drawn_by_slicer_util(slicer_scene):
    import slicer

    controller = slicer.app.layoutManager().sliceWidget("Red").sliceController()
    slicer.util.setViewControllersVisible(False)
    assert not controller.visible
    slicer.util.setViewControllersVisible(True)
    assert controller.visible
    slicer.util.forceRenderAllViews()
    slicer.util.resetThreeDViews()


# ---- handles and points ----


@pytest.mark.parametrize("axis", range(3))
def test_a_drag_of_an_arrow_moves_a_transform_along_its_axis(three_d, axis):
    import slicer

    from slicer_stand_in.gestures import drag, handle_pixel, pixel_of

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.CreateDefaultDisplayNodes()
    transform.GetDisplayNode().SetEditorVisibility(True)
    start, center = handle_pixel(three_d, transform, "translation", axis), pixel_of(three_d, (0, 0, 0))
    step_mm = np.eye(3)[axis] * 50
    wanted = np.array(pixel_of(three_d, step_mm)) - center
    drag(three_d, start, tuple(np.add(start, wanted)))
    moved = slicer.util.arrayFromTransformMatrix(transform)
    assert moved[:3, 3] == pytest.approx(step_mm, abs=10)  # perspective between the arrow and the origin
    np.testing.assert_allclose(moved[:3, :3], np.eye(3), atol=1e-9)


@pytest.mark.parametrize("axis", range(3))
def test_a_drag_along_a_ring_turns_a_transform_about_its_axis(three_d, axis):
    """Seen along the axis a ring is a circle, and its points turn as the transform does."""
    import slicer

    from slicer_stand_in.gestures import drag, handle_pixel, pixel_of

    camera = three_d.cameraNode()
    camera.SetPosition(*(600 * np.eye(3)[axis]))
    camera.SetViewUp(*np.roll(np.eye(3)[axis], 1))
    camera.ResetClippingRange()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.CreateDefaultDisplayNodes()
    transform.GetDisplayNode().SetEditorVisibility(True)
    start, center = (np.array(at) for at in (handle_pixel(three_d, transform, "rotation", axis), (200, 150)))
    assert pixel_of(three_d, (0, 0, 0)) == pytest.approx(center, abs=1)
    sine, cosine = np.sin(np.radians(40)), np.cos(np.radians(40))
    end = center + np.array([[cosine, -sine], [sine, cosine]]) @ (start - center)
    drag(three_d, tuple(start), tuple(end), steps=20)
    turned = slicer.util.arrayFromTransformMatrix(transform)
    assert turned[:3, 3] == pytest.approx(0, abs=1e-9)
    assert turned[:3, :3] @ np.eye(3)[axis] == pytest.approx(np.eye(3)[axis])
    angle_deg = np.degrees(np.arccos((np.trace(turned[:3, :3]) - 1) / 2))
    assert angle_deg == pytest.approx(40, abs=2)  # a pixel at this radius is one degree


def test_a_transform_turns_about_its_centre_of_transformation(three_d):
    import slicer

    from slicer_stand_in.gestures import drag, handle_pixel

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    center = np.array([30.0, -20.0, 10.0])
    transform.SetCenterOfTransformation(center)
    transform.CreateDefaultDisplayNodes()
    transform.GetDisplayNode().SetEditorVisibility(True)
    start = handle_pixel(three_d, transform, "rotation", 1)
    drag(three_d, start, (start[0] + 15, start[1] + 15), steps=20)
    matrix = slicer.util.arrayFromTransformMatrix(transform)
    assert np.linalg.norm(matrix[:3, :3] - np.eye(3)) > 0.05
    assert matrix[:3, :3] @ center + matrix[:3, 3] == pytest.approx(center, abs=1e-6)


def test_a_handle_that_cannot_be_taken_is_said(three_d):
    import slicer

    from slicer_stand_in.gestures import handle_pixel

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    with pytest.raises(ValueError, match="has no handles"):
        handle_pixel(three_d, transform, "rotation", 0)
    transform.CreateDefaultDisplayNodes()
    transform.GetDisplayNode().SetEditorVisibility(True)
    transform.GetDisplayNode().SetEditorRotationEnabled(False)
    with pytest.raises(ValueError, match="no pixel"):
        handle_pixel(three_d, transform, "rotation", 0)
    assert handle_pixel(three_d, transform, "translation", 0)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    with pytest.raises(ValueError, match="not visible"):
        handle_pixel(three_d, transform, "translation", 0)


def test_a_control_point_is_dragged_from_where_it_is_seen(three_d, xray):
    import slicer

    from slicer_stand_in.gestures import drag, pixel_of

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.AddControlPoint(-20, 0, 10)
    view = xray.sliceView()
    drag(view, pixel_of(view, (-20, 0, 10)), pixel_of(view, (15, 0, -5)))
    assert np.array(points.GetNthControlPointPositionWorld(0)) == pytest.approx([15, 0, -5], abs=0.5)  # mm a pixel
    with pytest.raises(ValueError, match="off the plane"):
        pixel_of(view, (0, 9, 0))
    with pytest.raises(ValueError, match="outside"):
        pixel_of(view, (51, 0, 0))


def test_a_click_places_a_point_on_a_model_and_in_a_slice(three_d):
    import slicer
    import vtk

    from slicer_stand_in.gestures import click, pixel_of

    source = vtk.vtkSphereSource()
    source.SetRadius(60)
    source.SetThetaResolution(90)
    source.SetPhiResolution(90)
    source.Update()
    slicer.modules.models.logic().AddModel(source.GetOutput())
    slicer.app.processEvents()
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    markups, interaction = slicer.modules.markups.logic(), slicer.app.applicationLogic().GetInteractionNode()
    markups.SetActiveList(points)
    markups.StartPlaceMode(False)
    seen = 60 * np.array([300, 400, 331]) / np.linalg.norm([300, 400, 331]) + [0, -6, 6]  # nearly on it
    click(three_d, pixel_of(three_d, seen))
    assert points.GetNumberOfDefinedControlPoints() == 1
    assert np.linalg.norm(points.GetNthControlPointPositionWorld(0)) == pytest.approx(60, rel=0.01)
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform  # one point, not persistent
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    red = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    slicer.app.processEvents()
    markups.StartPlaceMode(True)
    for ras in ((10, -30, 0), (-40, 20, 0)):
        click(red, pixel_of(red, ras))
    interaction.SwitchToViewTransformMode()
    placed = [points.GetNthControlPointPositionWorld(index) for index in (1, 2)]
    np.testing.assert_allclose(placed, [(10, -30, 0), (-40, 20, 0)], atol=1)


# ---- slices ----


def test_a_slice_shows_a_colour_image_and_its_changes(xray):
    import slicer

    colours = np.zeros((1, 50, 100, 3), np.uint8)
    colours[0, :25, :, 0] = 200
    colours[0, 25:, :50, 1] = 150
    image = slicer.util.addVolumeFromArray(colours, IMAGE_RAS_FROM_IJK, nodeClassName="vtkMRMLVectorVolumeNode")
    image.GetDisplayNode().SetAutoWindowLevel(False)
    image.GetDisplayNode().SetWindowLevel(255, 127.5)
    xray.sliceLogic().GetSliceCompositeNode().SetBackgroundVolumeID(image.GetID())
    corners = {"upper left": (20, 20), "lower left": (80, 20), "lower right": (80, 180)}
    seen = {name: tuple(xray.sliceView().pixels()[at]) for name, at in corners.items()}
    assert seen == {"upper left": (200, 0, 0), "lower left": (0, 150, 0), "lower right": (0, 0, 0)}
    slicer.util.arrayFromVolume(image)[:] = 77
    slicer.util.arrayFromVolumeModified(image)
    assert tuple(xray.sliceView().pixels()[20, 20]) == (77, 77, 77)


def test_layers_are_blended_by_their_opacity(xray):
    import slicer

    def layer(values: np.ndarray, kind: str | None = None):
        made = slicer.util.addVolumeFromArray(values, IMAGE_RAS_FROM_IJK, nodeClassName=kind)
        made.CreateDefaultDisplayNodes()
        if kind is None:
            made.GetDisplayNode().SetAutoWindowLevel(False)
            made.GetDisplayNode().SetWindowLevel(100, 50)
        return made

    label = np.zeros((1, 50, 100), np.uint8)
    label[..., 50:] = 1
    composite = xray.sliceLogic().GetSliceCompositeNode()
    composite.SetBackgroundVolumeID(layer(np.full((1, 50, 100), 20, np.int16)).GetID())
    composite.SetForegroundVolumeID(layer(np.full((1, 50, 100), 80, np.int16)).GetID())
    composite.SetForegroundOpacity(0.25)
    composite.SetLabelVolumeID(layer(label, "vtkMRMLLabelMapVolumeNode").GetID())
    picture = xray.sliceView().pixels()
    assert picture[50, 50, 0] == pytest.approx(255 * 0.35, abs=2)  # 0.75 · 20 % + 0.25 · 80 %
    assert np.ptp(picture[50, 150].astype(int)) > 50  # coloured
    composite.SetLabelOpacity(0)
    assert np.ptp(xray.sliceView().pixels()[50, 150].astype(int)) == 0


def test_a_slice_is_fitted_to_its_background_and_shows_points(xray):
    import slicer

    from slicer_stand_in.gestures import pixel_of

    image = slicer.util.addVolumeFromArray(np.zeros((1, 100, 400), np.int16), IMAGE_RAS_FROM_IJK)
    xray.sliceLogic().GetSliceCompositeNode().SetBackgroundVolumeID(image.GetID())
    xray.fitSliceToBackground()
    assert xray.mrmlSliceNode().GetFieldOfView()[:2] == pytest.approx((400, 200))
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.AddControlPoint(150.5, 0, -25.5, "")
    points.GetDisplayNode().SetSelectedColor(0, 1, 0)
    picture, (column, row) = xray.sliceView().pixels().astype(int), pixel_of(xray.sliceView(), (150.5, 0, -25.5))
    assert picture[row - 1 : row + 2, column - 1 : column + 2, 1].max() > 150
    points.GetDisplayNode().SetVisibility(False)
    assert xray.sliceView().pixels()[..., 1].max() == 0


# ---- pictures ----


def test_pictures_show_the_panel_at_the_left_the_views_at_the_right_and_where_they_were_made(slicer_scene, tmp_path):
    import qt
    import slicer

    from slicer_stand_in.pictures import NOTE_HEIGHT_PX, application_picture, layout_picture

    choose_layout(LAYOUT, LAYOUT_XML)
    before = slicer.util.mainWindow().size
    views = qt.QImage(str(layout_picture(tmp_path / "views.png", (800, 500))))
    window = qt.QImage(str(application_picture(tmp_path / "window.png", (1200, 600))))
    assert (views.width(), views.height()) == (800, 500 + NOTE_HEIGHT_PX)
    assert (window.width(), window.height()) == (1200, 600 + NOTE_HEIGHT_PX)
    assert slicer.util.mainWindow().size == before

    def colours(picture, columns: range, rows: range) -> set[int]:
        return {picture.pixel(x, y) for x in columns for y in rows}

    assert len(colours(views, range(100, 500, 5), range(100, 400, 5))) > 20  # the 3D view's gradient and box
    assert qt.QColor(views.pixel(790, 4)) == qt.QColor("#00FF00")  # the slice view's bar
    assert len(colours(window, range(0, 400, 5), range(0, 600, 5))) < 5  # no module is open
    assert len(colours(window, range(600, 900, 5), range(100, 500, 5))) > 20
    for picture in (views, window):
        line = range(picture.height() - NOTE_HEIGHT_PX, picture.height())
        assert len(colours(picture, range(picture.width() - 250, picture.width()), line)) > 3
