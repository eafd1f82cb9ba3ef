# Slicer's own packaging follows here; there is nothing to do for it in the packaging test.
