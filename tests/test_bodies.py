from __future__ import annotations

import json
from contextlib import suppress
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.errors import BadPayload
from webhooks.bodies import decode

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PAYLOAD = {"title": "50 % off + a naïve 🛒 & more", "number": 3}


@pytest.mark.parametrize("content_type", [JSON, "application/JSON; charset=utf-8", "text/plain", ""])
def test_what_is_no_form_is_read_as_json(content_type):
    assert decode(json.dumps(PAYLOAD).encode(), content_type) == PAYLOAD


@pytest.mark.parametrize(
    "content_type", [FORM, f"{FORM};charset=UTF-8", " Application/X-WWW-Form-URLencoded ; x=y"]
)
@pytest.mark.parametrize("encoded", [quote, quote_plus])
def test_a_form_holds_the_payload_in_a_field(content_type, encoded):
    assert decode(f"payload={encoded(json.dumps(PAYLOAD))}".encode(), content_type) == PAYLOAD


def test_plus_is_a_space_in_a_form_and_a_plus_in_json():
    assert decode(b'payload={"a":"x+y%2Bz"}', FORM) == {"a": "x y+z"}
    assert decode(b'{"a":"x+y%2Bz"}', JSON) == {"a": "x+y%2Bz"}


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b"\xef\xbb\xbf{}", JSON),
        (b"\xef\xbb\xbfpayload={}", FORM),
        (b"payload=%EF%BB%BF{}", FORM),
    ],
)
def test_a_byte_order_mark_is_passed_over(raw, content_type):
    assert decode(raw, content_type) == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff",
        b"\xff\xfe{\x00}\x00",
        b"{}{}",
        b"payload={}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_object_is_refused(raw):
    with pytest.raises(BadPayload):
        decode(raw, JSON)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"payload",
        b"payload=",
        b"other={}",
        b'payload={"a":"%FF"}',
        b"payload={}&payload={}",
        b"payload={}" + b"&a=b" * 99,
    ],
)
def test_a_form_without_one_payload_is_refused(raw):
    with pytest.raises(BadPayload):
        decode(raw, FORM)


@pytest.mark.parametrize(
    "digits", [str(2**63), str(-(2**63) - 1), "1" + "0" * 21, "1" + "0" * 5_000, "1e999", "-1e999"]
)
def test_a_number_beyond_64_bits_is_refused_wherever_it_stands(digits):
    with pytest.raises(BadPayload):
        decode(f'{{"unread": [{{"deep": {digits}}}]}}'.encode(), JSON)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0])
def test_a_number_of_64_bits_is_read(number):
    assert decode(f'{{"a": {number}}}'.encode(), JSON) == {"a": number}


def test_a_key_twice_in_one_object_is_refused_at_any_depth():
    with pytest.raises(BadPayload):
        decode(b'{"x": [{"id": 1, "id": 2}]}', JSON)
    assert decode(b'{"x": [{"id": 1}, {"id": 2}]}', JSON) == {"x": [{"id": 1}, {"id": 2}]}


@given(st.binary(), st.sampled_from([JSON, FORM, ""]))
def test_any_bytes_are_an_object_or_refused(raw, content_type):
    with suppress(BadPayload):
        assert isinstance(decode(raw, content_type), dict)
