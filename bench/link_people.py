"""The people of `bench/link.py`: made up, so that who is who is known.

Six tenths as many entities as records. Of the records of one entity each was typed by somebody:
names, dates and streets have slips, values are missing, e-mail addresses and telephone numbers
change. The same seed gives the same people.
"""

import string

import numpy as np

COLUMNS = ("given_name", "surname", "birth_date", "email", "phone", "street", "city", "postcode")
MISSING = dict(zip(COLUMNS, (0.15, 0.15, 0.2, 0.25, 0.3, 0.25, 0.2, 0.2), strict=True))
SLIPS = dict(zip(COLUMNS, (0.1, 0.12, 0.08, 0.05, 0.05, 0.15, 0.1, 0.06), strict=True))
MOVED = 0.2  # the share of e-mail addresses and telephone numbers that are another one
SYLLABLES = [
    a + b for a in "bcdfghjklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "in")
]
DOMAINS = ["mail.example", "post.example", "web.example", "inbox.example", "net.example"]


def make_people(records: int, *, seed: int = 11) -> tuple[dict[str, list[str]], np.ndarray]:
    """Return the columns, and for each record the entity it is of."""
    rng = np.random.default_rng(seed)
    entities = int(records * 0.598)
    # How many further records an entity has is geometric: most have none, a few have many.
    weight = rng.gamma(1.0, 1.0, entities)
    further = rng.choice(entities, records - entities, p=weight / weight.sum())
    entity = np.sort(np.concatenate([np.arange(entities), further]))
    truth = _make_entities(entities, rng)
    columns = {name: truth[name][entity] for name in COLUMNS}
    again = np.append(False, entity[1:] == entity[:-1])
    fresh = _make_entities(entities, rng)
    for name in ("email", "phone"):
        changed = again & (rng.random(records) < MOVED)
        columns[name][changed] = fresh[name][entity[changed]]
    for name, values in columns.items():
        for place in np.flatnonzero(again & (rng.random(records) < SLIPS[name])).tolist():
            values[place] = _slip(values[place], rng)
        values[rng.random(records) < MISSING[name]] = ""
    order = rng.permutation(records)
    return {name: values[order].tolist() for name, values in columns.items()}, entity[order]


def _make_entities(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    given = _draw(_words(2_000, 2, rng), count, rng)
    surname = _draw(_words(30_000, 3, rng), count, rng)
    days = np.datetime64("1935-01-01") + rng.integers(0, 27_000, count)
    town = _zipf(5_000, count, rng)
    towns, streets = _words(5_000, 3, rng), _words(20_000, 3, rng)
    number = rng.integers(1, 10_000, count)
    domain = rng.integers(0, len(DOMAINS), count)
    return {
        "given_name": given,
        "surname": surname,
        "birth_date": days.astype(str).astype(object),
        "email": np.array(
            [
                f"{g}.{s}{n}@{DOMAINS[d]}"
                for g, s, n, d in zip(given, surname, number.tolist(), domain, strict=True)
            ],
            object,
        ),
        "phone": np.array([f"06{n:08d}" for n in rng.integers(0, 10**8, count)], object),
        "street": np.array(
            [
                f"{n} {word} street"
                for n, word in zip(
                    rng.integers(1, 200, count), _draw(streets, count, rng), strict=True
                )
            ],
            object,
        ),
        "city": towns[town],
        "postcode": np.array(
            [f"{1000 + 7 * t + n % 7:05d}" for t, n in zip(town, number, strict=True)], object
        ),
    }


def _words(count: int, syllables: int, rng: np.random.Generator) -> np.ndarray:
    picked = rng.integers(0, len(SYLLABLES), (count * 2, syllables))
    words = list(dict.fromkeys("".join(SYLLABLES[i] for i in row) for row in picked))
    return np.array(words[:count], object)


def _zipf(size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    weight = 1 / np.arange(1, size + 1) ** 0.8
    return rng.choice(size, count, p=weight / weight.sum())


def _draw(words: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return words[_zipf(len(words), count, rng)]


def _slip(text: str, rng: np.random.Generator) -> str:
    """Return the text with one letter mistyped, left out, doubled or exchanged with the next."""
    if len(text) < 3:
        return text
    at, kind = int(rng.integers(0, len(text) - 1)), int(rng.integers(0, 4))
    letters = string.digits if text[at].isdigit() else string.ascii_lowercase
    put = letters[int(rng.integers(0, len(letters)))]
    return (
        text[:at]
        + (put, "", text[at] * 2, text[at + 1])[kind]
        + (text[at] + text[at + 2 :] if kind == 3 else text[at + 1 :])
    )
