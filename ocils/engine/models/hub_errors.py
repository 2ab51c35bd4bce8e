"""What went wrong at a hub, in words that say what to do.

Not covered: the disk (``staging.py``), what was had and is not right (``hub.py``).
"""

from __future__ import annotations

from ocils.domain.errors import ModelUnavailable

_NETWORK = "check the network, the proxy (HTTPS_PROXY) and the mirror (HF_ENDPOINT); what was downloaded is kept"
_LATER = "try again later: what was downloaded is kept"
_ADDRESS = "an address is http://name:port; see HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and HF_ENDPOINT"
_HIDDEN = "if it is private or gated, accept its terms on its page and set HF_TOKEN"


def passing(error: BaseException) -> float | None:
    """Return how many seconds to wait before another try, None for what no waiting mends."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return None
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status not in (408, 429, 500, 502, 503, 504):
            return None
        return _seconds(error.response.headers.get("Retry-After"))
    return 0.0 if _is_transport(error) else None


def explained(error: BaseException, what: str, address: str) -> ModelUnavailable:
    """Return the error for the user; ``what`` was wanted from ``address``."""
    from huggingface_hub import errors

    match error:
        case errors.OfflineModeIsEnabled():
            said = f"offline mode is on (HF_HUB_OFFLINE), so {what} cannot be fetched"
            mend = "unset HF_HUB_OFFLINE, or import a folder with `ocils model import`"
        case errors.GatedRepoError():
            said = f"{what}: access has to be granted by its owner first"
            mend = "accept its terms on its page, and set HF_TOKEN"
        case errors.RevisionNotFoundError():
            said, mend = f"{address} has no such revision: {what}", "check the revision"
        case errors.RemoteEntryNotFoundError():
            said, mend = f"{address} does not have {what}", "check the revision, or the mirror"
        case errors.RepositoryNotFoundError():
            said, mend = f"{address} has no repository for {what}, or hides it", _HIDDEN
        case errors.HfHubHTTPError():
            said, mend = _status(error.response.status_code, what, address)
        case errors.HFValidationError():
            said, mend = f"{what} is no name of a repository", "write it owner/name"
        case _ if _is_transport(error):
            said, mend = f"cannot reach {address}: {str(error) or type(error).__name__}", _NETWORK
        case _ if _is_address(error):
            said, mend = f"what should lead to {address} is no address: {error}", _ADDRESS
        case ValueError() | TypeError() | KeyError() | AttributeError():
            said = (
                f"{address} does not speak a hub's protocol: its answer for {what} makes no sense"
            )
            mend = "check HF_ENDPOINT, and whether a proxy or a sign-in page stands between"
        case _:
            said, mend = (
                f"{address}, asked for {what}: {str(error) or type(error).__name__}",
                _LATER,
            )
    return ModelUnavailable(said, mend=mend)


def _status(status: int, what: str, address: str) -> tuple[str, str]:
    if status in (401, 403):
        return f"{address} refuses {what} ({status})", f"check HF_TOKEN; {_HIDDEN}"
    if status == 429:
        return f"{address} is asked too often (429)", f"{_LATER}; a token (HF_TOKEN) may help"
    if status >= 500:
        return f"{address} has trouble of its own ({status}), asked for {what}", _LATER
    return f"{address} says {status} to {what}", "check the name and the revision"


def _is_transport(error: BaseException) -> bool:
    from huggingface_hub.errors import HfHubHTTPError

    # The HTTP client's own root of errors, whichever client this version of the library uses.
    roots = tuple(base for base in HfHubHTTPError.__bases__ if base is not OSError)
    return isinstance(error, (*roots, TimeoutError, ConnectionError))


def _is_address(error: BaseException) -> bool:
    # The client's own class has no root of errors; a scheme that it cannot speak is a plain ValueError.
    named = type(error).__name__ == "InvalidURL"
    return named or (isinstance(error, ValueError) and "proxy" in str(error).lower())


def _seconds(text: str | None) -> float:
    try:
        return min(30.0, max(0.0, float(text or 0)))
    except ValueError:
        return 0.0
