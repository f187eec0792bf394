"""The docs site: python -m sphinx -W docs site (extra `docs`)."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import building
import gallery
import live_page
import search_words
import three_models

from tinygrad_rnn import __version__ as release

os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # the notebooks run this very checkout
os.environ["TINYGRAD_RNN_BACKEND"] = "numpy"  # and print the same everywhere

project = "tinygrad_rnn"
copyright = "the tinygrad_rnn founders"
version = release

# Markdown, and notebooks, which run at every build; the API from the docstrings.
extensions = ["myst_nb", "sphinx.ext.autodoc", "math_pictures", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
myst_heading_anchors = 3
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["**/_build", "site"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # docstrings may name what is not public
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 100

html_theme = "furo"
html_math_renderer = "pictures"
html_static_path = ["_static"]
html_extra_path = ["kit"]
html_css_files = ["site.css"]
html_title = f"tinygrad_rnn {release}"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#C65102", "color-brand-content": "#C65102"},
    "dark_css_variables": {"color-brand-primary": "#E8833A", "color-brand-content": "#E8833A"},
}
pygments_style = "friendly"


def setup(app):
    """Write the pages that are made, give the reference its links, draw the drawing guide's live page."""
    building.write_api(Path(app.srcdir) / "api")
    gallery.write_gallery(Path(app.srcdir) / "examples")
    app.connect("autodoc-process-docstring", building.plain_docstring)
    app.connect("source-read", building.link_reference)
    app.connect("source-read", search_words.add)
    app.connect("build-finished", draw_live_page)


def draw_live_page(app, error):
    """Draw the pages that are played with beside the finished ones."""
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            building.write_if_new(page, building.link_images(page.read_text(encoding="utf-8")))
        live_page.draw(Path(app.outdir) / "live.html")
        three_models.draw(Path(app.outdir) / "three_models.html")
