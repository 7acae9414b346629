"""What is odd about the ids of a log: padding, case, floats, mixed types, ids that stand for nobody."""

import re

import numpy as np

from ._check_facts import Facts

_ABSENT = ("na", "n/a", "nan", "null", "none", "nil", "<na>", "nat", "undefined", "unknown", "-", "?", "#n/a", "")
_PLACEHOLDERS = ("guest", "anonymous", "anon", "test", "dummy", "default", "not set", "(not set)", "not available")
_NUMBERS = ("0", "-1", "0.0", "-1.0", "99999", "999999")  # suspicious where they have far more events than others
_SCIENTIFIC = re.compile(r"-?\d+(\.\d+)?[eE]\+\d+")
_ZEROS = re.compile(r"0+\d+")
_EXACT = 2**53


def add_id_facts(facts: Facts, role: str, values) -> list[str]:
    """Add what is odd about the ids of a role, a raw Series; return ids that stand for no user or item."""
    there = values.dropna()
    code = getattr(there.dtype, "kind", "O")
    if not len(there) or code in "iub":
        return []
    if code == "f":
        big = int((there.abs() >= _EXACT).sum())
        if big:
            facts.add(
                "ids",
                f"{role} beyond 2**53",
                big,
                f"{big:,} {role} ids are floats of 2**53 and more, in which digits are lost",
                "warning",
                "read the column as text or integers",
            )
        return []
    kinds = sorted({type(one).__name__ for one in there})
    if len(kinds) > 1 and "str" in kinds:
        facts.add(
            "ids",
            f"{role} of mixed types",
            len(kinds),
            f"the {role} ids are of several types: {', '.join(kinds)}",
            "error",
            f"bring them to one type: events[COLUMN].astype(str) for the column of the {role}s",
        )
        return []
    if kinds != ["str"]:
        return []
    codes, distinct = there.factorize()
    counts = np.bincount(codes, minlength=len(distinct))
    texts = [str(one) for one in distinct]
    stripped = [one.strip() for one in texts]
    for what, odd, plain, action in (
        ("surrounding spaces", [a != b for a, b in zip(texts, stripped, strict=True)], stripped, ".str.strip()"),
        (
            "leading zeros",
            [_ZEROS.fullmatch(one) is not None for one in stripped],
            [_unpadded(one) for one in stripped],
            ".str.lstrip('0'), if 007 and 7 are one",
        ),
    ):
        n_events = int(counts[np.array(odd, dtype=bool)].sum())
        merged = len(plain) - len(set(plain))
        if n_events:
            same = f"; {merged:,} ids would be the same as others without them" if merged else ""
            example = texts[odd.index(True)]
            facts.add(
                "ids",
                f"{role} with {what}",
                n_events,
                f"{n_events:,} {role} ids have {what}, such as {example!r}{same}",
                "warning" if merged else "info",
                f"events[COLUMN]{action}" if merged else "",
            )
    _add_variants(facts, role, texts, stripped, counts)
    words = {
        text: count
        for text, count in zip(texts, counts, strict=True)
        if text.strip().lower() in (*_ABSENT, *_PLACEHOLDERS)
    }
    placeholders = [text for text in words if text.strip().lower() in _PLACEHOLDERS]
    if placeholders:
        n = int(sum(words[text] for text in placeholders))
        facts.add(
            "suspicious",
            f"{role} is a placeholder",
            n,
            f"{n:,} events have a {role} such as {placeholders[0]!r}",
            "warning",
            "many share this id: the commands leave them out",
        )
    return list(words)


def _unpadded(text: str) -> str:
    return (text.lstrip("0") or "0") if _ZEROS.fullmatch(text) else text


def _add_variants(facts: Facts, role: str, texts: list[str], stripped: list[str], counts: np.ndarray) -> None:
    by_case: dict[str, set[str]] = {}
    for text in stripped:
        by_case.setdefault(text.casefold(), set()).add(text)
    variants = [sorted(group) for group in by_case.values() if len(group) > 1]
    if variants:
        n = sum(map(len, variants))
        facts.add(
            "ids",
            f"{role} with case variants",
            n,
            f"{n:,} {role} ids differ from another in upper and lower case "
            f"alone, such as {variants[0][0]!r} and {variants[0][1]!r}",
            "warning",
            "events[COLUMN].str.upper(), if they are one",
        )
    for what, odd, action in (
        (
            "rounded by a spreadsheet",
            [_SCIENTIFIC.fullmatch(one) is not None for one in stripped],
            "export again with the column as text: digits are lost",
        ),
        ("unprintable characters", [not one.isprintable() for one in texts], "clean the column"),
    ):
        mask = np.array(odd, dtype=bool)
        if mask.any():
            n, example = int(counts[mask].sum()), texts[odd.index(True)]
            facts.add(
                "ids",
                f"{role} with {what}" if what[0] == "u" else f"{role} {what}",
                n,
                f"{n:,} events have {role} ids with {what}, such as {example!r}"
                if what[0] == "u"
                else f"{n:,} events have {role} ids such as {example!r}, {what}",
                "warning",
                action,
            )


def suspicious_numbers(values) -> list[str]:
    """Return ids such as 0 and -1 that have far more events than the others; `values` is a raw Series."""
    counts = values.dropna().astype(str).str.strip().value_counts()
    if len(counts) < 10:
        return []
    typical = float(counts.quantile(0.99))
    return [one for one in _NUMBERS if one in counts.index and counts[one] > 10 * typical]
