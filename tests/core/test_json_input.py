"""JSON from outside, decoded or refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_search.core.errors import InvalidQuery
from hybrid_search.core.json_input import decode_base64


@given(st.binary(max_size=100))
def test_base64_round_trips(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert decode_base64(text) == decode_base64(f"data:image/png;base64,{text}") == data


@pytest.mark.parametrize("text", ["a", "AA=", "AA==\n", "한글", "A-_="])
def test_invalid_base64_is_rejected(text: str) -> None:
    with pytest.raises(InvalidQuery, match="not base64"):
        decode_base64(text)
