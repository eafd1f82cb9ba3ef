"""`python -m Sim2RealApp …` is `sim2real …`: for Pythons without the installed command, such as Slicer's."""

from .cli import main

main()
