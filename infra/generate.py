"""Makes anew what is made of other files and kept in the repository, so that a change of it shows: `make infra`.

From the code: the columns that rows have, which Bicep reads. From the Bicep files, where there is a compiler: the template
azuredeploy.json, and what each variant in predicted/ would deploy. `make infra-check` says where something is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.compiler import NONE, ROOT, Answer, Compiler, find_compiler
from infra.sources import RECORD, TEMPLATE, record
from infra.variants import Variant, variants
from router.destinations.log_analytics import LogTable, log_tables

INFRA = ROOT / "infra"


def columns(table: LogTable) -> list[dict[str, str]]:
    """The columns of a table as Azure wants them told."""
    return [{"name": name, "type": kind} for name, kind in table.columns.items()]


def declared_tables(tables: Iterable[LogTable]) -> list[dict[str, object]]:
    """The tables with their columns."""
    return [{"name": table.name, "columns": columns(table)} for table in tables]


def log_streams(tables: Iterable[LogTable]) -> dict[str, dict[str, object]]:
    """The declarations of what is sent, by the name of the stream: Custom- and the table, whosever table it is."""
    return {f"Custom-{table.name}": {"columns": columns(table)} for table in tables}


def documents() -> Mapping[str, object]:
    """What is generated from the code, by the name of its file."""
    return {
        "log-tables.json": declared_tables(log_tables().values()),
        "log-streams.json": log_streams(log_tables().values()),
    }


def written(document: object) -> str:
    """A document as it stands in its file."""
    return json.dumps(document, indent=2) + "\n"


def compile_all(infra: Path, compiler: Compiler) -> Iterator[Answer]:
    """Makes the template and every prediction of a folder, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        built = pool.submit(compiler.build, infra / "main.bicep", infra / TEMPLATE)
        predicted = [pool.submit(predict, compiler, variant) for variant in variants(infra)]
        yield from (one.result() for one in (built, *predicted))


def predict(compiler: Compiler, variant: Variant) -> Answer:
    """Makes the prediction of a variant. Its outputs are put in order: the compiler writes them in another one each time."""
    answer = compiler.snapshot(variant)
    if answer.done:
        found = json.loads(variant.snapshot.read_text("utf-8"))
        found["outputs"] = dict(sorted(found["outputs"].items()))
        variant.snapshot.write_text(json.dumps(found, indent=2, ensure_ascii=False), "utf-8", newline="\n")
    return answer


def remove_orphans(infra: Path) -> None:
    """Removes the predictions of variants that are gone."""
    for path in set(infra.glob("predicted/*.snapshot.json")) - {variant.snapshot for variant in variants(infra)}:
        path.unlink()


def generate(infra: Path, compiler: Compiler | None) -> int:
    """Writes the files of a folder; 1 and one line a fault where something does not compile."""
    for name, document in documents().items():
        (infra / "generated" / name).write_text(written(document), "utf-8", newline="\n")
    if compiler is None:
        print(f"{NONE}: {TEMPLATE} and what is predicted were not made anew", file=sys.stderr)
        return 0
    remove_orphans(infra)
    answers = list(compile_all(infra, compiler))
    for said in dict.fromkeys(one.said for answer in answers for one in answer.diagnostics):
        print(said, file=sys.stderr)
    if not all(answer.done for answer in answers):
        return 1
    (infra / RECORD).write_text(written(record(infra, compiler.version)), "utf-8", newline="\n")
    print(f"{compiler}: {TEMPLATE} and {len(answers) - 1} predictions")
    return 0


if __name__ == "__main__":
    sys.exit(generate(INFRA, find_compiler()))
