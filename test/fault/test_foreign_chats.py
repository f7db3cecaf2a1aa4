"""Chats of conferences that are none of our meetings, where two machines may be asked for them: each conference has one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import SOON, blameless  # noqa: F401
from databases import empty
from foreign import SCHEDULED, Conference, ask, furnish, made_for
from messages import shared
from waiting import wait_until


@pytest.fixture
def pair(mpm, audited, postgresql):
    empty(postgresql.conninfo)
    with shared(mpm, postgresql.conninfo, extra=SCHEDULED) as site:
        furnish(site)
        yield site


def asked_at_once(site, alias):
    barrier = threading.Barrier(len(site.all))

    def run(machine):
        with site.only(machine):
            barrier.wait()
            return ask(site, alias)
    with ThreadPoolExecutor(len(site.all)) as pool:
        return list(pool.map(run, site.all))


def test_two_machines_that_are_asked_at_once_make_one_chat(pair):
    for _ in range(6):
        conference = Conference(pair)
        leg = conference.enter()
        for machine in pair.all:
            with pair.only(machine):
                leg.updated()
        assert {each.status for each in asked_at_once(pair, conference.alias)} <= {200, 503}
        wait_until(lambda: {each.status for each in asked_at_once(pair, conference.alias)} == {200}, SOON, "the chat at both")
        one, other = asked_at_once(pair, conference.alias)
        assert one.body == other.body and len(made_for(pair, conference.alias)) == 1


def test_the_one_that_has_heard_of_it_answers(pair):
    conference = Conference(pair)
    first, second = pair.all
    with pair.only(first):
        leg = conference.enter()
        found = wait_until(lambda: (answer := ask(pair, conference.alias)).status == 200 and answer, SOON, "the chat")
    with pair.only(second):
        assert ask(pair, conference.alias).status == 404
        leg.updated()
        assert ask(pair, conference.alias).body == found.body
    assert len(made_for(pair, conference.alias)) == 1
