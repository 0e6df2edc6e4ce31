#!/usr/bin/env python3
"""The examples for Prometheus and Grafana ask for metrics that natkit serves, by labels that these have: natkit(1) lists both. They are
good JSON and YAML, no two panels have one number or one place, and each alert says what is wrong and what to do.
Where promtool is installed, it reads every expression."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

TOP = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
EXAMPLES = TOP / "tools/natkit/examples/monitoring"
# Of node_exporter, whose panels say so.
HOST = {"node_cpu_seconds_total": {"mode"}, "node_network_receive_packets_total": {"device"}, "node_network_transmit_packets_total": {"device"}}
OF_PROMETHEUS = {"up": set()}
EVERYWHERE = {"instance", "job"}
WORDS = {"sum", "count", "min", "max", "by", "rate", "increase", "or", "and", "unless", "vector", "time", "offset", "max_over_time"}
problems = []


def served():
    """The metrics of natkit(1), each with its labels; all of them are in the source that serves them."""
    page = (TOP / "man/natkit.1").read_text().partition(".Sh METRICS")[2].partition(".Sh ENVIRONMENT")[0]
    source = "".join(path.read_text() for path in (TOP / "lib/engine/supervise").glob("*.cpp"))
    found = {}
    for entry in re.split(r"\n\.It ", page)[1:]:
        name = re.match(r"Li (natkit_\w+)", entry)
        if not name:
            continue
        found[name[1]] = set(re.findall(r"\bby\n\.Li (\w+)", entry))
        if f'"{name[1]}"' not in source:
            problems.append(f"natkit(1): nobody serves {name[1]}")
    return found


METRICS = served()
KNOWN = METRICS | HOST | OF_PROMETHEUS


def check_expression(where, text):
    """Every name in it is a metric, a label of one, or a word of the language."""
    labels, metrics = set(), set()
    bare = re.sub(r'"[^"]*"', '""', text)
    for group in re.findall(r"\bby \(([^)]*)\)", bare):
        labels |= set(re.split(r", *", group))
    for name, group in re.findall(r"(\w+)\{([^}]*)\}", bare):
        mine = set(re.findall(r'(\w+)(?:=~|!~|!=|=)""', group))
        if extra := mine - EVERYWHERE - KNOWN.get(name, set()):
            problems.append(f"{where}: {name} has no label {extra}")
    bare = re.sub(r"\{[^}]*\}|\bby \([^)]*\)|\[[^\]]*\]", " ", bare)
    for word in re.findall(r"\b[a-z_][a-z_0-9]*\b", re.sub(r"\b\d+[smhd]?\b", " ", bare)):
        if word in KNOWN:
            metrics.add(word)
        elif word not in WORDS:
            problems.append(f"{where}: no metric {word}: {text}")
    if not metrics:
        problems.append(f"{where}: it asks for no metric: {text}")
    all_labels = EVERYWHERE.union(*(KNOWN[metric] for metric in metrics))
    if labels - all_labels:
        problems.append(f"{where}: {metrics} have no label {labels - all_labels}")
    if any(bare.count(left) != bare.count(right) for left, right in ("()", "[]", "{}")):
        problems.append(f"{where}: brackets: {text}")
    for metric in re.findall(r"\b(?:rate|increase)\((\w+)", text):
        if not metric.endswith("_total"):
            problems.append(f"{where}: a rate of {metric}, which is no counter")
    asked.update(metrics)


def check_legend(where, expression, legend):
    for label in re.findall(r"\{\{(\w+)\}\}", legend):
        kept = re.search(r"\bby \(([^)]*)\)", expression)
        of = set(re.split(r", *", kept[1])) if kept else EVERYWHERE.union(*(KNOWN[m] for m in KNOWN if re.search(rf"\b{m}\b", expression)))
        if label not in of:
            problems.append(f"{where}: its legend names {label}, which the result does not have")


def check_panels(panels):
    taken, numbers, titles = {}, set(), set()
    for panel in panels:
        where = f"grafana.json: panel '{panel['title']}'"
        if panel["id"] in numbers or panel["title"] in titles:
            problems.append(f"{where}: its number or title is there twice")
        numbers.add(panel["id"])
        titles.add(panel["title"])
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            problems.append(f"{where}: wider than the page")
        for place in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if taken.setdefault(place, panel["id"]) != panel["id"]:
                problems.append(f"{where}: lies on panel {taken[place]}")
                break
        if panel["type"] == "row":
            continue
        if not panel.get("description") or not panel.get("targets"):
            problems.append(f"{where}: no description, or nothing to show")
        letters = [target["refId"] for target in panel["targets"]]
        if len(set(letters)) != len(letters):
            problems.append(f"{where}: a letter is there twice")
        for target in panel["targets"]:
            check_expression(where, target["expr"].replace("$__rate_interval", "5m"))
            check_legend(where, target["expr"], target["legendFormat"])
            if "node_" in target["expr"] and "node_exporter" not in panel["description"]:
                problems.append(f"{where}: it does not say that this is node_exporter's")
            elif "natkit_" in target["expr"] and "$instance" not in target["expr"]:
                problems.append(f"{where}: it shows other hosts than the one that is chosen")


def check_alerts(rules):
    names = set()
    for rule in rules:
        where = f"alerts.yml: {rule.get('alert')}"
        if rule["alert"] in names:
            problems.append(f"{where}: there twice")
        names.add(rule["alert"])
        check_expression(where, rule["expr"])
        if rule["labels"].get("severity") not in ("page", "ticket"):
            problems.append(f"{where}: no severity")
        for key in ("summary", "action"):
            if not rule["annotations"].get(key):
                problems.append(f"{where}: no {key}")
        if not rule["annotations"]["summary"].endswith("."):
            problems.append(f"{where}: its summary is no sentence")


def check_by_promtool():
    """What the language itself says of every expression."""
    with tempfile.TemporaryDirectory() as folder:
        rules = pathlib.Path(folder) / "panels.yml"
        expressions = [target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
                       for panel in dashboard["panels"] for target in panel.get("targets", ())]
        rules.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": [
            {"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]}]}))
        for what, file in (("rules", rules), ("rules", EXAMPLES / "alerts.yml"), ("config", EXAMPLES / "prometheus.yml")):
            done = subprocess.run(["promtool", "check", what, file], capture_output=True, text=True)
            if done.returncode != 0:
                problems.append(f"promtool check {what} {file.name}: {done.stdout}{done.stderr}")


asked = set()
dashboard = json.loads((EXAMPLES / "grafana.json").read_text())
check_panels(dashboard["panels"])
alerts = [rule for group in yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
check_alerts(alerts)
settings = yaml.safe_load((EXAMPLES / "prometheus.yml").read_text())
default = re.search(r'metrics\s*= "([\d.:]+)"', (TOP / "tools/natkit/natkit.toml").read_text())
if [job["job_name"] for job in settings["scrape_configs"]] != ["natkit"] or default[1] not in str(settings):
    problems.append("prometheus.yml: it does not read natkit's metrics where they are by default")
if any(not (EXAMPLES / file).exists() for file in settings["rule_files"]):
    problems.append("prometheus.yml: no such rules")
by = ""
if shutil.which("promtool"):
    check_by_promtool()
    by = ", read by promtool"
print(*problems, sep="\n")
print(f"{len(dashboard['panels'])} panels, {len(alerts)} alerts, {len(asked & METRICS.keys())} of {len(METRICS)} metrics{by}, "
      f"{len(problems)} problems")
sys.exit(1 if problems or not METRICS or not alerts else 0)
