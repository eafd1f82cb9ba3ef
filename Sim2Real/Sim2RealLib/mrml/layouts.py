"""The layouts of the three modules: a 3D view, and beside it the slice views of their pictures.

Slicer wants them all from its start: a scene that was saved with one may come before its module is opened.
"""

XRAY_VIEW, ENDOSCOPE_VIEW, FRAME_VIEW, LAPAROSCOPE_VIEW = "Xray", "Endoscope", "Frame", "Laparoscope"
"""Singleton tags of the slice views that show pictures."""

XRAY_LAYOUT, ENDOSCOPE_LAYOUT, LAPAROSCOPE_LAYOUT = 7421, 7422, 7423
"""Numbers among Slicer's layouts; those of Slicer itself are below 1000."""


def _slice_view(tag: str, letter: str, color: str, orientation: str = "Axial") -> str:
    return f"""<view class="vtkMRMLSliceNode" singletontag="{tag}">
 <property name="orientation" action="default">{orientation}</property>
 <property name="viewlabel" action="default">{letter}</property>
 <property name="viewcolor" action="default">{color}</property>
</view>"""


def _one_above_the_other(upper: str, lower: str, upper_permille: int) -> str:
    return f"""<layout type="vertical" split="true">
 <item splitSize="{upper_permille}">{upper}</item>
 <item splitSize="{1000 - upper_permille}">{lower}</item>
</layout>"""


def _beside_3d(beside: str, three_d_permille: int) -> str:
    return f"""<layout type="horizontal" split="true">
 <item splitSize="{three_d_permille}"><view class="vtkMRMLViewNode" singletontag="1">
  <property name="viewlabel" action="default">1</property>
 </view></item>
 <item splitSize="{1000 - three_d_permille}">{beside}</item>
</layout>"""


_XRAY, _RED = _slice_view(XRAY_VIEW, "X", "#5A7FA8", "Coronal"), _slice_view("Red", "R", "#F34A33")
_ENDOSCOPE, _FRAME = _slice_view(ENDOSCOPE_VIEW, "E", "#C06A5A"), _slice_view(FRAME_VIEW, "F", "#5A7FA8")

LAYOUTS = {
    XRAY_LAYOUT: _beside_3d(_one_above_the_other(_XRAY, _RED, 620), 550),
    ENDOSCOPE_LAYOUT: _beside_3d(_one_above_the_other(_ENDOSCOPE, _FRAME, 500), 580),
    LAPAROSCOPE_LAYOUT: _beside_3d(_slice_view(LAPAROSCOPE_VIEW, "L", "#C98B6B"), 550),
}
"""Descriptions in Slicer's XML, by number."""


def describe_layouts(node: "slicer.vtkMRMLLayoutNode") -> None:  # noqa: F821, a node that is given needs no import
    """Make the layouts known to Slicer; those that it knows stay as they are."""
    for number, description in LAYOUTS.items():
        if not node.IsLayoutDescription(number):
            node.AddLayoutDescription(number, description)
