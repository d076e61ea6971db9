"""Ten rules on texts, and texts that they vote on. Needs the standard library alone: snorkel's environment imports it too."""

import random

HAM, SPAM = 0, 1
RULES = {
    "keyword_my": ("my", SPAM),
    "keyword_subscribe": ("subscribe", SPAM),
    "keyword_link": ("http", SPAM),
    "keyword_please": ("please|plz", SPAM),
    "keyword_song": ("song", HAM),
    "regex_check_out": ("check.*out", SPAM),
    "offers_money": (r"\$\s?\d+|\b\d+\s*(dollars|bucks)\b|\bfree\b", SPAM),
    "shouts": (r"!{3,}|\?{3,}", SPAM),
    "gives_praise": (r"\b(love|loved|best|amazing|awesome|beautiful)\b", HAM),
    "recalls_a_time": (r"\b(19[6-9]\d|20[01]\d)\b|\bchildhood\b|\bremember\b", HAM),
}
"""{function: (regular expression, which means the same to Python and to RE2; the class that it votes where it is found)}. The
first six are those of snorkel's own tutorial on spam, and texts are lowered as there."""

_PHRASES = {
    SPAM: [
        "check out my new channel",
        "subscribe to my channel please",
        "visit http://videos.example.com/watch",
        "plz like and subscribe!!!",
        "get $500 free today",
        "www.example.org has it",
        "earn 200 dollars a day",
        "check this video out",
    ],
    HAM: [
        "I love this song",
        "her voice is amazing",
        "best chorus of 1998",
        "this takes me back to my childhood",
        "I remember dancing to it",
        "beautiful melody and lyrics",
        "who else is watching in 2013???",
        "great drums in the second verse",
    ],
}
_FILLERS = "the a of and to in it is was for on that with as at this be by from one all they you we are so just really"


def texts(rows: int, seed: int) -> list[str]:
    """Comments under a song of some ninety characters, of which half are spam."""
    chance, fillers = random.Random(seed), _FILLERS.split()
    found = []
    for _ in range(rows):
        own = chance.choice((HAM, SPAM))
        parts = [" ".join(chance.choices(fillers, k=chance.randint(2, 8)))]
        for _ in range(chance.randint(0, 3)):
            # Each comment has a phrase of the other kind now and then, so the rules err.
            parts.append(chance.choice(_PHRASES[own if chance.random() < 0.8 else 1 - own]))
            parts.append(" ".join(chance.choices(fillers, k=chance.randint(2, 8))))
        text = " ".join(parts)
        found.append(text.upper() if chance.random() < 0.1 else text)
    return found


def votes_sql(relation: str) -> str:
    """The select of a votes model over a relation (row_id, text): a `case … end` for each rule."""
    cases = ",\n".join(
        f"case when regexp_matches(lower(text), '{pattern}') then {'true' if vote == SPAM else 'false'} end as {name}"
        for name, (pattern, vote) in RULES.items()
    )
    return f"select row_id, {cases} from {relation}"
