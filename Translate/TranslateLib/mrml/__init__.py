"""What touches the scene: anatomy, trocars, instruments, frames and their preview. Needs slicer and vtk, no Qt."""
