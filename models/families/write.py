"""Write the manifests, ``models/*.toml``, and the table of ``models/README.md`` from the families here.

    .venv/bin/python models/families/write.py

Fifty manifests kept by hand drift apart, and what follows from a shape must not be typed at all.
A family's file holds what its models share; a model's own table overrides it. A test holds the
manifests against what this writes.

Not covered: the bundled model (``models/tiny/convert.py`` writes its manifest).
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ocils.domain import shape as shapes
from ocils.domain.model import Manifest
from ocils.domain.shape import Shape

HERE = Path(__file__).parent
MODELS = HERE.parent
NOTE = "# Written by models/families/write.py from models/families/{family}. Not to be edited.\n"
BEGIN, END = "<!-- the table -->", "<!-- the table's end -->"

VERIFIED = (
    "how its architecture converts: same logits, greedy text and rotary base as transformers, with small random weights, in float32 and int8",
    "parameters, memory and cache: computed from the shape; the parameters equal transformers' count",
)
TEMPLATE = (
    "the chat template: the repository's own, rendered by ocils as transformers renders it; "
    "that was shown on templates of the same form, not on this file"
)
REVISION = (
    "the revision: a commit that public pages or copies name; no hub could be asked from here"
)
NO_REVISION = "the revision: none is known here, so `ocils model pull` asks for --revision"
UNVERIFIED = (
    "the real weights: never loaded, converted or measured here",
    "repository, licence, context, stop tokens and shape: copied from public pages in good faith",
)
TOKENS = "the fill-in-the-middle tokens: as the authors describe them; ocils checks at load that the vocabulary has them"


def families() -> dict[str, dict[str, Any]]:
    """Read every family's file, by its name."""
    return {
        path.name: tomllib.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*.toml"))
    }


def manifests() -> dict[str, str]:
    """Return the text of every manifest, by its file's name."""
    found: dict[str, str] = {}
    for family, table in families().items():
        for model in table["model"]:
            manifest = described(table, model)
            assert f"{manifest.name}.toml" not in found, f"{manifest.name} is described twice"
            found[f"{manifest.name}.toml"] = NOTE.format(family=family) + written(manifest)
    return found


def described(family: dict[str, Any], model: dict[str, Any]) -> Manifest:
    """Return the manifest of one model of a family."""
    own = {**family, **model}
    shape = msgspec.convert(family["shapes"][own["size"]], Shape)
    base, fills = own.get("base", False), own.get("base", False) or own.get("fills", False)
    strategies = ["edit", *(["infill"] if fills else []), *([] if base else ["rewrite", "extend"])]
    revision = own.get("revision", "")
    unverified = (REVISION if revision else NO_REVISION, *UNVERIFIED)
    unverified += (() if base else (TEMPLATE,)) + ((TOKENS,) if fills else ())
    table = {
        "name": own["name"],
        "family": own["family"],
        "licence": own["licence"],
        "context": own["context"],
        "chat": not base,
        "strategies": strategies,
        "infill": family["infill"] if fills else None,
        "stop": own.get("stop", []),
        "source": {"repo": own["repo"], "revision": revision},
        "rope": own.get("rope"),
        "shape": shape,
        "parameters": shapes.parameters(shape),
        "memory": shapes.memory(shape),
        "cache_bytes_per_token": shapes.cache_bytes_per_token(shape),
        "template": "" if base else own["template"],
        "verified": VERIFIED,
        "unverified": (*own.get("doubts", ()), *unverified),
    }
    return msgspec.convert(msgspec.to_builtins(table), Manifest)


def written(manifest: Manifest) -> str:
    """Return ``manifest`` as TOML: plain values, then the long lists, then the tables."""
    table = msgspec.to_builtins(manifest)
    plain = [key for key, value in table.items() if not isinstance(value, dict)]
    long = [key for key in ("verified", "unverified") if key in plain]
    lines = [f"{key} = {_value(table[key])}" for key in plain if key not in long]
    for key in long:
        lines += [f"{key} = [", *(f"    {_value(each)}," for each in table[key]), "]"]
    for key, value in table.items():
        if isinstance(value, dict) and value:
            lines += ["", f"[{key}]", *(f"{name} = {_value(each)}" for name, each in value.items())]
    return "\n".join(lines) + "\n"


def table_of_models() -> str:
    """Return the table of ``models/README.md``."""
    rows = [
        "| model | licence | parameters | GiB in int8 | KiB a token | context | fills in | chats | commit known |",
        "|---|---|--:|--:|--:|--:|---|---|---|",
    ]
    for text in manifests().values():
        m = msgspec.toml.decode(text, type=Manifest)
        size = f"{m.parameters / 1e9:.2f} G"
        known = m.source is not None and m.source.revision
        cells = [f"`{m.name}`", m.licence, size, f"{m.memory['int8']:.1f}"]
        cells += [f"{m.cache_bytes_per_token / 1024:.0f}", f"{m.context:,}"]
        cells += ["yes" if m.infill else "", "yes" if m.chat else "", "yes" if known else "no"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def readme(text: str) -> str:
    """Return the README's ``text`` with the table of today."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table_of_models()}\n{END}{rest.partition(END)[2]}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # A JSON text is a TOML text, but for characters that none of ours holds.
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write everything; remove the manifest of a model that no family names any more."""
    now = manifests()
    for path in MODELS.glob("*.toml"):
        if path.read_text("utf-8").startswith(NOTE.partition("{")[0]) and path.name not in now:
            path.unlink()
    for name, text in now.items():
        (MODELS / name).write_text(text, "utf-8")
    page = MODELS / "README.md"
    page.write_text(readme(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
