"""Sphinx builds the manual from this directory: `tox -e docs`."""

project = "mesbatch"
author = "mesbatch contributors"
project_copyright = "mesbatch contributors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "furo"
html_title = "mesbatch"
