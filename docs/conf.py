"""Sphinx builds the manual from this directory: `tox -e docs`."""

from pathlib import Path

project = "mesbatch"
author = "mesbatch contributors"
project_copyright = "mesbatch contributors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

napoleon_use_ivar = True  # fields of a class as a list, not as members that :members: would show again

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "furo"
html_title = "mesbatch"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_theme_options = {"top_of_page_buttons": []}  # a link to the source stands outside of all landmarks

linkcheck_ignore = [r"https?://"]  # links within the manual; a network is not asked for

# The theme's HTML, and the same for people who read it without a mouse or a screen; axe-core finds what is missing.
ACCESSIBLE = {
    'role="heading">': 'role="heading" aria-level="2">',
    '<th class="head"><p></p></th>': "<td></td>",
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
    "<pre>": '<pre tabindex="0">',
    "\n\n</pre>": "\n</pre>",  # doctest wants an empty line after what is expected
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}


def make_accessible(app, error):
    if error is None and app.builder.name == "html":
        for path in Path(app.outdir).glob("*.html"):
            text = path.read_text(encoding="utf-8")
            for found, better in ACCESSIBLE.items():
                text = text.replace(found, better)
            path.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", make_accessible)
