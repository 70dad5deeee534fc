#!/usr/bin/env bash
# Build the wheel and try it outside of the source tree: the light base alone, then with the server extra.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo "$PWD/.cache/uv/bin/uv")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$uv" build --quiet --out-dir "$work/dist"
wheel=$(echo "$work"/dist/headwater-*.whl)
python3 - "$wheel" <<'PY'
import subprocess, sys, zipfile

names = {name for name in zipfile.ZipFile(sys.argv[1]).namelist() if name.startswith("headwater/")}
tracked = subprocess.run(["git", "ls-files", "src/headwater"], capture_output=True, text=True, check=True).stdout.split()
expected = {name.removeprefix("src/") for name in tracked}
assert names == expected, f"wheel and source tree differ: {sorted(names ^ expected)[:10]}"
assert not [name for name in names if name.endswith(".pth")]
print(f"wheel: {len(names)} files, all of them tracked")
PY

cd "$work"
"$uv" venv --quiet --python 3.11 light
"$uv" pip install --quiet --python light/bin/python "$wheel"
light/bin/python - <<'PY'
import importlib.metadata

installed = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions()}
assert installed == {"headwater", "urllib3", "msgspec"}, installed
from headwater import collect_data_from_dbt_cloud

result = collect_data_from_dbt_cloud(1, "", 2)
assert result.outcome == "failed" and result.error, result
print("light base: urllib3 and msgspec only; the SDK imports and explains itself")
PY
HEADWATER_SPOOL="$work/spool" light/bin/python -m headwater.sdk flush
status=0
light/bin/headwater runs 2>"$work/said" || status=$?
test "$status" -eq 2
grep -q "headwater\[server\]" "$work/said"

"$uv" venv --quiet --python 3.11 full
"$uv" pip install --quiet --python full/bin/python "$wheel[server]"
HEADWATER__DATA_FOLDER="$work/data" full/bin/headwater check
full/bin/headwater demo --once --json --days 2 >summary.json 2>demo.log || { cat demo.log; exit 1; }
full/bin/python - <<'PY'
import json

summary = json.load(open("summary.json"))
assert summary["accounts"] == 2 and sum(summary["runs"].values()) > 20, summary
print(f"with the server extra: the demo ran {sum(summary['runs'].values())} runs from the wheel")
PY
echo "wheel: 3 passed, 0 failed"
