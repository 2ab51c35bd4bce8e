"""One row, token by token: split characters, stop strings, lines, sums. No model."""

from __future__ import annotations

import pytest

from ocils.engine.rows import Row

END = 1_000


def decode(ids: list[int]) -> str:
    """One token a byte, as the last resort of a byte-level tokenizer."""
    return bytes(ids).decode("utf-8", "replace")


def feed(row: Row, data: bytes, end: bool = True) -> int:
    """Feed bytes until the row says that it is complete; return how many tokens it took."""
    for count, byte in enumerate(data, 1):
        if row.take(byte, -0.5, False, count == len(data) and not end):
            return count
    if end:
        assert row.take(END, -0.25, True, True)
    return len(data) + end


@pytest.mark.parametrize(
    "text", ["plain", "grüße", "日本語\n", "👩‍👩‍👧 x", "", "a\ufffdb", "\r\n\t"]
)
def test_characters_split_over_tokens_come_out_whole(text: str) -> None:
    row = Row(3, decode, (), 0, leading=False)
    count = feed(row, text.encode())
    reply = row.reply()
    assert (reply.row, reply.text, reply.finish, reply.tokens) == (3, text, "stop", count)
    assert reply.logprob == pytest.approx(-0.5 * len(text.encode()) - 0.25)


def test_half_a_character_at_the_end_is_left_out() -> None:
    row = Row(0, decode, (), 0, leading=False)
    feed(row, "aü".encode()[:-1], end=False)
    assert (row.reply().text, row.reply().finish) == ("a", "length")


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    row = Row(0, decode, (), 0, leading=False)
    feed(row, b"\x80\xe2\x82ok\xff\xfe.")
    assert row.reply().text.endswith(".")
    assert "ok" in row.reply().text


@pytest.mark.parametrize(
    ("stop", "text", "cut"),
    [
        (("```",), "code```more", "code"),
        (("END", "N"), "xEND", "xE"),
        (("ü",), "grün", "gr"),
        (("", "zz"), "azz", "a"),
        (("abc",), "ababc", "ab"),
    ],
)
def test_the_earliest_stop_string_ends_it(stop: tuple[str, ...], text: str, cut: str) -> None:
    row = Row(0, decode, stop, 0, leading=False)
    feed(row, text.encode())
    assert row.reply().text == cut
    assert row.reply().finish == "stop"


@pytest.mark.parametrize(
    ("leading", "lines", "text", "cut"),
    [
        (True, 1, "\na\nb\nc", "\na"),
        (True, 2, "\na\nb\nc", "\na\nb"),
        (True, 3, "\na\nb", "\na\nb"),
        (True, 1, "\n\n", "\n"),
        (False, 1, "a\nb\n", "a"),
        (False, 2, "a\nb\nc", "a\nb"),
        (True, 0, "\na\nb\nc", "\na\nb\nc"),
    ],
)
def test_a_reply_has_so_many_lines_at_most(leading: bool, lines: int, text: str, cut: str) -> None:
    row = Row(0, decode, (), lines, leading)
    feed(row, text.encode())
    assert row.reply().text == cut


def test_several_characters_a_token() -> None:
    """A token that holds the end of one line and the start of the next is cut inside."""
    words = ["\n", "a = 1\n\nb", "c"]
    row = Row(0, lambda ids: "".join(words[i] for i in ids), (), 1, leading=True)
    assert not row.take(0, -1.0, False, False)
    assert row.take(1, -1.0, False, False)
    assert row.reply().text == "\na = 1"


def test_an_unfinished_row_has_no_reply() -> None:
    with pytest.raises(ValueError, match="not finished"):
        Row(0, decode, (), 0, leading=False).reply()


OLD = "    total = sum(items)\n    average = total / len(items)\n    return average\n"


def spoken(text: str, old_tail: str = OLD) -> Row:
    """A row that was given the text letter by letter, as far as it took it."""
    row = Row(0, lambda ids: "".join(map(chr, ids)), (), 0, leading=False, old_tail=old_tail)
    for letter in text:
        if row.take(ord(letter), 0.0, is_end=False, is_last=False):
            break
    return row


def test_a_reply_in_step_with_the_old_text_is_complete() -> None:
    row = spoken(f"    items = list(items)\n{OLD}\n\nand so on")
    assert row.finish == "stop"
    assert row.reply().text == f"    items = list(items)\n{OLD}"
    assert row.reply().tokens < len(OLD) + 24


def test_a_reply_that_goes_another_way_goes_on() -> None:
    assert spoken("    total = sum(items)\n    return total\n").finish is None
    assert spoken("    items = list(items)\n" + OLD, old_tail="").finish is None


def test_a_token_that_starts_the_next_line_has_to_agree_too() -> None:
    row = Row(0, lambda ids: "".join(WORDS[n] for n in ids), (), 0, leading=False, old_tail=OLD)
    for number in range(len(WORDS) - 1):
        assert not row.take(number, 0.0, is_end=False, is_last=False)
    assert row.finish is None


WORDS = ("    total = sum(items)\n", "    average = total / len(items)", "\n        deeper", "!")


@pytest.mark.parametrize(
    ("stop", "text", "end"),
    [
        ((), "grüße, 日本\n", True),
        (("```",), "a `b` ``c`` d``", True),
        (("```",), "code```more", True),
        (("END", "D"), "the EN is near, END", True),
        (("abc", "bcd"), "ababcd", True),
        (("\n\n",), "one\ntwo\n", False),
    ],
)
def test_parts_join_to_the_reply_and_nothing_is_taken_back(
    stop: tuple[str, ...], text: str, end: bool
) -> None:
    row = Row(5, decode, stop, 0, leading=False)
    told, sums = "", 0.0
    data = text.encode()
    for count, byte in enumerate(data, 1):
        if row.take(byte, -0.5, False, count == len(data) and not end):
            break
        if (part := row.part()) is not None:
            assert part.row == 5
            assert part.text
            told, sums = told + part.text, sums + part.logprob
    if row.finish is None:
        row.take(END, -0.25, True, True)
    reply = row.reply()
    assert reply.text.startswith(told)
    assert len(told) >= len(reply.text) - max(map(len, stop), default=1)
    assert sums >= reply.logprob
    assert row.begun


def test_a_part_that_may_be_a_stop_string_waits() -> None:
    row = Row(0, decode, ("```",), 0, leading=False)
    row.take(ord("`"), -0.5, False, False)
    assert row.part() is None
    assert not row.begun
    row.take(ord("a"), -0.5, False, False)
    part = row.part()
    assert part is not None
    assert (part.text, part.logprob) == ("`a", -1.0)
    assert row.part() is None
