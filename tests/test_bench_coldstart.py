"""The bench of cold starts: which bytecode it leaves out, and whom it blames."""

from pathlib import Path

from bench.cold_process import Imported, without_the_layers
from bench.coldstart import Cold, contributors, table


def test_bytecode_of_the_layers_is_left_out_and_that_of_the_runtime_is_not(tmp_path: Path) -> None:
    whole, ours = tmp_path / "whole", Path("/home/ana/lockstep")
    packages = "usr/lib/site-packages"
    kept = (
        "usr/lib/json.pyc",
        f"{packages}/boto3/session.pyc",
        f"{packages}/six.cpython-313.pyc",
        "home/ana/lockstep/bench/a.pyc",
    )
    ours_or_layers = (
        f"{packages}/pydantic/main.pyc",
        "home/ana/lockstep/functions/push.pyc",
        "home/ana/lockstep/layers/shared/row.pyc",
    )
    for name in (*kept, *ours_or_layers):
        (whole / name).parent.mkdir(parents=True, exist_ok=True)
        (whole / name).touch()

    without_the_layers(whole, tmp_path / "packed", ours=ours)

    packed = tmp_path / "packed"
    assert {str(path.relative_to(packed)) for path in packed.rglob("*.pyc")} == set(kept)


def test_a_package_is_blamed_for_its_own_time_beyond_boto3() -> None:
    base = [Imported("boto3", 9000)]
    imports = [
        *base,
        Imported("pydantic.main", 2000),
        Imported("pydantic", 1000),
        Imported("lockstep.row", 500),
        Imported("lockstep.merge", 4000),
    ]

    assert list(contributors(imports, base)) == [("lockstep.merge", 4.0), ("pydantic", 3.0), ("lockstep.row", 0.5)]


def test_a_table_says_multiples_of_its_first_row_and_nothing_of_what_was_not_counted() -> None:
    rows = [Cold("base", [0.1, 0.3, 0.2], 1_000_000, 10), Cold("push", [0.3, 0.3, 0.3], None, 20)]

    assert table(rows).splitlines()[2:] == [
        "| base | 200 (100 to 300) | 1.00 | 1 | 1.00 | 10 |",
        "| push | 300 (300 to 300) | 1.50 | – | – | 20 |",
    ]
