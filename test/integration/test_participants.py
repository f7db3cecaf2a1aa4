"""Participant properties: who comes in as he is, and who is turned away because it is over."""

from datetime import datetime, timedelta, timezone

import pytest
from conftest import Servers, bury
from httpd import PATIENCE
from pexip import one_leg
from waiting import wait_until
from workspace import ADMIN, NODES, PREFIX, workspace

pytestmark = pytest.mark.any_mpm

AS_IS = {"status": "success", "action": "continue", "result": {}}
OVER = {"status": "success", "action": "reject", "result": {"reject_reason": "This meeting has ended."}}
MISS = {"status": "fail", "action": "continue", "result": {}}
UUID = "6d1c1c1e-6f0b-4c3e-9b57-0f2a4a1f7d10"
PROPERTIES = "participant/properties"


@pytest.fixture(scope="module")
def server(mpm):
    servers = Servers(mpm)
    try:
        yield servers(workspace(extra="PexipRCNumericAlias 77 6\nPexipRCSIPDomain meet.example.com\nPexipRCServiceOption breakout_rooms true"))
    finally:
        bury(servers)


@pytest.fixture
def ended(api):
    meeting = api.create()
    api.delete(meeting["id"])
    return meeting


def says(answer, wanted, status=200):
    assert (answer.status, answer.json()) == (status, wanted), f"{answer.status} {answer.text[:300]}"
    assert answer.headers["Content-Type"].startswith("application/json")
    return True


def ask(node, meeting, **parameters):
    """What a node asks about somebody in the conference of this meeting."""
    names = {"service_name": meeting["id"], "unique_service_name": meeting["id"], "service_tag": "rocket.chat"}
    return node.policy(parameters.pop("alias", meeting["id"]), what=PROPERTIES,
                       **{**names, "participant_type": "api", "participant_uuid": UUID, "call_uuid": UUID,
                          "preauthenticated_role": "guest", "bypass_lock": "False", "breakout_uuid": "", **parameters})


def raw(server, query, method="GET"):
    return server.request(method, f"{PREFIX}/policy/v1/{PROPERTIES}?{query}", auth=NODES)


def stamp(seconds_from_now):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds_from_now)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Each of these alone says which meeting it is; {i} is its id, {n} its number.
IDENTIFYING = [
    "service_name={i}", "unique_service_name={i}", "local_alias={i}", "local_alias={n}", "local_alias=%2B{n}",
    "service_name={i}_breakout_" + UUID, "unique_service_name={i}_breakout_" + UUID,
    f"service_name={{i}}_breakout_{UUID}&unique_service_name={{i}}_breakout_{UUID}&breakout_uuid={UUID}&local_alias={{i}}",
    "local_alias=sip%3A{i}%40meet.example.com%3Btransport%3Dtls", "local_alias=h323:{i}", "local_alias={n}@10.1.2.3:5060",
    "local_alias={n}@meet.example.com&service_name=&unique_service_name=", "service_name=%zz&unique_service_name={i}",
    "call_direction=dial_out&local_alias=caller&service_name={i}", "local_alias=their.reception&service_name={i}",
    "idp_attribute_group=a&idp_attribute_group=b&service_name={i}&remote_display_name=%00&vendor=%ff",
    "protocol=sip&preauthenticated_role=&service_name={i}", "participant_type=standard&preauthenticated_role=chair&service_name={i}",
]


@pytest.mark.parametrize("query", IDENTIFYING)
def test_whatever_names_the_meeting_is_enough(server, meeting, ended, query):
    assert says(raw(server, query.format(i=meeting["id"], n=meeting["numeric_alias"])), AS_IS)
    assert says(raw(server, query.format(i=ended["id"], n=ended["numeric_alias"])), OVER)


@pytest.mark.parametrize("query", [
    "", "service_name=", "local_alias=", "service_name=Somebody+elses+room", "service_name=Unknown4Meeting", "local_alias={n}@elsewhere.example.com",
    "service_name=_breakout_" + UUID, "service_name=%zz", "service_name=" + "9" * 7000, "previous_service_name={i}", "participant_uuid={i}",
    # Moved on to a room that is not ours.
    "local_alias={i}&previous_service_name={i}&service_name=Somebody+elses+room", "service_name={i}%00", "service_name={i}%0a", "&" * 4000])
def test_what_is_not_ours_is_left_to_infinity(server, meeting, ended, query):
    for each in (meeting, ended):
        assert says(raw(server, query.format(i=each["id"], n=each["numeric_alias"])), MISS, 404)


def test_a_slash_at_the_end_and_head_are_as_good(server, node, meeting, ended):
    for each, wanted in ((meeting, AS_IS), (ended, OVER)):
        path = f"{PREFIX}/policy/v1/{PROPERTIES}"
        assert says(server.request("GET", f"{path}/?service_name={each['id']}", auth=NODES), wanted)
        head = server.request("HEAD", f"{path}?service_name={each['id']}", auth=NODES)
        assert (head.status, head.body) == (200, b"")


def test_nobody_is_told_without_the_nodes_password(server, ended):
    assert server.request("GET", f"{PREFIX}/policy/v1/{PROPERTIES}?service_name={ended['id']}").status == 401


def test_other_methods_are_refused(server, ended):
    assert raw(server, f"service_name={ended['id']}", "POST").status == 405


def test_everybody_comes_in_until_the_end(node, api, meeting):
    assert says(ask(node, meeting), AS_IS)
    node.conference_started(meeting["id"])
    anna = one_leg(node, meeting["id"], "Anna")
    assert says(ask(node, meeting, participant_type="standard", preauthenticated_role="chair"), AS_IS)
    api.delete(meeting["id"])
    assert api.read(meeting["id"])["closed"] is True
    # Somebody who was let in before.
    assert says(ask(node, meeting), AS_IS)
    anna.leave()
    node.conference_ended(meeting["id"])
    wait_until(lambda: api.read(meeting["id"])["state"] == "ended", 90 * PATIENCE, "the end")
    assert says(ask(node, meeting), OVER)
    assert says(ask(node, meeting, unique_service_name=f"{meeting['id']}_breakout_{UUID}", breakout_uuid=UUID), OVER)


def test_before_its_window_nobody_is_thrown_out(node, api):
    assert says(ask(node, api.create(not_before=stamp(3600))), AS_IS)


@pytest.mark.once
def test_who_is_on_his_way_in_holds_the_end(node, api):
    """Whether he is asked about himself or about a breakout room."""
    asked, room, dialled_out, empty = (api.create() for _ in range(4))
    for each in (asked, room, dialled_out, empty):
        node.conference_started(each["id"])
        one_leg(node, each["id"], "Anna").leave()
    assert says(ask(node, asked), AS_IS)
    assert node.policy(room["id"], breakout_uuid=UUID, service_name=f"{room['id']}_breakout_{UUID}").json()["result"]["breakout"] is True
    assert says(ask(node, dialled_out, call_direction="dial_out"), AS_IS)
    wait_until(lambda: {api.read(each["id"])["state"] for each in (dialled_out, empty)} == {"ended"}, 20 * PATIENCE, "the end of the others")
    for each in (asked, room):
        assert api.read(each["id"])["state"] == "live"
        assert says(ask(node, each), AS_IS)


def test_requests_change_nothing_and_are_counted(server, node, api, meeting, ended):
    def counted():
        status = server.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()
        return [status["counters"][name] for name in ("policy_continue", "policy_reject")]
    before, view = counted(), api.read(meeting["id"])
    for _ in range(3):
        assert ask(node, meeting).body == ask(node, meeting).body
    assert says(ask(node, ended), OVER)
    assert api.read(meeting["id"]) == view
    assert counted() == [before[0] + 6, before[1] + 1]
