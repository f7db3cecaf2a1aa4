"""Lines of the error log that faults cause, as regular expressions for Httpd.expect(): in one place, and no wider than needed."""

# httpd's own words.
KILLED = r"exit signal Killed \(9\)|AH1039[23]: children are killed successively"
OVERWRITTEN = r"AH00098: pid file .* overwritten"

# The working set.
REPAIRED = r"a process died while it changed the working set"
REPLACED = r"(of a former server is replaced|has another layout: a new one is begun)"
LOCKED = r"the working set is locked"

# The database cannot be asked: lost, refused, hanging, full, read-only; and is there again.
DATABASE = r"^FATAL:  terminating connection|the database (cannot be used|can be used again|did not answer in time|does not answer)"
# A file that is no database any more was set aside.
DAMAGED = r"the database is damaged .* was moved to"
# The database was made by a newer version of the module.
NEWER = r"the database cannot be used: .*newer"
# Another database, or an older state of it, has been put in the place of the former.
RESTORED = r"(the database is (another one than before|in an older state than before)|the file of the database was replaced)"
# The tables are smaller than what the database holds.
NO_ROOM = r"there was no room for \d+ records of the database"
# Another machine does not show itself any more, or does again.
MACHINE = r"pexip_rc:(warn|error)\].*another machine"

ANY_DATABASE_TROUBLE = (DATABASE,)
