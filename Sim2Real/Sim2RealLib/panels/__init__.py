"""What the panels of the three modules share in Slicer: Qt only, and the parts that need it."""
