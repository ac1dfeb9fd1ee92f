"""Runs the ``o2o`` command as a module."""

from o2o_mining.cli import main

main(prog_name="o2o")
