from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.text_sms import fit_gsm7, fit_sms, gsm7_length, to_gsm7

# 3GPP TS 23.038, default alphabet and extension table, apart from the module's own.
ALPHABET = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    "\f^{}\\[~]|€"
)


@pytest.mark.parametrize(
    ("text", "sms"),
    [
        ("Příliš žluťoučký kůň", "Prilis zlutoucky kun"),
        ("Łódź, straße, Çà, ñ, ø", "Lodz, straße, Çà, ñ, ø"),
        ("“curly” ‘quotes’ – dash… →", "\"curly\" 'quotes' - dash... ->"),
        ("97 % ≥ 90 °C\tµs", "97 % >= 90  deg C us"),
        ("λ ω", "Λ Ω"),
        ("Диск 🔥 満", "???? ??"[:4] + "  ?"),
        ("e\u0301 ﬁ Ⅷ", "é fi VIII"),
    ],
)
def test_nearest_letters(text: str, sms: str) -> None:
    assert to_gsm7(text) == sms


def test_the_extension_counts_twice() -> None:
    assert gsm7_length("a€[]") == 7


@given(st.text(max_size=300), st.integers(0, 200))
def test_it_fits_whatever_comes(text: str, limit: int) -> None:
    cut = fit_gsm7(text, limit)
    assert set(cut) <= ALPHABET
    assert gsm7_length(cut) <= limit
    assert to_gsm7(cut) == cut


@given(st.text(max_size=400))
def test_number_and_link_are_never_cut(title: str) -> None:
    before, after = "Midwatch P1 #1042 Checkout: ", '. You are level 1. Reply "ack 1042". https://m.example/p/abcdefgh'
    sms = fit_sms(before, title, after)
    assert sms.startswith(before)
    assert sms.endswith(after)
    assert gsm7_length(sms) <= 160
