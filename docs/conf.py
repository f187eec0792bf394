"""The docs site: python -m sphinx -W docs site (extra `docs`)."""

from tinygrad_rnn import __version__ as release

project = "tinygrad_rnn"
copyright = "the tinygrad_rnn founders"
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["**/_build", "site"]
nitpicky = True

html_theme = "furo"
html_title = f"tinygrad_rnn {release}"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#C65102", "color-brand-content": "#C65102"},
    "dark_css_variables": {"color-brand-primary": "#E8833A", "color-brand-content": "#E8833A"},
}
pygments_style = "friendly"
