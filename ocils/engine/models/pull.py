"""Bringing a model from a hub: what is wanted of a repository, room for it, files, conversion.

What was begun is gone on with: the staging folder says of which commit it is, and a file of which a
part is there continues behind that part.

Not covered: talking to the hub (``hub.py``), the last steps (``install.py``).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged, ModelMissing, ModelUnavailable, UsageError
from ocils.domain.model import Manifest, Source
from ocils.domain.model_state import Progress
from ocils.engine.models import convert
from ocils.engine.models.describe import describe
from ocils.engine.models.hub import Hub, Listing, RemoteFile
from ocils.engine.models.install import (
    NEEDED,
    OPTIONAL,
    Tell,
    check_complete,
    finish,
    refuse_bundled,
)
from ocils.engine.models.staging import check_room, disk_problem, locked, staging_folder, sweep
from ocils.engine.models.store import ModelFolder, find, installed_models, verify

_PLAN = "plan.json"


class Wish(Value, frozen=True):
    """What is to be had: ``repo`` at ``revision``, as it is ("ready") or "converted" here."""

    name: str
    repo: str
    revision: str
    how: Literal["ready", "converted"]
    quantisation: str = "int8"


def wish_for(
    manifest: Manifest, revision: str = "", quantisation: str = "", *, convert_it: bool = False
) -> Wish:
    """Return what to bring for a model of that manifest. Raises ``ModelUnavailable``."""
    source = manifest.source
    name = manifest.name
    if source is None:
        raise ModelUnavailable(
            f"the manifest of {name} does not say where its files come from",
            mend="import a folder with `ocils model import`, or add [source] to the manifest",
        )
    ready = bool(source.converted) and not (convert_it or quantisation)
    repo = source.converted if ready else source.repo
    revision = revision or (source.converted_revision if ready else source.revision)
    if not revision:
        raise ModelUnavailable(
            f"no revision of {repo} is pinned in the manifest of {name}",
            mend="name one: --revision COMMIT, or a branch whose newest commit you trust",
        )
    how: Literal["ready", "converted"] = "ready" if ready else "converted"
    return Wish(name, repo, revision, how, quantisation or "int8")


def already_there(wish: Wish) -> ModelFolder | None:
    """Return the installed model that ``wish`` would bring again, if it is whole."""
    try:
        model = find(str(installed_models() / wish.name))
        source = model.manifest.source
        if source is None or wish.revision not in (source.revision, source.converted_revision):
            return None
        verify(model)
    except (ModelMissing, ModelDamaged):
        return None
    return model


def pull(
    wish: Wish,
    manifest: Manifest | None,
    tell: Tell,
    cancel: CancelToken,
    hub: Hub | None = None,
    context: int = 0,
) -> ModelFolder:
    """Bring a model and install it; return it.

    Without a ``manifest`` one is read off the model's files. Raises ``ModelUnavailable``,
    ``ModelDamaged``, ``Unsupported`` and ``UsageError``, and ``Stopped``: then nothing was
    installed, and what was downloaded is kept for the next time.
    """
    hub = hub or Hub()
    installed = installed_models()
    if manifest is not None and manifest.folder:
        refuse_bundled(find(wish.name), "pulled")
        raise UsageError(
            f"the manifest of {wish.name} names a folder of its own, {manifest.folder}",
            mend="put the files there, or leave folder out of the manifest",
        )
    if wish.how == "converted":
        # Said before gigabytes are fetched.
        convert.check_tools()
    with locked(installed, wish.name):
        sweep(installed)
        tell(Progress(f"asking {hub.address}"))
        listing = hub.listing(wish.repo, wish.revision, cancel)
        files = _chosen(listing, wish)
        staging = staging_folder(installed, wish.name)
        place = staging / ("model" if wish.how == "ready" else "source")
        _begin(staging, place, wish, listing)
        _room(place, files)
        _fetch(hub, listing, files, place, wish, tell, cancel)
        try:
            made = staging / "model"
            config: dict[str, object] = {}
            if wish.how == "converted":
                config = convert.check_source(place, wish.repo)
                convert.convert(place, made, wish.quantisation, tell, cancel)
            source = _source(manifest, wish, listing)
            if manifest is None:
                manifest = describe(made, wish.name, config, context, source)
            return finish(made, replace(manifest, source=source), tell, cancel)
        except ModelDamaged:
            # Going on with it would only end here again.
            shutil.rmtree(staging, ignore_errors=True)
            raise


def _chosen(listing: Listing, wish: Wish) -> tuple[RemoteFile, ...]:
    """Return the files that are wanted, the small ones first: they say early what is wrong."""
    where = f"{listing.repo} at {listing.commit[:12]}"
    names = frozenset(each.path for each in listing.files)
    if wish.how == "ready":
        check_complete(names, where)
        chosen = [each for each in listing.files if each.path in (*NEEDED, *OPTIONAL)]
    else:
        chosen = [each for each in listing.files if convert.wanted(each.path)]
        if "config.json" not in names or "tokenizer.json" not in names:
            missing = "config.json" if "config.json" not in names else "tokenizer.json"
            raise ModelDamaged(
                f"{missing} is missing in {where}",
                mend="choose another revision, or a repository that has it",
            )
        if not any(each.path.endswith(convert.WITH_WEIGHTS) for each in chosen):
            raise ModelUnavailable(
                f"{where} has no weights as safetensors",
                mend="other formats can run code when they are read: use a repository or a "
                "revision that has safetensors",
            )
    return tuple(sorted(chosen, key=lambda each: each.size))


def _begin(staging: Path, place: Path, wish: Wish, listing: Listing) -> None:
    """Make the staging folder, or go on with one of the same commit."""
    plan = {"repo": listing.repo, "commit": listing.commit, "how": wish.how}
    try:
        try:
            same = json.loads((staging / _PLAN).read_bytes()) == plan
        except (OSError, ValueError):
            same = False
        if not same:
            shutil.rmtree(staging, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        (staging / _PLAN).write_text(json.dumps(plan))
    except OSError as error:
        raise disk_problem(error, staging) from error


def _room(place: Path, files: tuple[RemoteFile, ...], more: int = 0) -> None:
    have = sum(each.stat().st_size for each in place.iterdir())
    check_room(place, max(0, sum(file.size for file in files) - have) + more)


def _fetch(
    hub: Hub,
    listing: Listing,
    files: tuple[RemoteFile, ...],
    place: Path,
    wish: Wish,
    tell: Tell,
    cancel: CancelToken,
) -> None:
    total = sum(file.size for file in files)
    done = 0
    for file in files:
        target = place / file.path
        if not (target.is_file() and target.stat().st_size == file.size):
            before = done

            def had(
                count: int, before: int = before, stage: str = f"downloading {file.path}"
            ) -> None:
                tell(Progress(stage, before + count, total))

            hub.fetch(listing, file, target, had, cancel)
        done += file.size
        if wish.how == "converted" and file.path == "config.json":
            config = convert.check_source(place, wish.repo)
            weights = sum(f.size for f in files if f.path.endswith(convert.WITH_WEIGHTS))
            # What it becomes lies beside it for a while.
            more = convert.converted_size(weights, config, wish.quantisation)
            _room(place, files, more)
    tell(Progress("downloaded", total, total))


def _source(manifest: Manifest | None, wish: Wish, listing: Listing) -> Source:
    """Return where the files came from, with the commit that they are of."""
    known = manifest.source if manifest is not None else None
    if wish.how == "converted":
        return Source(wish.repo, listing.commit)
    repo = known.repo if known is not None else wish.repo
    revision = known.revision if known is not None else ""
    return Source(repo, revision, listing.repo, listing.commit)
