"""Whatever a server sends is taken apart or called rubbish, however it is cut into pieces."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocils.domain.model import Infill, InfillFormat
from ocils.engine.remote.answers import Events, Piece, Refusal, Rubbish, names, pieces, scores
from ocils.engine.remote.raw import read, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "index",
                    "text",
                    "delta",
                    "content",
                    "logprobs",
                    "error",
                    "message",
                    "token_logprobs",
                    "finish_reason",
                    "tokens",
                    "text_offset",
                    "data",
                    "id",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_pieces_or_rubbish(value: object) -> None:
    for take in (
        lambda: list(pieces(value)),
        lambda: names(value),
        lambda: scores(value, [1], [2]),
    ):
        with suppress(Rubbish, Refusal):
            take()


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_rubbish(data: bytes) -> None:
    with suppress(Rubbish):
        list(Events().take(data))


@given(st.lists(JSON, max_size=4), st.lists(st.integers(0, 400), max_size=6), st.booleans())
def test_events_do_not_depend_on_how_they_are_cut(
    values: list[object], cuts: list[int], windows: bool
) -> None:
    newline = "\r\n" if windows else "\n"
    whole = "".join(f": note{newline}data: {json.dumps(v)}{newline}{newline}" for v in values)
    data = f"{whole}data: [DONE]{newline}{newline}data: later{newline}".encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    events = Events()
    found = [event for start, end in pairwise(edges) for event in events.take(data[start:end])]
    assert json.dumps(found) == json.dumps(values)
    assert events.done


@pytest.mark.parametrize(
    ("choice", "piece"),
    [
        ({"text": "a"}, Piece(0, "a", "", None)),
        ({"delta": {"role": "assistant"}}, Piece(0, "", "", None)),
        ({"delta": {"content": None}, "finish_reason": "stop"}, Piece(0, "", "stop", None)),
        ({"message": {"content": "a"}, "finish_reason": "length"}, Piece(0, "a", "length", None)),
        ({"index": 3, "text": "", "finish_reason": "content_filter"}, Piece(3, "", "stop", None)),
        (
            {"text": "ab", "logprobs": {"token_logprobs": [None, -1.0, -0.5]}},
            Piece(0, "ab", "", -1.5),
        ),
        (
            {"delta": {"content": "a"}, "logprobs": {"content": [{"token": "a", "logprob": -2.0}]}},
            Piece(0, "a", "", -2.0),
        ),
        ({"text": "a", "logprobs": None}, Piece(0, "a", "", None)),
    ],
)
def test_what_servers_send(choice: object, piece: Piece) -> None:
    assert list(pieces({"choices": [choice]})) == [piece]


FORMS = (
    InfillFormat("<pre>", "<suf>", "<mid>", "<end>", "<was>", "lines"),
    InfillFormat("<|p|>", "<|s|>", "<|m|>", "<|e|>", start="<bos>"),
    InfillFormat("[P]", "[S]", "[M]", "[E]", order="suffix_first"),
)
TEXTS = st.lists(
    st.sampled_from([*"ab\n <>|[]", "<pre>", "<mid>", "<end>", "<|m|>", "[P]", "[S]"]), max_size=9
).map("".join)


@given(st.sampled_from(FORMS), TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_written_hole_is_read_back(
    form: InfillFormat, prefix: str, suffix: str, was: str, rest: str
) -> None:
    prompt = Infill(prefix, suffix, was if form.was else "")
    assert read(written(prompt, form) + rest, form) == (prompt, rest)
