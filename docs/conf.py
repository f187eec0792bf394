"""The docs site: python -m sphinx -W docs site (extra `docs`)."""

import os
import sys
from pathlib import Path

from tinygrad_rnn import __version__ as release

sys.path.insert(0, str(Path(__file__).parent))

os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # the notebooks run this very checkout
os.environ["TINYGRAD_RNN_BACKEND"] = "numpy"  # and print the same everywhere

project = "tinygrad_rnn"
copyright = "the tinygrad_rnn founders"
version = release

extensions = ["myst_nb"]  # Markdown pages, and notebooks, which run at every build
myst_enable_extensions = ["colon_fence"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
myst_heading_anchors = 3
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["**/_build", "site"]
nitpicky = True

html_theme = "furo"
html_title = f"tinygrad_rnn {release}"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#C65102", "color-brand-content": "#C65102"},
    "dark_css_variables": {"color-brand-primary": "#E8833A", "color-brand-content": "#E8833A"},
}
pygments_style = "friendly"


def setup(app):
    """The live page of the drawing guide, made by the project itself."""
    app.connect("build-finished", _live_page)


def _live_page(app, error):
    if error is None and app.builder.format == "html":
        from live_page import draw

        draw(Path(app.outdir) / "live.html")
