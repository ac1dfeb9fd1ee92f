"""How Sphinx builds the guides: `make docs`. A link that leads nowhere is a warning, and a warning fails the build."""

project = "O2O Mining"
extensions = ["myst_parser"]
myst_heading_anchors = 3
highlight_language = "none"  # blocks without a language are commands and their output
html_theme = "furo"
html_title = "O2O Mining"
html_copy_source = False
