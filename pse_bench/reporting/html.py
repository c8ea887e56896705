"""From a template to one file: style, script and data inside, nothing fetched from anywhere."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from pse_bench import __version__
from pse_bench.errors import InputError
from pse_bench.io.atomic import write_text


def require_new(out: Path, force: bool) -> None:
    """Refuse to replace a page unless asked to. Raises InputError."""
    if out.exists() and not force:
        raise InputError(f"{out}: exists already; give another name, or --force to replace it")


def write(out: Path, template: str, **values: Any) -> int:
    """Fill a template and write the page; its size in bytes. All values are text unless they are marked otherwise:
    names that a stranger chose are shown as they are."""
    text = render(template, **values)
    write_text(out, text)
    return len(text.encode())


def render(template: str, **values: Any) -> str:
    """The text of a page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    room = Environment(
        loader=PackageLoader("pse_bench.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    room.filters["formula"] = formula
    script = _source(room, "page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return room.get_template(template).render(
        style=Markup(_source(room, "style.css")),
        script=Markup(script),
        # nothing but what is in the file is ever loaded, and no script but ours runs
        policy=f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'",
        pse_bench_version=__version__,
        **values,
    )


def formula(text: str) -> Any:
    """A text whose x^{2p}, x^p and Σ_f are written as people write them, and which is safe in a page."""
    from markupsafe import Markup, escape

    raised = re.sub(r"\^(?:\{(\w+)\}|(\w+))", lambda m: f"<sup>{m[1] or m[2]}</sup>", str(escape(text)))
    return Markup(re.sub(r"Σ_(\w)", r"Σ<sub>\1</sub>", raised))


def origin(header: dict[str, Any]) -> Any:
    """What a plan was drawn from, by its first line: a scenario, or a set that others mixed."""
    return header.get("scenario") or header["imported"]


def as_yaml(content: Any) -> str:
    """A document as a person would write it."""
    import yaml

    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return text


def _source(room: Any, name: str) -> str:
    text: str = room.loader.get_source(room, name)[0]
    return text
