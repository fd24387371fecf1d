"""Types for the dashboards: a TypeScript program that Grafana's own schema must accept.

Grafana's types leave the options of a panel, its queries and its overrides open. Here each is
held against the type of its own kind as well, so that a misspelt key is an error everywhere.
"""

import json
import subprocess

import model

# What the types of a kind of panel are called.
PANELS = {
    "timeseries": "timeseries",
    "stat": "stat",
    "table": "table",
    "bargauge": "bargauge",
    "state-timeline": "statetimeline",
}
# Standard options that an override may set; the others are those of the panel's fields.
CUSTOM = "custom."

HEAD = """\
import type {
  AnnotationQuery, Dashboard, DataTransformerConfig, FieldConfig, FieldConfigSource, Panel, RowPanel, VariableModel,
} from '@grafana/schema';
%s
// JSON has the values of enumerations, not their names.
type Json<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends Array<infer E> ? Array<Json<E>> : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
// What is left out has a default.
type Part<T> = T extends Array<infer E> ? Array<Part<E>> : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;
type Board = Omit<Dashboard, 'panels' | 'annotations' | 'templating'>;
type Frame = Omit<Panel, 'options' | 'fieldConfig' | 'targets' | 'transformations'>;
type Defaults = Omit<FieldConfig, 'custom' | 'links'> & { links?: Link[] };
type Override = FieldConfigSource['overrides'][number];
type Source = { type: 'prometheus'; uid: '${datasource}' };
type Link = { title: string; url: string; targetBlank: boolean };
type Target = { refId: string; datasource: Source; editorMode: 'code'; expr: string; legendFormat?: string;
  range: boolean; instant?: boolean; format?: 'table' | 'time_series' };
// The data source's own part, which the schema knows nothing of.
type Annotation = AnnotationQuery & { expr?: string; step?: string; titleFormat?: string; textFormat?: string;
  tagKeys?: string; useValueForTime?: 'on' };
type Variable = Omit<VariableModel, 'query'> & { definition?: string;
  query: string | { qryType: 1; query: string; refId: string } };
type Transformation = (Omit<DataTransformerConfig, 'id' | 'options'>) & (
  | { id: 'merge'; options: {} }
  | { id: 'organize'; options: { excludeByName: Record<string, boolean>; indexByName: Record<string, number>;
      renameByName: Record<string, string> } });
"""


def program(name, board):
    """The text of the program for one dashboard."""
    imports = "".join(
        f"import type * as {kind} from '@grafana/schema/dist/esm/raw/composable/{kind}/panelcfg/x/{file}';\n"
        for kind, file in {
            "timeseries": "TimeSeriesPanelCfg_types.gen",
            "stat": "StatPanelCfg_types.gen",
            "table": "TablePanelCfg_types.gen",
            "bargauge": "BarGaugePanelCfg_types.gen",
            "statetimeline": "StateTimelinePanelCfg_types.gen",
        }.items()
    )
    lines = [HEAD.replace("%s", imports)]
    number = 0

    def check(type_, value):
        nonlocal number
        number += 1
        lines.append(f"export const c{number}: {type_} = {json.dumps(value)};")

    check("Json<Board>", without(board, "panels", "annotations", "templating"))
    check("Array<Json<Annotation>>", board["annotations"]["list"])
    check("Array<Json<Variable>>", board["templating"]["list"])
    for panel in model.everything(board):
        lines.append(f"// {name}: {panel['title']}")
        if panel["type"] == "row":
            check("Json<Omit<RowPanel, 'panels'>>", without(panel, "panels"))
            continue
        if panel["type"] not in PANELS:
            raise model.Problem(f"{name}: {panel['title']!r}: no types for panels of kind {panel['type']!r}")
        kind = PANELS[panel["type"]]
        check("Json<Frame>", without(panel, "options", "fieldConfig", "targets", "transformations"))
        check(f"Json<Part<{kind}.Options>>", panel["options"])
        check("Target[]", panel["targets"])
        check("Array<Json<Transformation>>", panel.get("transformations", []))
        fields(check, kind, panel["fieldConfig"])
    return "\n".join(lines) + "\n"


def fields(check, kind, config):
    # Stat and bar gauge have no fields of their own.
    custom = f"Json<Part<{kind}.FieldConfig>>" if kind not in ("stat", "bargauge") else "Record<string, never>"
    check("Json<Part<{ defaults: {}; overrides: {}[] }>>", {key: {} if key == "defaults" else [] for key in config})
    check("Json<Defaults>", without(config["defaults"], "custom"))
    check(custom, config["defaults"].get("custom", {}))
    check("Json<Override>[]", config["overrides"])
    for override in config["overrides"]:
        for property_ in override["properties"]:
            key, value = property_["id"], property_["value"]
            if key.startswith(CUSTOM):
                check(custom, {key.removeprefix(CUSTOM): value})
            else:
                check("Json<Defaults>", {key: value})


def without(value, *keys):
    return {key: part for key, part in value.items() if key not in keys}


def problems(boards, directory, modules):
    """What the compiler says of the dashboards; the programs are written into `directory`."""
    for name, board in boards.items():
        (directory / f"{name}.ts").write_text(program(name, board))
    (directory / "tsconfig.json").write_text(
        json.dumps(
            {
                "compilerOptions": {
                    "strict": True,
                    "noEmit": True,
                    "skipLibCheck": True,
                    "module": "esnext",
                    "moduleResolution": "bundler",
                    "target": "es2022",
                    "types": [],
                },
                "include": ["*.ts"],
            }
        )
    )
    link = directory / "node_modules"
    if not link.exists():
        link.symlink_to(modules, target_is_directory=True)
    answer = subprocess.run(
        ["node", modules / "typescript" / "bin" / "tsc", "--project", directory, "--pretty", "false"],
        capture_output=True,
        text=True,
        cwd=directory,
    )
    if answer.returncode == 0:
        return []
    return [located(directory, line) for line in (answer.stdout + answer.stderr).splitlines()]


def located(directory, line):
    """Adds the panel's title to a message of the compiler."""
    file, _, rest = line.partition("(")
    path = directory / file
    if not rest or not path.is_file():
        return line
    number = int(rest.split(",")[0])
    titles = [t for t in path.read_text().splitlines()[:number] if t.startswith("// ") and ": " in t]
    return f"{titles[-1][3:] if titles else path.stem}: {line}"
