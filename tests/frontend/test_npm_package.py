"""The package of npm as its users get it: from the tarball, and compiled by `tsc --strict` without JavaScript."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile

import pytest

from tests.frontend.rig import FRONTEND, ROOT, node, npm_file

STRICT = {
    "strict": True,
    "noEmit": True,
    "target": "es2022",
    "lib": ["es2022", "dom"],
    "types": [],
    "skipLibCheck": False,
}
DECLARED = """
interface Lots {
  domains: { history: { CONTAINERID: string; QTY: number }; rejects: { LOSSREASONNAME: string } };
  aggregation: { rejects: number };
  lines: { type: 'shift'; name: string };
}
const wanted = { profile: 'query_tool', container_ids: ['a1'], domains: ['history', 'rejects'] };
"""
APPLICATION = f"""
import {{ follow, submit, trace }} from 'mesbatch/jobs.js';
import {{ Account, Refused, readLines, type Line }} from 'mesbatch/ndjson.js';
import {{ useTraceProgress }} from 'mesbatch/vue.js';
{DECLARED}
let total: number = 0;
let words: string = '';
function take(line: Line<Lots>) {{
  if (line.type === 'records' && line.domain === 'history') for (const row of line.data) total += row.QTY;
  if (line.type === 'records' && line.domain === 'rejects') words += line.data[0].LOSSREASONNAME;
  if (line.type === 'aggregation') total += line.data.rejects;
  if (line.type === 'shift') words += line.name;
  if (line.type === 'progress') total += line.percent ?? 0;
}}
try {{
  for await (const line of trace<Lots>('/api/trace', wanted)) take(line);
  for await (const line of follow<Lots>('/api/trace', 'job')) take(line);
  for await (const line of readLines<Lots>(await fetch('/rows'), {{ account: new Account() }})) take(line);
  for await (const line of trace('/api/trace', wanted)) if (line.type === 'records') words += line.data.length;
  const {{ job, response }} = await submit('/api/trace', wanted);
  words += job ? job.status : response.status;
}} catch (error) {{
  if (error instanceof Refused) total += error.retryAfter ?? 0;
}}
const {{ domains, aggregation, state }} = useTraceProgress<Lots>('/api/trace', {{ keep: 10 }});
total += domains.value.history?.rows[0].QTY ?? aggregation.value?.rejects ?? 0;
words += domains.value.rejects?.rows[0].LOSSREASONNAME + state.value;
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A project that has the package from its tarball, and vue."""
    node()
    npm = shutil.which("npm") or pytest.skip("npm is not on the PATH")
    vue = npm_file("vue")
    project = tmp_path_factory.mktemp("project")
    packed = subprocess.run([npm, "pack", "--json", "--pack-destination", project], cwd=FRONTEND,
                            capture_output=True, text=True, check=True)  # fmt: skip
    with tarfile.open(project / json.loads(packed.stdout)[0]["filename"]) as tarball:
        tarball.extractall(project / "node_modules", filter="data")
    (project / "node_modules/package").rename(project / "node_modules/mesbatch")
    for name in ("vue", "@vue", "@babel", "csstype"):
        (project / "node_modules" / name).symlink_to(vue.parent / name)
    (project / "package.json").write_text('{"type": "module"}')
    return project


def compiled(project, text, **options):
    (project / "app.ts").write_text(text)
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": {**STRICT, **options}, "files": ["app.ts"]}))
    command = [npm_file(".bin/tsc"), "-p", project]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_the_tarball_has_each_module_its_types_the_words_and_the_licence(installed):
    modules = {path.name for path in FRONTEND.glob("*.js")}
    types = {f"{name.removesuffix('.js')}.d.ts" for name in modules}
    there = {path.name for path in (installed / "node_modules/mesbatch").iterdir()}

    assert there == modules | types | {"README.md", "LICENSE", "package.json"}
    assert (FRONTEND / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_declarations_are_what_tsc_makes_of_the_modules(tmp_path):
    """`npm run declarations` writes them; here they are made apart from those that lie beside the modules."""
    node()
    for path in [*FRONTEND.glob("*.js"), FRONTEND / "package.json", FRONTEND / "tsconfig.json"]:
        shutil.copy(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(npm_file("vue").parent)
    options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly"]
    subprocess.run([npm_file(".bin/tsc"), "-p", tmp_path, *options], check=True)
    for made in tmp_path.glob("*.d.ts"):
        assert (FRONTEND / made.name).read_text() == made.read_text(), f"{made.name}: run `npm run declarations`"
    assert len(list(tmp_path.glob("*.d.ts"))) == len(list(FRONTEND.glob("*.js")))


@pytest.mark.parametrize("resolution", [{"module": "nodenext"}, {"module": "esnext", "moduleResolution": "bundler"}])
def test_an_application_with_lines_of_its_own_is_compiled_strictly_and_without_javascript(installed, resolution):
    assert compiled(installed, APPLICATION, **resolution) == ""


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("if (line.type === 'records' && line.domain === 'holds') take(line);", "have no overlap"),
        ("if (line.type === 'records' && line.domain === 'history') take(line.data[0].QUANTITY);", "'QUANTITY'"),
        ("if (line.type === 'aggregation') take(line.data.scrap);", "'scrap'"),
        ("if (line.type === 'shift') take(line.number);", "'number'"),
        ("if (line.type === 'night') take(line);", "have no overlap"),
    ],
)
def test_a_line_that_the_application_does_not_have_is_an_error(installed, mistake, told):
    loop = f"for await (const line of trace<Lots>('/api/trace', wanted)) {{ {mistake} }}"
    text = f"import {{ trace }} from 'mesbatch/jobs.js';\n{DECLARED}\nfunction take(one: unknown) {{}}\n{loop}"
    assert told in compiled(installed, text, module="nodenext")


def test_the_typescript_of_the_readme_is_compiled(installed):
    (shown,) = re.findall(r"```ts\n(.*?)```", (FRONTEND / "README.md").read_text(), re.DOTALL)
    around = """
    declare const wanted: import('mesbatch/jobs.js').Wanted;
    declare let total: number;
    declare function show(count: number): void;
    declare function announce(name: string): void;
    """
    assert compiled(installed, shown + around, module="nodenext") == ""
