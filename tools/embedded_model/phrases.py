"""Generate phrases from templates, in one language or in both."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

Pair = tuple[str, str]
"""English and Korean texts with the same meaning."""

ADJECTIVES: tuple[Pair, ...] = (
    ("red", "빨간"), ("blue", "파란"), ("green", "초록색"), ("yellow", "노란"),
    ("black", "검은"), ("white", "하얀"), ("pink", "분홍색"), ("purple", "보라색"),
    ("brown", "갈색"), ("orange", "주황색"), ("grey", "회색"), ("gold", "금색"),
    ("silver", "은색"), ("beige", "베이지색"), ("navy blue", "남색"), ("mint", "민트색"),
    ("cute", "귀여운"), ("small", "작은"), ("big", "큰"), ("old", "오래된"), ("new", "새로운"),
    ("happy", "행복한"), ("beautiful", "아름다운"), ("pretty", "예쁜"), ("fresh", "신선한"),
    ("delicious", "맛있는"), ("wooden", "나무"), ("shiny", "반짝이는"), ("modern", "현대적인"),
    ("vintage", "빈티지"), ("luxury", "고급"), ("cheap", "저렴한"), ("colorful", "화려한"),
    ("cold", "차가운"), ("cool", "시원한"), ("hot", "뜨거운"), ("warm", "따뜻한"),
    ("running", "달리는"), ("sitting", "앉아 있는"), ("sleeping", "자고 있는"),
    ("flying", "날아가는"), ("smiling", "웃는"), ("Korean", "한국"), ("premium", "프리미엄"),
    ("stylish", "세련된"), ("cozy", "아늑한"), ("spicy", "매운"), ("sweet", "달콤한"),
    ("sparkling", "톡 쏘는"), ("organic", "유기농"), ("soft", "부드러운"), ("funny", "재미있는"),
    ("elegant", "우아한"), ("simple", "심플한"), ("cartoon", "만화"), ("handmade", "수제"),
)  # fmt: skip
BILINGUAL: tuple[Pair, ...] = (
    ("{a} {n}", "{a} {n}"),
    ("a {a} {n}", "{a} {n}"),
    ("{a} {n} photo", "{a} {n} 사진"),
    ("a photo of a {n}", "{n} 사진"),
    ("{n} picture", "{n} 이미지"),
    ("{n} illustration", "{n} 일러스트"),
    ("drawing of a {n}", "{n} 그림"),
    ("{n} icon", "{n} 아이콘"),
    ("{n} and {m}", "{n:과} {m}"),
    ("{n} on a {m}", "{m} 위의 {n}"),
    ("{n} next to a {m}", "{m} 옆에 있는 {n}"),
    ("{n} in the {m}", "{m}에 있는 {n}"),
    ("a {a} {n} and a {m}", "{a} {n:과} {m}"),
    ("woman with a {n}", "{n:을} 든 여자"),
    ("man holding {n}", "{n:을} 들고 있는 남자"),
    ("person eating {n}", "{n:을} 먹는 사람"),
    ("child playing with a {n}", "{n:을} 가지고 노는 아이"),
    ("{n} advertisement", "{n} 광고"),
    ("{n} sale", "{n} 할인"),
    ("{n} special offer", "{n} 특가"),
    ("new {n} launch", "{n} 신제품 출시"),
    ("{n} event", "{n} 이벤트"),
    ("{n} poster", "{n} 포스터"),
    ("{n} banner", "{n} 배너"),
    ("buy {n}", "{n} 사기"),
    ("recommended {n}", "추천 {n}"),
)
ENGLISH = (
    "a photo of a {n}", "{a} {n}", "a {a} {n}", "{n} and {m}", "{n} with {m}", "{n} on a {m}",
    "a woman with a {n}", "a man holding a {n}", "{n} in the {m}", "sale on {n}", "new {n} ad",
    "two {n}s", "a picture of {n}", "{n} next to a {m}", "{a} {n} on a {b} background",
    "{n} clip art",
)  # fmt: skip
KOREAN = (
    "{n} 사진", "{a} {n}", "{a} {n} 사진", "{n:과} {m}", "{m} 위의 {n}", "{n:을} 든 여자",
    "{n:을} 들고 있는 남자", "{m} 옆에 있는 {n}", "{n} 할인", "신상 {n} 광고", "{n} 두 마리",
    "{n} 이미지", "{n:이} 있는 풍경", "{a} 배경의 {n}", "{n:을} 먹는 사람", "{m}에서 {n}",
)  # fmt: skip
_PARTICLES = {"과": "와", "을": "를", "이": "가", "은": "는"}


class Korean(str):
    """A word that formats with the particle for its last sound: ``f"{word:을}"``.

    >>> f"{Korean('강아지'):을} {Korean('곰'):과}"
    '강아지를 곰과'
    """

    __slots__ = ()

    def __format__(self, particle: str) -> str:
        if not particle:
            return str(self)
        last = ord(self[-1])
        closed = 0xAC00 <= last <= 0xD7A3 and (last - 0xAC00) % 28 > 0
        return self + (particle if closed else _PARTICLES[particle])


def read_lexicon(folder: Path) -> dict[str, list[Pair]]:
    """Return the pairs of each ``*.tsv`` by file name; a line is ``english|korean``."""
    return {
        path.stem: [_pair(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.glob("*.tsv"))
    }


def plural(noun: str) -> str:
    """Return the regular plural.

    >>> [plural(noun) for noun in ("cat", "puppy", "toy", "dish")]
    ['cats', 'puppies', 'toys', 'dishes']
    """
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


def bilingual(pairs: Sequence[Pair], count: int, chance: random.Random) -> list[Pair]:
    """Return ``count`` phrases in both languages."""
    made = []
    for _ in range(count):
        (one, one_ko), (other, other_ko) = chance.choice(pairs), chance.choice(pairs)
        adjective, adjective_ko = chance.choice(ADJECTIVES)
        english, korean = chance.choice(BILINGUAL)
        made.append(
            (
                english.format(n=one, m=other, a=adjective),
                korean.format(n=Korean(one_ko), m=Korean(other_ko), a=adjective_ko),
            )
        )
    return made


def english(nouns: Sequence[str], count: int, chance: random.Random) -> list[str]:
    """Return ``count`` English phrases."""
    return [_filled(ENGLISH, nouns, [a for a, _ in ADJECTIVES], chance) for _ in range(count)]


def korean(nouns: Sequence[str], count: int, chance: random.Random) -> list[str]:
    """Return ``count`` Korean phrases."""
    words = [Korean(noun) for noun in nouns]
    return [_filled(KOREAN, words, [a for _, a in ADJECTIVES], chance) for _ in range(count)]


def _filled(
    templates: Sequence[str], nouns: Sequence[str], words: Sequence[str], chance: random.Random
) -> str:
    parts = {"n": chance.choice(nouns), "m": chance.choice(nouns)}
    return chance.choice(templates).format(**parts, a=chance.choice(words), b=chance.choice(words))


def _pair(line: str) -> Pair:
    english, korean = line.split("|")
    return english, korean
