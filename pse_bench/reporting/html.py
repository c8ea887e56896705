"""Pages from templates: one file with style, script and data inside, nothing fetched from anywhere."""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from pse_bench import __version__
from pse_bench.io.atomic import write_text


def write(out: Path, template: str, **values: Any) -> int:
    """Fill a template and write the page; its size in bytes. All values are text unless they are marked otherwise:
    names that a stranger chose are shown as they are."""
    text = render(template, **values)
    write_text(out, text)
    return len(text.encode())


def render(template: str, **values: Any) -> Markup:
    """The text of a page, or of a part of a page with a template of its own."""
    return Markup(_environment().get_template(template).render(**values))


@lru_cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader, strict = PackageLoader("pse_bench.reporting"), StrictUndefined
    found = Environment(loader=loader, autoescape=True, undefined=strict, trim_blocks=True, lstrip_blocks=True)
    style, script = found.get_template("style.css").render(), loader.get_source(found, "page.js")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    found.filters["formula"] = formula
    found.globals |= {
        "metric_heading": metric_heading,
        "sort_head": sort_head,
        "style": Markup(style),
        "script": Markup(script),
        # nothing but what is in the file is ever loaded, and no script but ours runs
        "policy": f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'",
        "pse_bench_version": __version__,
    }
    return found


def element(tag: str, *content: str, **attributes: str | float | None) -> Markup:
    """An element of HTML or SVG. Text is escaped, numbers are rounded to 0.01; an attribute that is None is left
    out, and underscores in names stand for hyphens (``class_`` for ``class``)."""
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    shown = ((n, f"{v:.2f}".rstrip("0").rstrip(".") if isinstance(v, float) else v) for n, v in given.items())
    inside = Markup().join(Markup(' {}="{}"').format(name, value) for name, value in shown)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, inside, Markup().join(content))


def sort_head(words: str, *, link: str = "", descending: bool = False) -> Markup:
    """The head of a column that sorts its table, at first ``descending`` where more is better; ``link`` names a
    metric."""
    first = "descending" if descending else None
    button = element("button", words, type="button")
    return element("th", button, _definition_link(link), aria_sort="none", data_first=first)


def _definition_link(name: str) -> Markup:
    """A question mark that leads to the definition of a metric; nothing without a name."""
    target, label = f"#metric-{name}", f"definition of {name}"
    return " " + element("a", "?", class_="what", href=target, aria_label=label) if name else Markup()


def metric_heading(about: Any, name: str, *, link: bool = True, line: str = "") -> Markup:
    """A metric, by anything with a ``unit`` and ``higher_is_better``, with its unit, direction and link; ``line``
    stands after its name."""
    better, arrow = ("higher", "↑") if about.higher_is_better else ("lower", "↓")
    unit = Markup(" ") + element("span", about.unit, class_="unit") if about.unit else ""
    pointed = element("span", arrow, class_="arrow", aria_label=f"{better} is better")
    return Markup().join([element("code", name), line, unit, " ", pointed, _definition_link(name if link else "")])


def formula(text: str) -> Markup:
    """A text whose x^{2p}, x^p and Σ_f are written as people write them, and which is safe in a page."""
    raised = re.sub(r"\^(?:\{(\w+)\}|(\w+))", lambda m: f"<sup>{m[1] or m[2]}</sup>", str(escape(text)))
    return Markup(re.sub(r"Σ_(\w)", r"Σ<sub>\1</sub>", raised))


def scenario_yaml(header: dict[str, Any]) -> str:
    """The source of a plan by its header, a scenario or an imported test set, as YAML in its own order of keys."""
    import yaml

    content = header.get("scenario") or header["imported"]
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return text
