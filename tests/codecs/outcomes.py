"""Print what the codecs of this build make of a fixed set of payloads and values: one build against the other."""

from __future__ import annotations

from typing import Any

from tests.codecs.support import CODECS, GOLDEN, payload, value
from tests.codecs.test_scalar_mutations import NAMES, mutations
from tests.codecs.test_scalar_refusals import REFUSED, TOO_FAR


def main() -> None:
    for name in NAMES:
        for data in mutations(name, 300):
            try:
                outcome = repr(value(CODECS[name], data))
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
            print(name, data.hex(), ascii(outcome))
            try:
                print(payload(CODECS[name], value(CODECS[name], data)).hex())
            except Exception as error:
                print(type(error).__name__)
    examples: list[tuple[Any, ...]] = [*REFUSED, *TOO_FAR, *GOLDEN]
    for name, example, *_ in examples:
        try:
            outcome = payload(CODECS[name], example).hex()
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        print(name, ascii(outcome))


if __name__ == "__main__":
    main()
