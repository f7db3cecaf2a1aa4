"""Sets up Pexip Infinity by its management API, for mod_pexip_rc.

    command.py      from arguments to an exit status: plan everything, show it, then do it
    arguments.py    what can be said on the command line, checked before anything is asked of anybody
    parts.py        one function for each part of the set-up: what is there, what is wanted, what has to change
    webapp.py       the same for branding packages and web app paths
    scheduler.py    the same for the joining instructions of Secure Scheduler for Exchange
    plan.py         the changes that were found to be needed, and how they are done
    client.py       the management API: schemas, pages, filters, refusals
    wire.py         one HTTPS request with a deadline and a limit
    csp.py          the text of a Content-Security-Policy
    packages.py     ZIP files that are uploaded
    probe.py        looks afterwards whether the nodes serve what was set up
    report.py       everything that is printed

Nothing but Python's own library is used, because this runs where Infinity is administered from.
"""
