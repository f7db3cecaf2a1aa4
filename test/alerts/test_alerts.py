"""Which alerts fire when, and when not yet: the rules meet figures of a real httpd, in which one thing at a time is made bad."""

import json
import re

import pytest
from conftest import REPOSITORY
from exposition import read
from workspace import ADMIN, PASSWORD_FILE, guarded, workspace

RULES = REPOSITORY / "conf" / "examples" / "prometheus-rules.yml"
LAST = 80       # minutes
SINCE = 10      # the minute in which it begins
NAMED = set(re.findall(r"\bpexip_rc_\w+", RULES.read_text()))


def becomes(value, before=0):
    return f"{before}x{SINCE - 1} {value}x{LAST}"


def grows(by=1):
    return f"0x{SINCE - 1} {by}+{by}x{LAST}"


ALWAYS = f"1x{LAST}"
NOW = f"0+60x{LAST}"
DOWN = {"up": becomes(0, 1)}
SEEN = "last_seen_timestamp_seconds"
CROWDED = {'waiting_workers{for="outside"}': becomes(8)}


def bucket(bound, values):
    return {f'policy_duration_seconds_bucket{{le="{bound}"}}': values}


SLOW = {**bucket("1", grows(9)), **bucket("2", grows(9)), **bucket("+Inf", grows(9))}
FAST = {**{key: values for bound in ("0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5")
           for key, values in bucket(bound, grows(9)).items()}, **SLOW}
WAITED = {f'{SEEN}{{part="policy"}}': NOW, f'{SEEN}{{part="admitted"}}': NOW}

# An alert, what is bad (a name is without the prefix), and after how many minutes it is told, at the earliest.
FIRES = [
    ("PexipRCDown", DOWN, 2),
    ("PexipRCBackgroundStandsStill", {"background_timestamp_seconds": f"0+60x{SINCE - 1} {60 * (SINCE - 1)}x{LAST}"}, 1),
    ("PexipRCDatabaseDown", {"database_ok": becomes(0, 1)}, 1),
    ("PexipRCDatabaseLag", {"database_lag_seconds": becomes(61)}, 1),
    ("PexipRCDatabaseNotEverything", {"database_refused_records": becomes(1)}, 1),
    ("PexipRCDatabaseNotEverything", {"database_not_loaded_meetings": becomes(1)}, 1),
    ("PexipRCClock", {"database_clock_ahead_seconds": becomes(-3)}, 5),
    ("PexipRCNotAsked", {"meetings_created_total": grows()}, 30),
    ("PexipRCPolicySlow", SLOW, 10),
    ("PexipRCEventsNeverHeard", {f'{SEEN}{{part="admitted"}}': becomes(1)}, 5),
    ("PexipRCEventsOverdue", {**WAITED, f'{SEEN}{{part="events"}}': f"0+60x{SINCE - 2} {60 * (SINCE - 2)}x{LAST}"}, 2),
    ("PexipRCNodeSilent", {"nodes_silent": becomes(1)}, 10),
    ("PexipRCEventsMissing", {'node_events_missing{node="10.1.1.1"}': grows()}, 5),
    ("PexipRCEventsDropped", {'events_not_taken_total{reason="dropped"}': grows()}, 0),
    ("PexipRCMeetingsRefused", {'meetings_refused_total{reason="full"}': grows()}, 0),
    ("PexipRCTableAlmostFull", {'table_used{table="meetings"}': becomes(8001)}, 5),
    ("PexipRCTableAlmostFull", {'table_used{table="call_legs"}': becomes(49000)}, 5),
    ("PexipRCDeliveriesFailed", {'deliveries{kind="message",state="failed"}': becomes(1)}, 1),
    ("PexipRCDeliveriesWait", {"delivery_oldest_age_seconds": becomes(601)}, 1),
    ("PexipRCRocketChatPaused", {"rocketchat_paused": becomes(1)}, 1),
    ("PexipRCRocketChatFails", {"rocketchat_failing": becomes(1)}, 5),
    ("PexipRCWorkersWait", CROWDED, 5),
    ("PexipRCWorkersWait", {"outside_crowded_total": grows()}, 5),
    ("PexipRCMemoryRepaired", {"memory_repairs_total": grows()}, 0),
    ("PexipRCMemoryLost", {"memory_resets_total": grows()}, 0),
    ("PexipRCMemoryLost", {"memory_lost_records_total": grows()}, 0),
    ("PexipRCEventLogLost", {"event_log_lost_total": grows()}, 0),
]

# What looks like trouble and is none.
QUIET = {
    "nothing happens": {},
    "meetings are asked about": {"meetings_created_total": grows(), 'policy_answers_total{result="continue"}': grows()},
    "answers are fast": FAST,
    "people come and are told of": {**WAITED, f'{SEEN}{{part="events"}}': f"0 0+60x{LAST}"},
    "tables of what is over are full": {'table_used{table="meeting_records"}': becomes(11506), 'table_used{table="text_blocks"}': becomes(57530)},
    "events are foreign": {'events_not_taken_total{reason="foreign"}': grows(100)},
    "a little room is left": {'table_used{table="meetings"}': becomes(8000)},
    "messages wait a little": {'deliveries{kind="message",state="waiting"}': becomes(3), "delivery_oldest_age_seconds": becomes(600)},
    "counters begin anew": {"memory_repairs_total": f"5x{SINCE} 0x{LAST}", "meetings_created_total": f"5x{SINCE} 0x{LAST}"},
    "nodes begin anew": {'node_events_missing{node="10.1.1.1"}': f"5x{SINCE} 0x{LAST}"},
}

# Of two machines that share a workspace: what is bad on the one, what is so on the other, and what fires then.
TWO = [
    ({"meetings_created_total": grows()}, {'policy_answers_total{result="continue"}': grows()}, set()),
    (WAITED, {f'{SEEN}{{part="events"}}': NOW}, set()),
    ({"nodes_silent": becomes(1)}, {}, set()),
    ({"nodes_silent": becomes(1)}, {"nodes_silent": becomes(1)}, {"PexipRCNodeSilent"}),
    ({'node_events_missing{node="10.1.1.1"}': grows(), "machines": f"2x{LAST}"}, {"machines": f"2x{LAST}"}, set()),
    ({"rocketchat_failing": becomes(1), "delivers": f"0x{LAST}"}, {}, set()),
    ({'deliveries{kind="message",state="failed"}': becomes(1)}, {'deliveries{kind="message",state="failed"}': becomes(1)},
     {"PexipRCDeliveriesFailed"}),
]


@pytest.fixture
def text(make_httpd):
    """What a real httpd tells."""
    httpd = make_httpd(workspace() + guarded("/pexip/metrics", "pexip-rc-metrics", f"AuthBasicProvider file\n    AuthUserFile {PASSWORD_FILE}", "user admin"))
    answer = httpd.request("GET", "/pexip/metrics", auth=ADMIN)
    assert answer.status == 200
    return answer.text


def series_of(name, labels):
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"


def machine(metrics, bad, instance):
    """All series of one machine. What a key of `bad` names must be there, but for nodes, which nobody has heard of."""
    target = {"job": "pexip-rc", "instance": instance}
    found = {"up": ({}, ALWAYS), 'node_events_missing{node="10.1.1.1"}': ({"node": "10.1.1.1", "workspace": "w"}, f"0x{LAST}")}
    for name, family in metrics.items():
        for (suffix, labels), value in family.samples.items():
            own = dict(labels)
            others = {label: own[label] for label in sorted(own) if label not in ("workspace", "version")}
            key = series_of(name[len("pexip_rc_"):] + suffix, others) if others else name[len("pexip_rc_"):] + suffix
            if name + suffix in NAMED:
                found[key] = own, f"{value:g}x{LAST}"
    found["background_timestamp_seconds"] = {}, NOW
    assert bad.keys() <= found.keys(), bad.keys() - found.keys()
    return [{"series": series_of(key.split("{")[0] if key == "up" else "pexip_rc_" + key.split("{")[0], {**labels, **target}),
             "values": bad.get(key, values)} for key, (labels, values) in found.items()]


def course(series, moments):
    """A test of promtool that in each of these minutes these alerts fire, and no others."""
    return {"interval": "1m", "input_series": series, "promql_expr_test": [{
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{minute}m",
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)]}
        for minute, alerts in moments.items()]}


def check(promtool, tmp_path, tests):
    # JSON is YAML.
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", tmp_path / "tests.yml")


def test_what_httpd_tells_is_what_prometheus_reads(promtool, text):
    assert promtool("check", "metrics", input=text) == ""


def test_rules_are_well_formed(promtool):
    assert f"{len(re.findall('- alert:', RULES.read_text()))} rules found" in promtool("check", "rules", RULES)


def test_each_rule_names_what_there_is_and_is_tested(text):
    rules = RULES.read_text()
    assert NAMED - {"pexip_rc_policy_duration_seconds_bucket"} <= read(text).keys()
    assert set(re.findall(r"- alert: (\w+)", rules)) == {name for name, _, _ in FIRES}


def test_each_alert_fires_in_its_time_and_alone(promtool, text, tmp_path):
    metrics = read(text)
    check(promtool, tmp_path, [course(machine(metrics, bad, "a"), {SINCE + after - 1: set(), SINCE + after + 3: {name}})
                               for name, bad, after in FIRES])


def test_what_is_no_trouble_is_quiet(promtool, text, tmp_path):
    metrics = read(text)
    check(promtool, tmp_path, [course(machine(metrics, fine, "a"), {SINCE + 5: set(), LAST: set()}) for fine in QUIET.values()])


def test_machines_that_share_a_workspace_are_looked_at_together(promtool, text, tmp_path):
    metrics = read(text)
    check(promtool, tmp_path, [course(machine(metrics, first, "a") + machine(metrics, second, "b"), {SINCE + 40: alerts})
                               for first, second, alerts in TWO])
