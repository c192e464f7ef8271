"""Prices, routes and words over random tables, against the plainest way of finding each."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import errors
from homing.accounts.profile import Profile
from homing.common.ids import IdSource
from homing.dialects.laaffic.number import NUMBER as LAAFFIC
from homing.intake.prepare import prepare
from homing.intake.submission import AcceptedMessage, MessageGroup, Submission
from homing.model import GENERAL, Recipient, Strategy
from homing.routing.catalogue import Catalogue
from homing.routing.rules import RouteCandidate, RouteRequest, RouteRule, RouteScope
from homing.routing.selection import RankedCandidates, choose, order
from homing.text.numbers import Numbering
from homing.text.prefix_table import PrefixTable
from homing.text.segments import split

OWN, OTHER = 7, 8
NUMBERING = Numbering({})

digits = st.text("012", max_size=5)
numbers = st.text("012", min_size=7, max_size=9)
price_lists = st.dictionaries(digits, st.integers(0, 10**9), max_size=12)


def longest(table: Mapping[str, int], number: str) -> tuple[str, int] | None:
    """The oracle: every prefix is tried, and the longest that matches wins."""
    return max(((p, v) for p, v in table.items() if number.startswith(p)), key=lambda hit: len(hit[0]), default=None)


def catalogue(
    prices: Mapping[int, Mapping[str, int]],
    routes: Mapping[int, Mapping[str, int]] | None = None,
    enabled: tuple[int, ...] = (1,),
) -> Catalogue:
    return Catalogue(
        prices=((account, prefix, micro) for account, table in prices.items() for prefix, micro in table.items()),
        rules=(
            RouteRule(
                RouteScope(account, prefix=prefix),
                Strategy.PRIORITY,
                None,
                (RouteCandidate(account * 100 + n, carrier, 10, 1),),
            )
            for account, table in (routes if routes is not None else {GENERAL: {"": 1}}).items()
            for n, (prefix, carrier) in enumerate(table.items())
        ),
        enabled=enabled,
    )


def wanted(number: str) -> RouteRequest:
    return RouteRequest(OWN, "app", "HOMING", 0, number, "", "")


def profile(account_id: int = OWN) -> Profile:
    return Profile(account_id, "a", False, (), 20, False, "HOMING", frozenset(("HOMING",)), {}, ())


@given(price_lists, st.text("012", max_size=9))
def test_the_longest_prefix_wins_as_a_search_of_all_prefixes_says(table: dict[str, int], number: str) -> None:
    match = longest(table, number)
    assert PrefixTable(table).find(number) == (None if match is None else match[1])


@given(price_lists, price_lists, price_lists, numbers)
def test_an_accounts_list_stands_before_the_general_one_wherever_it_matches(
    own: dict[str, int], general: dict[str, int], other: dict[str, int], number: str
) -> None:
    priced = catalogue({GENERAL: general, OWN: own, OTHER: other}).price(OWN, number)
    expected = longest(own, number) or longest(general, number)
    assert (None if priced is None else (priced.prefix, priced.micro)) == expected


@given(
    st.dictionaries(digits, st.sampled_from([1, 2]), max_size=6),
    st.dictionaries(digits, st.sampled_from([1, 2]), max_size=6),
    numbers,
)
def test_routes_of_disabled_carriers_are_as_if_they_were_not_there(
    own: dict[str, int], general: dict[str, int], number: str
) -> None:
    found = catalogue({}, {GENERAL: general, OWN: own}, enabled=(1,)).rank(wanted(number), 0)
    expected = next(
        (hit for table in (own, general) if (hit := longest({p: c for p, c in table.items() if c == 1}, number))), None
    )
    chosen = None if found is None else (found.rule.scope.prefix, found.tiers[0].candidates[0].carrier_id)
    assert chosen == expected


@given(
    price_lists,
    price_lists,
    st.lists(numbers, min_size=1, max_size=20),
    st.text("aé€码", min_size=1, max_size=400),
)
def test_a_submission_costs_segments_times_price_for_each_that_has_one(
    own: dict[str, int], general: dict[str, int], called: list[str], text: str
) -> None:
    recipients = [Recipient(number, number) for number in called]
    submission = Submission(profile(), LAAFFIC, "app", "r", [MessageGroup(text, "HOMING", recipients)])
    prices = [longest(own, number) or longest(general, number) for number in called]
    source = IdSource(0)
    try:
        prepared = prepare(submission, catalogue({GENERAL: general, OWN: own}), NUMBERING, source.next)
    except errors.NoRoute:
        assert not any(prices)
        return
    except errors.ContentTooLong:
        assert len(split(text)) > 24
        return
    charges = [price[1] * len(split(text)) for price in prices if price is not None]
    assert prepared.total_micro == sum(charges)
    assert [isinstance(fate, AcceptedMessage) for fate in prepared.results] == [price is not None for price in prices]
    assert [message.price_micro * message.segments for message in prepared.messages] == charges


candidates = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), min_size=1, max_size=6).map(
    lambda rows: [RouteCandidate(n, 1, priority, weight) for n, (priority, weight) in enumerate(rows)]
)


def ranked(rows: list[RouteCandidate]) -> RankedCandidates:
    found = Catalogue(rules=[RouteRule(RouteScope(), Strategy.PRIORITY, None, tuple(rows))], enabled=(1,)).rank(
        wanted("1"), 0
    )
    assert found is not None
    return found


def chosen_of(found: RankedCandidates, draw: int) -> RouteCandidate:
    chosen = choose(found, draw)
    assert chosen is not None
    return chosen


@given(candidates, st.integers(0, 2**53))
def test_the_choice_is_among_the_best_priority_and_the_same_each_time(rows: list[RouteCandidate], draw: int) -> None:
    found = ranked(rows)
    chosen = chosen_of(found, draw)
    assert chosen.priority == min(row.priority for row in rows)
    assert chosen == choose(ranked(list(reversed(rows))), draw), "the order of the table's rows decides nothing"


@given(candidates, st.integers(0, 2**53))
def test_the_order_begins_with_the_choice_and_has_each_candidate_once_by_priority(
    rows: list[RouteCandidate], draw: int
) -> None:
    found = ranked(rows)
    ordered = list(order(found, draw))
    assert ordered[0] == chosen_of(found, draw)
    assert sorted(row.route_id for row in ordered) == [row.route_id for row in rows]
    assert [row.priority for row in ordered] == sorted(row.priority for row in rows)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(0, 2**40))
def test_traffic_is_shared_by_weight(weights: list[int], first: int) -> None:
    found = ranked([RouteCandidate(n, 1, 10, weight) for n, weight in enumerate(weights)])
    sample = 6_000
    counts = Counter(chosen_of(found, message_id).route_id for message_id in _ids(first, sample))
    for n, weight in enumerate(weights):
        share = weight / sum(weights)
        deviation = (sample * share * (1 - share)) ** 0.5
        assert abs(counts[n] - sample * share) < 6 * deviation


def _ids(first: int, count: int) -> Iterator[int]:
    """Ids as a burst makes them: 64 to a millisecond, one node."""
    for n in range(count):
        yield (first + n // 64) << 12 | 5 << 6 | n % 64


words = st.text("aAßKkİ码ｆf① ", min_size=1, max_size=4).filter(lambda word: word.strip())
texts = st.text("aAßKkİ码ｆf① .", max_size=30)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@given(st.lists(words, max_size=4), st.lists(words, max_size=4), st.lists(words, max_size=4), texts)
def test_a_text_is_sensitive_if_it_holds_a_word_in_any_case_or_width(
    general: list[str], own: list[str], other: list[str], text: str
) -> None:
    listed = [(GENERAL, word) for word in general] + [(OWN, word) for word in own] + [(OTHER, word) for word in other]
    expected = any(folded(word) in folded(text) for word in general + own)
    assert Catalogue(words=listed).is_sensitive(OWN, text) == expected


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("casino", "the CASINO is open"),
        ("casino", "ｃａｓｉｎｏ"),  # full width
        ("ｃａｓｉｎｏ", "Casino"),
        ("straße", "STRASSE"),
        ("1", "①"),
        ("file", "ﬁle"),  # a ligature
        ("博彩", "来博彩吧"),
    ],
)
def test_no_spelling_hides_a_word(word: str, text: str) -> None:
    assert Catalogue(words=[(OWN, word)]).is_sensitive(OWN, text)
    assert not Catalogue(words=[(OWN, word)]).is_sensitive(OTHER, text)


@given(st.text("aB.*+?()[]|\\^$", min_size=1, max_size=5))
def test_a_words_characters_stand_for_themselves(word: str) -> None:
    held = Catalogue(words=[(GENERAL, word)])
    assert held.is_sensitive(OWN, f"x{word.swapcase()}y")
    assert not held.is_sensitive(OWN, "nothing of the kind".replace("a", "").replace("b", ""))
