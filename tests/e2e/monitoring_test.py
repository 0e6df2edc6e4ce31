#!/usr/bin/env python3
"""Prometheus itself, with the examples' configuration, reads a natkit under calls: each expression of the dashboard and of the alerts is
answered, those of natkit's own metrics with values; and an alert fires when a program dies."""
import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones
import yaml

EXAMPLES = lab.SOURCE / "tools/natkit/examples/monitoring"
# What there is no sample of here: node_exporter's, a certificate, streams of the fast path, which wants a bpffs, and what only a fault or a flood counts.
MAY_BE_EMPTY = re.compile(r"node_|certificate|not_fast|natkit_one_way|natkit_\w*(drop|refus|reject|timeout|dead|fail|flood)\w*")


def expressions():
    dashboard = json.loads((EXAMPLES / "grafana.json").read_text())
    panels = list(dashboard["panels"])
    for panel in panels:
        panels.extend(panel.get("panels", ()))
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    for group in yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def ask(host, path, **query):
    """An answer of Prometheus' HTTP API."""
    code = f"import urllib.request as u, urllib.parse as p; print(u.urlopen('http://127.0.0.1:9090/api/v1/{path}?' + p.urlencode({query!r})).read().decode())"
    done = host.run("python3", "-c", code)
    return json.loads(done.stdout)["data"] if done.returncode == 0 else {"failed": done.stderr}


def every_expression(net):
    site = site_of_phones.Site(net).start(control={"metrics": '"127.0.0.1:9464"'})
    config = yaml.safe_load((EXAMPLES / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(EXAMPLES / "alerts.yml")]
    config["scrape_configs"] = [c for c in config["scrape_configs"] if c["job_name"] == "natkit"]
    config["scrape_configs"][0].pop("scrape_interval", None)
    config["scrape_configs"][0]["static_configs"] = [{"targets": ["127.0.0.1:9464"]}]
    (net.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    prometheus = lab.Program(site.edge, "prometheus", ["prometheus", f"--config.file={net.folder}/prometheus.yml",
                                                         f"--storage.tsdb.path={net.folder}/data", "--web.listen-address=127.0.0.1:9090"])
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")
    phones.call(a, b)
    phones.hear_each_other(a, b)

    def looks():
        found = ask(site.edge, "query", query="natkit_calls[1m]").get("result")
        return len(found[0]["values"]) if found else 0
    lab.wait_until(lambda: looks() >= 4, "four looks of prometheus at natkit")
    empty = []
    for where, expression in expressions():
        expression = expression.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$job", "natkit")
        answer = ask(site.edge, "query", query=expression)
        lab.require("result" in answer, f"{where}: {expression}: {answer}")
        if not answer["result"] and where.startswith("panel") and not MAY_BE_EMPTY.search(expression):
            empty.append(f"{where}: {expression}")
    lab.require(not empty, "nothing is shown by " + "; ".join(empty))
    # An alert that must not fire now does once natkit is gone.
    lab.require(not any(alert["labels"]["alertname"] == "NatkitDown" for alert in ask(site.edge, "alerts")["alerts"]), "natkit is down?")
    phones.hang_up(a, b)
    site.natkit.stop()
    lab.wait_until(lambda: any(alert["labels"]["alertname"] == "NatkitDown" for alert in ask(site.edge, "alerts")["alerts"]), "an alert")
    prometheus.stop()


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    lab.main(every_expression)
